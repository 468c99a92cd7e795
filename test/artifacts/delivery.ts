/** An attempt's files and what is published of them, for tests. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { ArtifactStore } from '../../tools/artifacts/artifacts.ts';
import { measureLocal } from '../../tools/artifacts/local-file.ts';
import { openArtifacts } from '../../tools/artifacts/open-artifacts.ts';
import type { PublishFile, PublishRequest } from '../../tools/artifacts/publish.ts';

export interface Place {
  root: string;
  store: ArtifactStore;
  /** Writes a file as an agent would, and takes the evidence. */
  file: (name: string, content: string | Uint8Array) => Promise<PublishFile>;
}

export async function place(): Promise<Place> {
  const base = mkdtempSync(join(tmpdir(), 'artifacts-'));
  onTestFinished(() => rmSync(base, { recursive: true, force: true }));
  const root = join(base, 'root');
  let count = 0;
  return {
    root,
    store: await openArtifacts(root, {}),
    file: async (name, content) => {
      count += 1;
      const path = join(base, 'work', String(count), 'made by an agent');
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, content);
      return { path, name, ...(await measureLocal(path)) };
    },
  };
}

export const request = (more: Partial<PublishRequest> = {}): PublishRequest => ({
  taskId: 'task-1',
  title: 'Write a plan',
  attempt: 1,
  producer: 'writer',
  now: Date.UTC(2026, 0, 31, 12),
  format: 'markdown',
  summary: 'The plan is written.',
  files: [],
  ...more,
});
