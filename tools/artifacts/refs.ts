/** Where a task's files lie below the artifact root. Pure. */
import { AppError } from '../errors.ts';
import type { ResultFormat } from '../queues/envelope.ts';
import { safeName } from '../workspaces/workspace.ts';

export const contextRef = (taskId: string): string => `tasks/${safeName(taskId)}.md`;
export const resultRef = (taskId: string, format: ResultFormat = 'markdown'): string =>
  `results/${safeName(taskId)}.${format === 'json' ? 'json' : 'md'}`;
export const artifactsFolder = (taskId: string): string => `artifacts/${safeName(taskId)}`;
export const manifestRef = (taskId: string): string => `${artifactsFolder(taskId)}/manifest.json`;
/** Written when a task is cancelled before its result is there: whoever gets it later need not begin. */
export const cancelledRef = (taskId: string): string => `${artifactsFolder(taskId)}/cancelled.json`;

const segment = /^[A-Za-z0-9._-]+$/;

/** Throws BAD_INPUT for whatever is no plain path below the root. */
export function assertRef(ref: string): void {
  const parts = ref.split('/');
  const plain = parts.every((part) => segment.test(part) && part !== '.' && part !== '..');
  if (plain && ref.length <= 400) return;
  throw new AppError(
    'BAD_INPUT',
    `expected a path below the artifact root, got: ${JSON.stringify(ref.slice(0, 200))}`,
    {
      hints: ['such as tasks/task-1.md: letters, digits, dots, hyphens and underscores between slashes'],
    },
  );
}

/** A reference for a file that an agent named: what is not plain is replaced. */
export function artifactRef(taskId: string, name: string): string {
  const parts = name
    .split(/[\\/]+/)
    .filter((part) => part !== '' && part !== '.' && part !== '..')
    .map((part) => (segment.test(part) ? part : safeName(part)));
  return `${artifactsFolder(taskId)}/${parts.slice(-4).join('/') || 'file'}`;
}
