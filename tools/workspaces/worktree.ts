/**
 * A git worktree a task: the agent sees the branch as committed, and nothing it does reaches the repository's own
 * checkout. The worktree is detached and made anew for each attempt that does not find one; a worktree with changes
 * in it is never removed, and goes on from where it was.
 */
import { existsSync, lstatSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../errors.ts';
import { git, gitIn, mustGit, worktreeGitDir, type Checkout } from './git.ts';

export interface Worktree {
  folder: string;
  /** What the branch changes against the repository's current branch; undefined: nothing to compare. */
  diff: string | undefined;
}

/** A ref of the worktree alone: the commit that its changes are counted from. */
export const baseRef = 'refs/worktree/base';

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
    await mustGit(await knownWorktree(repo, folder), ['update-ref', baseRef, commit]);
  } else await moveOn(await knownWorktree(repo, folder), commit);
  return { folder, diff: request.branch === undefined ? undefined : await diffOf(repo, commit) };
}

/**
 * The worktree as its repository knows it, its `.git` file as it was made: an agent that may write there may have put
 * another in its place, and so led every git that is started in the folder to settings of its own. Throws WORKSPACE.
 */
export async function knownWorktree(repo: string, folder: string): Promise<Checkout> {
  const gitDir = await worktreeGitDir(repo, folder);
  if (gitDir === undefined)
    throw new AppError('WORKSPACE', `expected a git worktree, got: ${folder}`, {
      hints: ['look into the folder, save what you need, and delete it: it is made anew'],
    });
  const file = join(folder, '.git');
  const text = `gitdir: ${gitDir}\n`;
  const found = lstatSync(file, { throwIfNoEntry: false });
  if (!found?.isFile() || found.size > 10_000 || readFileSync(file, 'utf8') !== text) {
    rmSync(file, { recursive: true, force: true });
    writeFileSync(file, text, { flag: 'wx' });
  }
  return { folder, gitDir };
}

/** A worktree in which nothing was changed or committed goes to the commit. */
async function moveOn(tree: Checkout, commit: string): Promise<void> {
  const head = (await mustGit(tree, ['rev-parse', 'HEAD'])).trim();
  const known = await gitIn(tree, ['rev-parse', '--verify', '--quiet', baseRef]);
  const base = known.exitCode === 0 ? known.stdout.trim() : head;
  if (known.exitCode !== 0) await mustGit(tree, ['update-ref', baseRef, head]);
  const status = await gitIn(tree, ['status', '--porcelain', '--ignore-submodules=all']);
  if (base !== head || status.exitCode !== 0 || status.stdout !== '') return;
  const moved = await gitIn(tree, ['checkout', '--detach', commit]);
  if (moved.exitCode !== 0)
    throw new AppError('WORKSPACE', `the worktree could not be moved on: ${moved.stderr.slice(0, 500)}`);
  await mustGit(tree, ['update-ref', baseRef, commit]);
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
  const text = Buffer.from(result.stdout, 'latin1').toString('utf8');
  if (text.length <= maxDiff) return text;
  return `${text.slice(0, maxDiff)}\n[cut: the diff has ${text.length} characters; read the files for the rest]`;
}
