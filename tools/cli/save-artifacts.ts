/** Copies of a task's verified files in a folder of the caller's. Their names come from others: none leads out of it. */
import { createHash } from 'node:crypto';
import { mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { artifactsFolder } from '../artifacts/refs.ts';
import { AppError, messageOf } from '../errors.ts';
import type { Task } from '../store/tasks.ts';
import { isInside } from '../workspaces/workspace.ts';
import type { Evidence } from './evidence.ts';
import type { Session } from './session.ts';

/** Yields the files that were written, as paths that begin with `folder`. Nothing is overwritten. */
export async function saveArtifacts(
  session: Session,
  task: Task,
  evidence: Evidence,
  folder: string,
): Promise<string[]> {
  const store = await session.artifacts();
  const below = artifactsFolder(task.id);
  const saved: string[] = [];
  // The first is the manifest.
  for (const file of evidence.checked.slice(1)) {
    const name = file.ref.startsWith(`${below}/`) ? relative(below, file.ref) : basename(file.ref);
    const bytes = await store.read(file.ref, file.size);
    if (bytes === undefined || createHash('sha256').update(bytes).digest('hex') !== file.sha256)
      throw new AppError('UNVERIFIED', `${file.ref} has changed`);
    saved.push(write(folder, name, bytes));
  }
  return saved;
}

function write(folder: string, name: string, bytes: Buffer): string {
  const path = join(folder, name);
  try {
    mkdirSync(dirname(path), { recursive: true });
    if (!isInside(realpathSync(folder), realpathSync(dirname(path))))
      throw new AppError('WORKSPACE', `expected a folder inside ${folder}, got a link: ${dirname(path)}`);
    writeFileSync(path, bytes, { flag: 'wx' });
    return path;
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError('WORKSPACE', `cannot be saved: ${path} (${messageOf(error)})`, {
      hints: ['give --save a folder that is empty, or not there yet'],
      cause: error,
    });
  }
}
