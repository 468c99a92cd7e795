import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { addWorktree, type Worktree } from '../../tools/workspaces/worktree.ts';

let base: string;
let repo: string;
let folder: string;

function git(cwd: string, ...args: string[]): string {
  const config = ['-c', 'user.name=T', '-c', 'user.email=t@example.com', '-c', 'init.defaultBranch=main'];
  return execFileSync('git', [...config, ...args], {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  }).trim();
}

function commit(cwd: string, file: string, text: string): string {
  writeFileSync(join(cwd, file), text);
  git(cwd, 'add', file);
  git(cwd, 'commit', '-q', '-m', file);
  return git(cwd, 'rev-parse', 'HEAD');
}

beforeEach(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), 'worktree-')));
  repo = join(base, 'repo');
  folder = join(base, 'trees', 'task');
  mkdirSync(repo);
  git(repo, 'init', '-q');
  commit(repo, 'a.txt', 'one\n');
  git(repo, 'checkout', '-q', '-b', 'feature');
  commit(repo, 'b.txt', 'two\n');
  git(repo, 'checkout', '-q', 'main');
});
afterEach(() => rmSync(base, { recursive: true }));

const add = (branch?: string): Promise<Worktree> => addWorktree({ repo, folder, branch });

/** What must never change: the repository's own checkout, its branches, and its state. */
function checkout(): string[] {
  return [
    git(repo, 'symbolic-ref', 'HEAD'),
    git(repo, 'rev-parse', 'HEAD'),
    git(repo, 'for-each-ref'),
    git(repo, 'status', '--porcelain'),
  ];
}

test('the branch is checked out in a folder of its own, with what it changes; the repository stays as it was', async () => {
  const before = checkout();
  const tree = await add('feature');
  expect(readFileSync(join(tree.folder, 'b.txt'), 'utf8')).toBe('two\n');
  expect(tree.diff).toContain('+two');
  expect(tree.diff).not.toContain('a.txt');
  expect(existsSync(join(repo, 'b.txt'))).toBe(false);
  expect(checkout()).toEqual(before);
});

test('without a branch it is what is checked out, and there is nothing to compare', async () => {
  const tree = await add();
  expect(tree.diff).toBeUndefined();
  expect(git(tree.folder, 'rev-parse', 'HEAD')).toBe(git(repo, 'rev-parse', 'HEAD'));
});

test('a clean worktree moves on with its branch', async () => {
  await add('feature');
  git(repo, 'checkout', '-q', 'feature');
  const tip = commit(repo, 'c.txt', 'three\n');
  git(repo, 'checkout', '-q', 'main');
  await add('feature');
  expect(git(folder, 'rev-parse', 'HEAD')).toBe(tip);
});

test('a worktree with changes in it is left as it is', async () => {
  await add('feature');
  writeFileSync(join(folder, 'b.txt'), 'edited by the agent\n');
  writeFileSync(join(folder, 'new.txt'), 'new\n');
  const head = git(folder, 'rev-parse', 'HEAD');
  git(repo, 'checkout', '-q', 'feature');
  commit(repo, 'c.txt', 'three\n');
  git(repo, 'checkout', '-q', 'main');
  await add('feature');
  expect(readFileSync(join(folder, 'b.txt'), 'utf8')).toBe('edited by the agent\n');
  expect(existsSync(join(folder, 'new.txt'))).toBe(true);
  expect(git(folder, 'rev-parse', 'HEAD')).toBe(head);
});

test('a worktree whose folder was deleted is made anew', async () => {
  await add('feature');
  rmSync(folder, { recursive: true });
  await add('feature');
  expect(existsSync(join(folder, 'b.txt'))).toBe(true);
});

test.each([
  'nothing',
  '',
  ' ',
  '--upload-pack=touch pwned',
  '--output=pwned',
  '-h',
  '../../etc',
  'feature --force',
  'feature:b.txt',
  'a..b',
  'x\ny',
  '$(touch pwned)',
  'HEAD:a.txt',
])('%j names no branch: the task is told so, and nothing is made', async (branch) => {
  const before = checkout();
  await expect(add(branch)).rejects.toMatchObject({
    code: 'BAD_INPUT',
    message: `expected Branch to name a branch or commit of the repository, got: ${JSON.stringify(branch)}`,
  });
  expect(existsSync(folder)).toBe(false);
  expect(existsSync(join(repo, 'pwned'))).toBe(false);
  expect(checkout()).toEqual(before);
});

test('a branch whose name is an option of git is a branch all the same', async () => {
  git(repo, 'update-ref', 'refs/heads/--detach', 'feature');
  const tree = await add('--detach');
  expect(git(tree.folder, 'rev-parse', 'HEAD')).toBe(git(repo, 'rev-parse', 'feature'));
});

test('a folder that is no repository is a matter of the set-up', async () => {
  repo = join(base, 'plain');
  mkdirSync(repo);
  await expect(add()).rejects.toMatchObject({
    code: 'AGENT_SETUP',
    message: `expected a git repository, got: ${repo}`,
  });
  repo = join(base, 'nowhere');
  await expect(add()).rejects.toMatchObject({ code: 'AGENT_SETUP' });
});

test('a half-made worktree inside another repository never moves that repository', async () => {
  folder = join(repo, '.data', 'task');
  writeFileSync(join(repo, '.gitignore'), '.data\n');
  git(repo, 'add', '.gitignore');
  git(repo, 'commit', '-q', '-m', 'ignore');
  const before = checkout();
  mkdirSync(folder, { recursive: true });
  const tree = await add('feature');
  expect(checkout()).toEqual(before);
  expect(readFileSync(join(tree.folder, 'b.txt'), 'utf8')).toBe('two\n');
});

test('a worktree whose repository forgot it is refused, not used as it stands', async () => {
  await add('feature');
  rmSync(join(repo, '.git', 'worktrees'), { recursive: true });
  writeFileSync(join(folder, 'work.txt'), 'of the agent');
  await expect(add('feature')).rejects.toMatchObject({ code: 'WORKSPACE' });
  expect(readFileSync(join(folder, 'work.txt'), 'utf8')).toBe('of the agent');
});

test('a diff without end is cut, and says so', async () => {
  git(repo, 'checkout', '-q', 'feature');
  commit(repo, 'big.txt', 'line\n'.repeat(60_000));
  git(repo, 'checkout', '-q', 'main');
  const { diff } = await add('feature');
  expect(diff!.length).toBeLessThan(201_000);
  expect(diff).toContain('[cut: the diff has');
});
