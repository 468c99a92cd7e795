/** The patch of a task: what was changed, whole and applicable; and nothing that lies in the checkout is run. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readChanges, savePatch, type Changes } from '../../tools/workspaces/patch.ts';
import { addWorktree } from '../../tools/workspaces/worktree.ts';

let base: string;
let repo: string;
let folder: string;
let output: string;
/** Made by whatever was planted, if it is ever run. */
let marker: string;

function git(cwd: string, ...args: string[]): string {
  const config = ['-c', 'user.name=T', '-c', 'user.email=t@example.com', '-c', 'init.defaultBranch=main'];
  return execFileSync('git', [...config, ...args], {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

function put(path: string, content: string | Buffer, mode = 0o644): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), content);
  chmodSync(join(folder, path), mode);
}

const lines = (word: string): string => Array.from({ length: 20 }, (_, n) => `${word} ${n}\n`).join('');

beforeEach(async () => {
  base = realpathSync(mkdtempSync(join(tmpdir(), 'patch-test-')));
  [repo, folder, output, marker] = ['repo', 'tree', 'out', 'was-run'].map((name) => join(base, name)) as [
    string,
    string,
    string,
    string,
  ];
  mkdirSync(output);
  mkdirSync(repo);
  git(repo, 'init', '-q');
  mkdirSync(join(repo, 'src'));
  for (const name of ['edited', 'deleted', 'moved', 'run', 'src/inner'])
    writeFileSync(join(repo, `${name}.txt`), lines(name));
  writeFileSync(join(repo, 'image.bin'), randomBytes(3000));
  writeFileSync(join(repo, '.gitignore'), 'ignored/\n');
  git(repo, 'add', '.');
  git(repo, 'commit', '-q', '-m', 'first');
  await addWorktree({ repo, folder, branch: undefined });
});
afterEach(() => rmSync(base, { recursive: true }));

const changes = (): Promise<Changes> => readChanges(repo, folder);

/** Every file, link and mode of a folder, but for git's own. */
function tree(of: string, below = ''): string[] {
  return readdirSync(join(of, below), { withFileTypes: true }).flatMap((entry) => {
    const path = join(below, entry.name);
    if (entry.name === '.git' || entry.name === 'ignored') return [];
    if (entry.isDirectory()) return tree(of, path);
    if (entry.isSymbolicLink()) return [`${path} -> ${readlinkSync(join(of, path))}`];
    const bytes = readFileSync(join(of, path));
    const run = execFileSync('stat', ['-c', '%a', join(of, path)], { encoding: 'utf8' }).startsWith('7');
    return [`${path} ${run ? 'x' : '-'} ${bytes.toString('base64')}`];
  });
}

/** The patch, applied to a fresh clone of the repository. */
async function applied(): Promise<string> {
  const file = savePatch(output, await changes());
  const clone = join(base, `clone-${readdirSync(base).length}`);
  git(base, 'clone', '-q', repo, clone);
  if (file !== undefined) git(clone, 'apply', '--index', file);
  return clone;
}

function changeEverything(): void {
  put('edited.txt', lines('edited').replace('edited 7', 'changed'));
  put('new file "ä".txt', 'new\r\nno end');
  put('empty.txt', '');
  put('deep/er/bin.dat', randomBytes(4000));
  put('image.bin', randomBytes(3000));
  put('ignored/big', 'not collected');
  rmSync(join(folder, 'deleted.txt'));
  renameSync(join(folder, 'moved.txt'), join(folder, 'elsewhere.txt'));
  chmodSync(join(folder, 'run.txt'), 0o755);
  put('latin1.txt', Buffer.from('caf\xe9\n', 'latin1'));
  symlinkSync('/etc/passwd', join(folder, 'link'));
}

