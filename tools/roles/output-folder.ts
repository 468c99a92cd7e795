/**
 * Where a role may write. Invariant: always a folder below the workspace, never the workspace itself, never one the
 * worker keeps for its own records. Only names are checked here; real paths are checked when the folder is opened.
 */
import { isAbsolute, join } from 'node:path';
import { text } from './fields.ts';
import type { Entry } from './front-matter.ts';
import { unexpected } from './front-matter.ts';

/** The worker's own folders in the workspace. */
export const reservedFolders: readonly string[] = ['tasks', 'results', 'artifacts'];

export function outputFolder(entry: Entry, workspace: string): string | undefined {
  const path = text(entry);
  if (path === undefined) return undefined;
  const [first, ...rest] = path.split('/').filter((part) => part !== '' && part !== '.');
  if (
    isAbsolute(path) ||
    path.includes('\\') ||
    rest.includes('..') ||
    first !== 'workspace' ||
    rest.length === 0
  )
    throw unexpected(entry, 'a folder below workspace/', 'write: output: workspace/linkedin');
  if (reservedFolders.includes(rest[0]?.toLowerCase() ?? ''))
    throw unexpected(
      entry,
      `none of the worker's own folders`,
      `choose another name than ${reservedFolders.join(', ')}`,
    );
  if (rest.some((part) => part.startsWith('.') || /\p{Cc}/u.test(part)))
    throw unexpected(entry, 'a visible folder', 'leave the leading dot out');
  return join(workspace, ...rest);
}
