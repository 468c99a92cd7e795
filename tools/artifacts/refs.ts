/** Where a task's files lie below the artifact root. Pure. */
import { extname } from 'node:path';
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
const maxRef = 400;
/** What file systems take as one name, less room for whatever else they put there. */
const maxSegment = 200;

/** True: a plain path below the root. */
export function isRef(ref: string): boolean {
  if (ref.length > maxRef) return false;
  return ref
    .split('/')
    .every((part) => part.length <= maxSegment && segment.test(part) && part !== '.' && part !== '..');
}

/** Throws BAD_INPUT for whatever is no plain path below the root. */
export function assertRef(ref: string): void {
  if (isRef(ref)) return;
  throw new AppError(
    'BAD_INPUT',
    `expected a path below the artifact root, got: ${JSON.stringify(ref.slice(0, 200))}`,
    {
      hints: ['such as tasks/task-1.md: letters, digits, dots, hyphens and underscores between slashes'],
    },
  );
}

/** A reference for a file that an agent named: what is not plain is replaced. Never in the way of our own files. */
export function artifactRef(taskId: string, name: string): string {
  const parts = name
    .split(/[\\/]+/)
    .filter((part) => part !== '' && part !== '.' && part !== '..')
    .map(plainSegment)
    .slice(-3);
  // Compared without case: there are file systems that do not tell Manifest.json from manifest.json.
  const first = `${artifactsFolder(taskId)}/${parts[0] ?? ''}`.toLowerCase();
  const ours = [manifestRef(taskId), cancelledRef(taskId)].map((own) => own.toLowerCase());
  const folder = ours.includes(first) ? `${artifactsFolder(taskId)}/files` : artifactsFolder(taskId);
  return `${folder}/${parts.join('/') || 'file'}`;
}

/** Keeps the extension, by which people and programs know what a file is. At most 90 characters. */
function plainSegment(part: string): string {
  if (segment.test(part) && part.length <= 80) return part;
  const extension = extname(part);
  return `${safeName(part)}${/^\.[A-Za-z0-9]{1,10}$/.test(extension) ? extension : ''}`;
}
