/** A place for a database, and its end. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export function temporaryFile(): { path: string; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'bench-queues-'));
  return {
    path: join(folder, 'jobs.sqlite'),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