describe('the patch', () => {
  test('gives the same files in a fresh clone: new, deleted, moved, binary, executable, links', async () => {
    changeEverything();
    const clone = await applied();
    expect(tree(clone)).toEqual(tree(folder));
    const text = readFileSync(join(output, 'patch.diff'), 'latin1');
    expect(text).toMatch(/^Changes of a checkout of [0-9a-f]{40}; git apply puts them in\.\n\n/);
    for (const part of ['rename from moved.txt', 'old mode 100644\nnew mode 100755', 'GIT binary patch'])
      expect(text).toContain(part);
    expect(text).not.toContain('root:');
    expect(text).not.toContain('ignored/big');
  });

  test('notices a change in the same second that leaves the size as it is', async () => {
    for (const letter of ['x', 'y', 'z']) {
      rmSync(folder, { recursive: true });
      await addWorktree({ repo, folder, branch: undefined });
      put('edited.txt', lines('edited').replace('edited 7', `edited ${letter}`));
      // What git copies later than that it takes for settled.
      await delay(1000);
      expect((await changes()).patch.toString()).toContain(`+edited ${letter}\n`);
    }
  });

  test('leaves the repository, its index and its objects as they were', async () => {
    const facts = (): string =>
      [
        git(repo, 'status', '--porcelain'),
        git(repo, 'count-objects', '-v'),
        git(repo, 'for-each-ref'),
      ].join();
    const before = [facts(), git(folder, 'status', '--porcelain')];
    changeEverything();
    const dirty = git(folder, 'status', '--porcelain');
    await changes();
    expect(facts()).toBe(before[0]);
    expect(git(folder, 'status', '--porcelain')).toBe(dirty);
    expect(before[1]).toBe('');
  });

  test('is empty without changes; one of an earlier round is taken away', async () => {
    put('new.txt', 'new\n');
    const file = savePatch(output, await changes());
    expect(file).toBe(join(output, 'patch.diff'));
    rmSync(join(folder, 'new.txt'));
    expect(savePatch(output, await changes())).toBeUndefined();
    expect(readdirSync(output)).toEqual([]);
  });

  test('counts from the commit of the first round, also past commits of the agent and of the branch', async () => {
    put('one.txt', 'one\n');
    git(folder, 'add', '.');
    git(folder, 'commit', '-q', '-m', 'by the agent');
    writeFileSync(join(repo, 'later.txt'), 'later\n');
    git(repo, 'add', '.');
    git(repo, 'commit', '-q', '-m', 'later');
    await addWorktree({ repo, folder, branch: undefined });
    put('two.txt', 'two\n');
    await addWorktree({ repo, folder, branch: undefined });
    const text = (await changes()).patch.toString();
    expect(text).toContain('+one\n');
    expect(text).toContain('+two\n');
    expect(text).not.toContain('later');
  });

  test('does not depend on the settings that a person has for diffs', async () => {
    for (const setting of ['diff.noprefix', 'diff.mnemonicPrefix']) git(repo, 'config', setting, 'true');
    git(repo, 'config', 'color.ui', 'always');
    git(repo, 'config', 'diff.external', `touch ${marker}`);
    put('new.txt', 'new\n');
    expect(tree(await applied())).toEqual(tree(folder));
    expect(existsSync(marker)).toBe(false);
  });

  test('is never written through a link', async () => {
    const precious = join(base, 'precious');
    writeFileSync(precious, 'precious');
    symlinkSync(precious, join(output, 'patch.diff'));
    put('new.txt', 'new\n');
    savePatch(output, await changes());
    expect(readFileSync(precious, 'utf8')).toBe('precious');
    const link = join(base, 'link-to-out');
    symlinkSync(output, link);
    const some = await changes();
    expect(() => savePatch(link, some)).toThrow('no link to one');
  });

  test.each([
    ['a folder that became a link', () => swap('src', () => symlinkSync('/etc', join(folder, 'src')))],
    ['a file that became a folder', () => swap('edited.txt', () => put('edited.txt/inner', 'x\n'))],
    ['a folder that became a file', () => swap('src', () => put('src', 'a file\n'))],
  ])('holds %s', async (_, change) => {
    change();
    expect(tree(await applied())).toEqual(tree(folder));
  });
});

function swap(path: string, make: () => void): void {
  rmSync(join(folder, path), { recursive: true });
  make();
}

describe('what cannot be a patch is said', () => {
  test('files without end', async () => {
    put('huge.bin', '');
    truncateSync(join(folder, 'huge.bin'), 50e9);
    await expect(changes()).rejects.toMatchObject({
      code: 'WORKSPACE',
      message: 'expected changed files of at most 200 MB in all, got: 50000 MB',
    });
  });

  test('a patch that is too long', async () => {
    put('noise.bin', randomBytes(25_000_000));
    await expect(changes()).rejects.toMatchObject({
      code: 'WORKSPACE',
      message: expect.stringContaining('too much'),
    });
  });

  test('something that is no file', async () => {
    swap('edited.txt', () => execFileSync('mkfifo', [join(folder, 'edited.txt')]));
    await expect(changes()).rejects.toMatchObject({ code: 'WORKSPACE' });
  });
});

