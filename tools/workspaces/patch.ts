/**
 * What was changed in a worktree, as a patch against the commit it began with. The agent could write everything that
 * lies there, so nothing that lies there is obeyed: git works with an index and objects of its own, and does not go
 * into repositories inside the checkout. The repository is only read.
 */
import {
  copyFileSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError } from '../errors.ts';
import { mustGit, type Checkout, type GitOptions } from './git.ts';
import { baseRef, knownWorktree } from './worktree.ts';

/** Bytes: of the patch, and of the changed files that it is made of. */
const maxPatch = 20_000_000;
const maxChanged = 200_000_000;

export interface Changes {
  /** The commit that the patch applies to. */
  base: string;
  /** Empty: nothing was changed. */
  patch: Buffer;
  /** Folders of the checkout that are repositories of their own; what is in them is not in the patch. */
  leftOut: string[];
}

/** Reads the worktree's changes: also new, deleted and binary files, whatever .gitignore does not hide. Throws WORKSPACE. */
export async function readChanges(repo: string, folder: string): Promise<Changes> {
  const tree = await knownWorktree(repo, folder);
  const base = (await mustGit(tree, ['rev-parse', '--verify', `${baseRef}^{commit}`])).trim();
  const own = realpathSync(mkdtempSync(join(tmpdir(), 'patch-')));
  try {
    const env = await privateIndex(tree, base, own);
    const leftOut = await stage(tree, { env });
    const options = ['--binary', '--full-index', '-M', '-p', '--no-color', '--no-ext-diff', '--no-textconv'];
    const args = ['diff-index', '--cached', ...options, '--ignore-submodules=all', base, '--'];
    const patch = await mustGit(tree, args, { env, maxOutput: maxPatch });
    return { base, patch: Buffer.from(patch, 'latin1'), leftOut };
  } finally {
    rmSync(own, { recursive: true, force: true });
  }
}

/** Puts the patch into the folder as `patch.diff`, in place of whatever is there; undefined: there is nothing to put. */
export function savePatch(folder: string, { base, patch }: Changes): string | undefined {
  if (realpathSync(folder) !== folder)
    throw new AppError('WORKSPACE', `expected a folder and no link to one, got: ${folder}`);
  const file = join(folder, 'patch.diff');
  rmSync(file, { recursive: true, force: true });
  if (patch.length === 0) return undefined;
  const head = `Changes of a checkout of ${base}; git apply puts them in.\n\n`;
  writeFileSync(file, Buffer.concat([Buffer.from(head), patch]), { flag: 'wx' });
  return file;
}

/** An index and a place for objects outside the repository, which is only read. */
async function privateIndex(tree: Checkout, base: string, own: string): Promise<Record<string, string>> {
  const objects = (
    await mustGit(tree, ['rev-parse', '--path-format=absolute', '--git-path', 'objects'])
  ).trim();
  const index = join(own, 'index');
  const env = {
    GIT_INDEX_FILE: index,
    GIT_OBJECT_DIRECTORY: join(own, 'objects'),
    GIT_ALTERNATE_OBJECT_DIRECTORIES: JSON.stringify(objects),
  };
  mkdirSync(env.GIT_OBJECT_DIRECTORY);
  // A copy knows what is sparse, and which files need not be read again. Git tells by the index's own time which files
  // may have been changed right after it was written: the copy has to have the same.
  const known = statSync(join(tree.gitDir, 'index'), { throwIfNoEntry: false });
  if (known) {
    copyFileSync(join(tree.gitDir, 'index'), index);
    utimesSync(index, known.atime, known.mtime);
  } else await mustGit(tree, ['read-tree', base], { env });
  return env;
}

/** Yields what is left out. */
async function stage(tree: Checkout, options: GitOptions): Promise<string[]> {
  const list = async (...args: string[]): Promise<string[]> =>
    (await mustGit(tree, ['ls-files', '-z', ...args], options)).split('\0').filter((line) => line !== '');
  const others = await list('--others', '--exclude-standard');
  const links = (await list('--stage')).filter((line) => line.startsWith('160000 '));
  const submodules = links.map((line) => line.slice(line.indexOf('\t') + 1));
  const nested = others.filter((path) => path.endsWith('/')).map((path) => path.slice(0, -1));
  refuseTooMuch(tree, [...others, ...(await list('--modified'))]);
  const excluded = [...new Set([...nested, ...submodules])];
  const paths = ['.', ...excluded.map((path) => `:(exclude,top,literal)${path}`)];
  const from = ['--pathspec-from-file=-', '--pathspec-file-nul'];
  const input = Buffer.from(paths.join('\0'), 'latin1');
  await mustGit(tree, ['add', '--all', ...from], { ...options, input });
  return nested.map((path) => Buffer.from(path, 'latin1').toString('utf8'));
}

/** Zero for what is gone, also where its folder has become a file. */
function sizeOf(file: Buffer): number {
  try {
    return lstatSync(file, { throwIfNoEntry: false })?.size ?? 0;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOTDIR') return 0;
    throw error;
  }
}

/** Before anything of it is read: a file may claim any size. */
function refuseTooMuch(tree: Checkout, paths: readonly string[]): void {
  let size = 0;
  for (const path of new Set(paths)) {
    const file = Buffer.concat([Buffer.from(`${tree.folder}/`), Buffer.from(path, 'latin1')]);
    size += sizeOf(file);
  }
  if (size <= maxChanged) return;
  throw new AppError(
    'WORKSPACE',
    `expected changed files of at most ${maxChanged / 1e6} MB in all, got: ${Math.ceil(size / 1e6)} MB`,
    { hints: ['take out what does not belong to the change, or name it in .gitignore'] },
  );
}
