/** An agent that may change its checkout: what it may write there, and that nothing leads out of it. */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readChanges } from '../../tools/workspaces/patch.ts';
import { addWorktree } from '../../tools/workspaces/worktree.ts';
import { temporaryFolder, testRole } from '../agents/run-agent.ts';
import { addCommand, bash, done, openDesk, type Desk } from './run-claude.ts';

function git(cwd: string, ...args: string[]): string {
  const who = ['-c', 'user.name=T', '-c', 'user.email=t@example.com'];
  return execFileSync('git', [...who, ...args], { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

interface Checkout {
  repo: string;
  folder: string;
  elsewhere: string;
  marker: string;
}

async function openCheckout(): Promise<Checkout> {
  const base = temporaryFolder();
  const [repo, folder, elsewhere] = ['repo', 'tree', 'elsewhere'].map((name) => join(base, name)) as [
    string,
    string,
    string,
  ];
  mkdirSync(repo);
  mkdirSync(elsewhere);
  git(repo, 'init', '-q');
  writeFileSync(join(repo, 'a.txt'), 'one\n');
  symlinkSync(elsewhere, join(repo, 'way-out'));
  symlinkSync(join(elsewhere, 'file'), join(repo, 'file-out'));
  git(repo, 'add', '.');
  git(repo, 'commit', '-q', '-m', 'first');
  await addWorktree({ repo, folder, branch: undefined });
  return { repo, folder, elsewhere, marker: join(base, 'was-run') };
}

const tools = ['Read', 'Write', 'Edit', 'Glob', 'Grep', 'Bash(changes:*)'];

function openEditor(): Promise<Desk> {
  return openDesk({ steps: [], tools });
}

const role = { ...testRole, tools, edits: true, isolation: 'worktree' as const };

test('it changes its checkout and writes its report; the patch has the one and not the other', async () => {
  const { repo, folder } = await openCheckout();
  await using desk = await openEditor();
  desk.api.script([
    { tool: 'Read', input: { file_path: join(folder, 'a.txt') } },
    {
      tools: [
        { tool: 'Edit', input: { file_path: join(folder, 'a.txt'), old_string: 'one', new_string: 'two' } },
        { tool: 'Write', input: { file_path: join(folder, 'deep/new.txt'), content: 'new\n' } },
        {
          tool: 'Write',
          input: { file_path: join(desk.request.outputDir ?? '', 'report.md'), content: '# R\n' },
        },
      ],
    },
    done(),
  ]);
  const { result } = await desk.run({ cwd: folder, role });
  expect(result.denials).toEqual([]);
  expect(readFileSync(join(desk.request.outputDir ?? '', 'report.md'), 'utf8')).toBe('# R\n');
  const text = (await readChanges(repo, folder)).patch.toString();
  expect(text).toContain('-one\n+two\n');
  expect(text).toContain('deep/new.txt');
  expect(text).not.toContain('# R');
});

test('nothing in it leads out: links, the repository’s own files, other folders', async () => {
  const { repo, folder, elsewhere } = await openCheckout();
  writeFileSync(join(elsewhere, 'secret'), 'hunter2');
  await using desk = await openEditor();
  const writes = [
    join(folder, 'way-out/new.txt'),
    join(folder, 'file-out'),
    join(folder, '../elsewhere/new.txt'),
    join(elsewhere, 'new.txt'),
    join(folder, '.git'),
    join(folder, '.git/config'),
    join(folder, 'inner/.git/config'),
    join(folder, '.env'),
    join(repo, 'a.txt'),
    join(repo, '.git/config'),
  ];
  desk.api.script([
    { tools: writes.map((path) => ({ tool: 'Write', input: { file_path: path, content: 'planted' } })) },
    { tools: [{ tool: 'Read', input: { file_path: join(folder, 'way-out/secret') } }] },
    done(),
  ]);
  const before = [git(repo, 'status', '--porcelain'), readFileSync(join(repo, '.git/config'), 'utf8')];
  await desk.run({ cwd: folder, role });
  expect([git(repo, 'status', '--porcelain'), readFileSync(join(repo, '.git/config'), 'utf8')]).toEqual(
    before,
  );
  expect(desk.api.transcript()).not.toContain('hunter2');
  for (const path of ['new.txt', 'file']) expect(existsSync(join(elsewhere, path))).toBe(false);
  for (const path of ['inner', '.env']) expect(existsSync(join(folder, path))).toBe(false);
  expect(lstatSync(join(folder, '.git')).isFile()).toBe(true);
  expect(readFileSync(join(folder, '.git'), 'utf8')).toContain(join(repo, '.git', 'worktrees'));
});

test('nor does a redirection, or a link that is written through', async () => {
  const { folder, elsewhere } = await openCheckout();
  await using desk = await openEditor();
  addCommand(desk.commandsDir, 'changes', 'echo planted');
  const before = readFileSync(join(folder, '.git'), 'utf8');
  desk.api.script([
    bash(
      'changes > way-out/new.txt',
      'changes > file-out',
      'changes > .git',
      'changes >> .git',
      'changes | tee .git',
    ),
    bash(`changes > ${elsewhere}/new.txt`, 'changes > ../elsewhere/new.txt', 'changes > .env'),
    done(),
  ]);
  await desk.run({ cwd: folder, role });
  expect(readdirSync(elsewhere)).toEqual([]);
  expect(readFileSync(join(folder, '.git'), 'utf8')).toBe(before);
  expect(existsSync(join(folder, '.env'))).toBe(false);
});

/** Git takes such a folder for a repository, without any `.git`. */
function bareRepository(folder: string, marker: string): Record<string, string> {
  const config = `[core]\n\tbare = false\n\tworktree = ${folder}\n\tfsmonitor = touch ${marker}; false\n`;
  return { HEAD: 'ref: refs/heads/main\n', config, 'objects/x': '', 'refs/x': '' };
}

test.each([
  'git status',
  'cd inner && git status',
  'git -C inner status',
  'git diff --output=stolen',
  'git -c core.fsmonitor="touch stolen" status',
  'npm test',
  'changes; touch stolen',
  'changes && git -C inner diff',
])('what it wrote is not run, whatever it calls: %s', async (command) => {
  const { folder, marker } = await openCheckout();
  await using desk = await openEditor();
  addCommand(desk.commandsDir, 'changes', 'echo changes');
  const files = Object.entries(bareRepository(join(folder, 'inner'), marker));
  const script = JSON.stringify({ scripts: { test: `touch ${marker}` } });
  desk.api.script([
    {
      tools: [...files.map(([name, content]) => [`inner/${name}`, content]), ['package.json', script]].map(
        ([name = '', content]) => ({ tool: 'Write', input: { file_path: join(folder, name), content } }),
      ),
    },
    bash(command),
    done(),
  ]);
  await desk.run({ cwd: folder, role });
  expect(existsSync(join(folder, 'package.json'))).toBe(true);
  for (const file of [marker, join(folder, 'stolen'), join(folder, 'inner', 'stolen')])
    expect(existsSync(file)).toBe(false);
});
