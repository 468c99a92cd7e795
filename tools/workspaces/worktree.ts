/**
 * A git worktree a task: the agent sees the branch as committed, and nothing it does reaches the repository's own
 * checkout. The worktree is detached and made anew for each attempt that does not find one; a worktree with changes
 * in it is never removed.
 */
import { execa } from 'execa';
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { AppError } from '../errors.ts';

export interface Worktree {
  folder: string;
  /** What the branch changes against the repository's current branch; undefined: nothing to compare. */
  diff: string | undefined;
}

const maxDiff = 200_000;

/** Throws BAD_INPUT for an unknown branch, AGENT_SETUP when the repository is not one. */
export async function addWorktree(request: {
  repo: string;
  folder: string;
  branch: string | undefined;
}): Promise<Worktree> {
  const { repo, folder } = request;
  const inside = await git(repo, ['rev-parse', '--show-toplevel']);
  if (inside.exitCode !== 0)
    throw new AppError('AGENT_SETUP', `expected a git repository, got: ${repo}`, {
      hints: ['set worker.repo in the role file to the path of a git repository with at least one commit'],
    });
  const commit = await resolveCommit(repo, request.branch ?? 'HEAD');
  // A folder that is empty is what a crash while adding it leaves.
  if (!existsSync(folder) || readdirSync(folder).length === 0) {
    await git(repo, ['worktree', 'prune']);
    const added = await git(repo, ['worktree', 'add', '--detach', folder, commit]);
    if (added.exitCode !== 0)
      throw new AppError('WORKSPACE', `the worktree could not be made: ${added.stderr.slice(0, 500)}`);
  } else await moveOn(folder, commit);
  return { folder, diff: request.branch === undefined ? undefined : await diffOf(repo, commit) };
}

/** A clean worktree goes to the commit. Of a folder that is none, git would take the repository around it instead. */
async function moveOn(folder: string, commit: string): Promise<void> {
  const top = await git(folder, ['rev-parse', '--show-toplevel']);
  if (top.exitCode !== 0 || resolve(top.stdout.trim()) !== realpathSync(folder))
    throw new AppError('WORKSPACE', `expected a git worktree, got: ${folder}`, {
      hints: ['look into the folder, save what you need, and delete it: it is made anew'],
    });
  const status = await git(folder, ['status', '--porcelain']);
  if (status.exitCode !== 0 || status.stdout !== '') return;
  const moved = await git(folder, ['checkout', '--detach', commit]);
  if (moved.exitCode !== 0)
    throw new AppError('WORKSPACE', `the worktree could not be moved on: ${moved.stderr.slice(0, 500)}`);
}

async function resolveCommit(repo: string, branch: string): Promise<string> {
  const found = await git(repo, [
    'rev-parse',
    '--verify',
    '--quiet',
    '--end-of-options',
    `${branch}^{commit}`,
  ]);
  if (found.exitCode === 0) return found.stdout.trim();
  throw new AppError(
    'BAD_INPUT',
    `expected Branch to name a branch or commit of the repository, got: ${JSON.stringify(branch)}`,
  );
}

async function diffOf(repo: string, commit: string): Promise<string | undefined> {
  const result = await git(repo, ['diff', '--no-color', '--no-ext-diff', `HEAD...${commit}`]);
  if (result.exitCode !== 0 || result.stdout === '') return undefined;
  if (result.stdout.length <= maxDiff) return result.stdout;
  return `${result.stdout.slice(0, maxDiff)}\n[cut: the diff has ${result.stdout.length} characters; read the files for the rest]`;
}

async function git(
  cwd: string,
  args: string[],
): Promise<{ exitCode: number | undefined; stdout: string; stderr: string }> {
  const result = await execa('git', args, {
    cwd,
    reject: false,
    stdin: 'ignore',
    timeout: 60_000,
    env: { GIT_TERMINAL_PROMPT: '0', GIT_OPTIONAL_LOCKS: '0' },
  });
  return { exitCode: result.exitCode, stdout: result.stdout, stderr: result.stderr };
}