/** A repository that runs a program at every occasion there is. */
function plant(at: string): void {
  git(base, 'init', '-q', at);
  writeFileSync(join(at, 'file'), 'x\n');
  git(at, 'add', '.');
  git(at, 'commit', '-q', '-m', 'planted');
  const run = `touch ${marker}; cat`;
  for (const key of [
    'core.fsmonitor',
    'filter.x.clean',
    'filter.x.smudge',
    'filter.x.process',
    'diff.x.textconv',
  ])
    git(at, 'config', key, run);
  for (const key of ['diff.external', 'diff.x.command', 'core.pager', 'core.sshCommand'])
    git(at, 'config', key, run);
  const hooks = join(at, '.git', 'hooks');
  mkdirSync(hooks, { recursive: true });
  for (const name of ['post-checkout', 'post-index-change', 'reference-transaction', 'pre-commit'])
    writeFileSync(join(hooks, name), `#!/bin/sh\ntouch ${marker}\n`, { mode: 0o755 });
}

describe('of what an agent has planted nothing is run', () => {
  const attributes = '* filter=x diff=x\n';

  test.each([
    ['a file that leads to it', (at: string) => writeFileSync(join(folder, '.git'), `gitdir: ${at}/.git\n`)],
    ['a link to it', (at: string) => swap('.git', () => symlinkSync(join(at, '.git'), join(folder, '.git')))],
    [
      'the repository itself',
      (at: string) => swap('.git', () => renameSync(join(at, '.git'), join(folder, '.git'))),
    ],
    ['nothing at all', () => rmSync(join(folder, '.git'))],
  ])('instead of the .git file: %s', async (_, change) => {
    const at = join(base, 'planted');
    plant(at);
    change(at);
    put('.gitattributes', attributes);
    put('new.txt', 'new\n');
    const { patch } = await changes();
    await addWorktree({ repo, folder, branch: undefined });
    expect(existsSync(marker)).toBe(false);
    expect(patch.toString()).toContain('+new\n');
    expect(patch.toString()).not.toContain('planted');
    // It is as it was: what is started there from now on finds the real repository.
    expect(git(folder, 'rev-parse', '--git-common-dir').trim()).toBe(join(repo, '.git'));
    expect(git(folder, 'status', '--porcelain')).toContain('new.txt');
  });

  test('a repository inside the checkout is not entered, and is named', async () => {
    plant(join(folder, 'inner'));
    plant(join(folder, 'src', 'deeper'));
    put('new.txt', 'new\n');
    const { patch, leftOut } = await changes();
    await addWorktree({ repo, folder, branch: undefined });
    expect(existsSync(marker)).toBe(false);
    expect(leftOut.sort()).toEqual(['inner', 'src/deeper']);
    expect(patch.toString()).toContain('+new\n');
    expect(patch.toString()).not.toMatch(/inner|deeper/);
  });

  test('a repository that is made of a folder of the checkout hides nothing', async () => {
    put('src/inner.txt', 'changed\n');
    plant(join(folder, 'src'));
    put('new.txt', 'new\n');
    const { patch, leftOut } = await changes();
    await addWorktree({ repo, folder, branch: undefined });
    expect(existsSync(marker)).toBe(false);
    expect(leftOut).toEqual([]);
    expect(patch.toString()).toContain('+changed\n');
  });

  test('nor is one in the place of a submodule', async () => {
    const sub = join(base, 'sub');
    git(base, 'init', '-q', sub);
    writeFileSync(join(sub, 'file'), 'x\n');
    git(sub, 'add', '.');
    git(sub, 'commit', '-q', '-m', 'sub');
    git(repo, '-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', sub, 'vendored');
    git(repo, 'commit', '-q', '-m', 'submodule');
    await addWorktree({ repo, folder, branch: undefined });
    expect(readFileSync(join(folder, '.gitmodules'), 'utf8')).toContain('vendored');
    rmSync(join(folder, 'vendored'), { recursive: true });
    plant(join(folder, 'vendored'));
    put('new.txt', 'new\n');
    const { patch } = await changes();
    await addWorktree({ repo, folder, branch: undefined });
    expect(existsSync(marker)).toBe(false);
    expect(patch.toString()).toContain('+new\n');
    expect(patch.toString()).not.toContain('vendored');
  });

  test('attributes name no program of their own; the filters of a person stay in use', async () => {
    put('.gitattributes', '* filter=x diff=x\n*.up filter=upper\n');
    git(repo, 'config', 'filter.upper.clean', 'tr a-z A-Z');
    put('loud.up', 'loud\n');
    expect((await changes()).patch.toString()).toContain('+LOUD\n');
    expect(existsSync(marker)).toBe(false);
  });

  test('the planted things do run where they are obeyed', () => {
    plant(join(folder, 'inner'));
    git(join(folder, 'inner'), 'status');
    expect(existsSync(marker)).toBe(true);
  });
});
