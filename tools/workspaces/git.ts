/**
 * Starts git. In a folder that an agent may have written to, git is told where its own folder is and which settings not
 * to believe: a `.git` file, hooks or a file watcher that somebody has put there are never used.
 */
import { execa } from 'execa';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { AppError } from '../errors.ts';

export interface GitResult {
  exitCode: number | undefined;
  stdout: string;
  stderr: string;
}

export interface GitOptions {
  input?: Uint8Array;
  env?: Record<string, string>;
  /** Characters of output; more is an error. */
  maxOutput?: number;
}

/** A checkout whose git folder is known by looking from the repository, and not by what lies in it. */
export interface Checkout {
  folder: string;
  gitDir: string;
}

const timeoutMs = 60_000;

/** For folders that no agent has written to. */
export async function git(cwd: string, args: string[], options: GitOptions = {}): Promise<GitResult> {
  const result = await execa('git', args, {
    cwd,
    reject: false,
    timeout: timeoutMs,
    stripFinalNewline: false,
    // Bytes as they are: a patch holds lines in any encoding.
    encoding: 'latin1',
    maxBuffer: options.maxOutput ?? 200_000_000,
    ...(options.input === undefined ? { stdin: 'ignore' } : { input: options.input }),
    env: { GIT_TERMINAL_PROMPT: '0', GIT_OPTIONAL_LOCKS: '0', ...options.env },
  });
  const why = result.timedOut
    ? 'git took too long'
    : result.isMaxBuffer
      ? 'git had too much to say'
      : result.stderr;
  return { exitCode: result.exitCode, stdout: result.stdout, stderr: why.trim() };
}

const distrustful = [
  'core.fsmonitor=false',
  'core.hooksPath=/dev/null',
  'core.untrackedCache=false',
  'core.safecrlf=false',
  // A repository inside the checkout would be asked for its state, by a git that reads that repository's settings.
  'diff.ignoreSubmodules=all',
  'submodule.recurse=false',
].flatMap((setting) => ['-c', setting]);

/** For a checkout that an agent may have written to. */
export async function gitIn(
  { folder, gitDir }: Checkout,
  args: string[],
  options: GitOptions = {},
): Promise<GitResult> {
  return git(folder, [...distrustful, `--git-dir=${gitDir}`, `--work-tree=${folder}`, ...args], options);
}

/** The same, for what must work. Throws WORKSPACE. */
export async function mustGit(tree: Checkout, args: string[], options: GitOptions = {}): Promise<string> {
  const { exitCode, stdout, stderr } = await gitIn(tree, args, options);
  if (exitCode === 0) return stdout;
  throw new AppError('WORKSPACE', `git ${args[0] ?? ''} failed in ${tree.folder}: ${stderr.slice(0, 500)}`);
}

/** The repository's own folder for this worktree; undefined: the repository does not know it. */
export async function worktreeGitDir(repo: string, folder: string): Promise<string | undefined> {
  const common = await git(repo, ['rev-parse', '--path-format=absolute', '--git-common-dir']);
  if (common.exitCode !== 0) return undefined;
  const all = join(common.stdout.trim(), 'worktrees');
  return namesIn(all)
    .map((name) => join(all, name))
    .find((gitDir) => linkOf(gitDir) === join(folder, '.git'));
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

function linkOf(gitDir: string): string | undefined {
  try {
    return resolve(gitDir, readFileSync(join(gitDir, 'gitdir'), 'utf8').trim());
  } catch (error) {
    // Half-made, or just being removed: it is not the one that is looked for.
    if (error instanceof Error && 'code' in error) return undefined;
    throw error;
  }
}
