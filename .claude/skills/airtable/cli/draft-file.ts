/**
 * Reads a file that an argument names. The agent chooses the arguments, so this is a border: only a plain, visible,
 * readable text file inside the current folder gets through, whatever links and dots the path is made of.
 */
import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync, realpathSync } from 'node:fs';
import { relative, isAbsolute, resolve, sep } from 'node:path';
import { Failure } from './failure.ts';

/** A long text field of Airtable holds no more. */
const longestText = 100_000;
const largestFile = 4 * longestText;

/** `root` is the project's folder: running above it would put everything within reach. */
export function readDraft(path: string, cwd: string, root: string | undefined): string {
  const folder = realpathSync(cwd);
  if (root !== undefined && folder !== realpathSync(root) && isInside(realpathSync(root), folder))
    throw refused(path, 'the command to run inside the project', `the folder ${folder}`);
  const real = realPath(path, folder);
  if (!isInside(real, folder)) throw refused(path, 'a file inside the current folder', 'one outside');
  if (
    relative(folder, real)
      .split(sep)
      .some((part) => part.startsWith('.'))
  )
    throw refused(path, 'a visible file', 'a hidden one');
  return textOf(readPlainFile(path, real), path);
}

function isInside(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

function realPath(path: string, folder: string): string {
  if (path.includes('\0')) throw refused(path, 'a path', 'one with a zero byte');
  const wanted = resolve(folder, path);
  // Whether a file outside exists is nobody's business, so this is asked before the file is looked for.
  if (!isInside(wanted, folder)) throw refused(path, 'a file inside the current folder', 'one outside');
  try {
    return realpathSync(wanted);
  } catch {
    throw refused(path, 'an existing file', 'nothing there');
  }
}

function readPlainFile(path: string, real: string): Buffer {
  if (!lstatSync(real).isFile()) throw refused(path, 'a plain file', 'something else');
  const file = openSync(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const { size } = fstatSync(file);
    if (size > largestFile) throw refused(path, `a file of at most ${largestFile} bytes`, `${size} bytes`);
    return readFileSync(file);
  } finally {
    closeSync(file);
  }
}

function textOf(bytes: Buffer, path: string): string {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw refused(path, 'UTF-8 text', 'other bytes');
  }
  if (text.length > longestText)
    throw refused(path, `at most ${longestText} characters`, String(text.length));
  return text.trimEnd();
}

function refused(path: string, expected: string, found: string): Failure {
  return new Failure('FILE_REFUSED', `expected ${JSON.stringify(path)} to be ${expected}, got: ${found}`, [
    'give the name of a draft in the current folder, e.g. --field-file "Body=why-queues.md"',
  ]);
}
