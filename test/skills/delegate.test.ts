/** `agentq` and `changes` as agents get them: through the worker's shims, confined to the task's own folders. */
import { execa } from 'execa';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import { refuseForeignFiles, withOwnKey } from '../../.claude/skills/delegate/cli/own-arguments.ts';
import { loadSkill } from '../../tools/roles/load-skill.ts';
import type { Role } from '../../tools/roles/role.ts';
import { openWorkspace, prepare, type Places } from '../../tools/workspaces/workspace.ts';
import { exampleRole } from '../worker/examples.ts';
import { root } from './run-airtable.ts';

let base: string;
beforeEach(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), 'delegate-')));
});
afterEach(() => rmSync(base, { recursive: true }));

async function placesOf(patch: Partial<Role>, skill: string, taskId = 'task-1'): Promise<Places> {
  const skills = [loadSkill(skill, root, { file: 'test', line: 1 })];
  const workspace = openWorkspace(join(base, 'workspace'), join(base, 'data'));
  const output = join(base, 'workspace', 'out');
  const role = exampleRole({ skills, output, ...patch });
  return prepare(workspace, { taskId, attemptId: 'attempt-1', role, branch: undefined });
}

const run = (places: Places, name: string, args: string[]) =>
  execa(join(places.commandsDir ?? '', name), args, { cwd: places.cwd, reject: false, stdin: 'ignore' });

const check = (...args: string[]): void =>
  refuseForeignFiles(args, { cwd: join(base, 'own'), folder: join(base, 'own') });

describe('files that are not the task’s own', () => {
  beforeEach(() => {
    mkdirSync(join(base, 'own'));
    writeFileSync(join(base, 'secret'), 'x');
    writeFileSync(join(base, 'own', 'context.md'), 'x');
    symlinkSync(join(base, 'secret'), join(base, 'own', 'link.md'));
    symlinkSync(base, join(base, 'own', 'out'));
  });

  test.each([
    ['submit', 'x', '--file', 'context.md'],
    ['submit', '--file=context.md', 'x'],
    ['artifacts', 'id', '--save', 'parts/one'],
    ['result', 'id', '--wait', '10m'],
    ['submit', 'once upon a time', '--to', 'once'],
  ])('%j may pass', (...args) => expect(() => check(...args)).not.toThrow());

  test.each([
    ['submit', 'x', '--file', '../secret'],
    ['submit', 'x', '--file=/etc/passwd'],
    ['submit', 'x', '--file', 'link.md'],
    ['artifacts', 'id', '--save', '..'],
    ['artifacts', 'id', '--save=/tmp/x'],
    ['artifacts', 'id', '--save', 'out/new'],
    ['submit', '--file', 'context.md', '--file', '../secret'],
  ])('%j is refused', (...args) =>
    expect(() => check(...args)).toThrow(/^expected --(file|save) to name something in /),
  );

  test.each([
    ['once', 'key', '--', 'sh', '-c', 'id'],
    ['--', 'once', 'key', '--', 'sh'],
  ])('%j starts nothing', (...args) => expect(() => check(...args)).toThrow('agentq once is for people'));
});

it('a key is one of the task, so that the same word in another task is another key', () => {
  expect(withOwnKey(['submit', 'key', '--key', 'a', '-q'], 't')).toEqual([
    'submit',
    'key',
    '--key',
    't:a',
    '-q',
  ]);
  expect(withOwnKey(['submit', '--key=a'], 't')).toEqual(['submit', '--key=t:a']);
});

it('agentq is the product’s own, in the name of the task, whatever the environment says', async () => {
  const places = await placesOf({ isolation: 'folder' }, 'delegate');
  const refused = await run(places, 'agentq', ['answer', 'task-1', 'approve']);
  expect(refused).toMatchObject({ exitCode: 2, stdout: '' });
  expect(refused.stderr).toContain('agentq answer is for people; an agent cannot use it');
  const outside = await run(places, 'agentq', [
    'submit',
    'x',
    '--to',
    'y',
    '--file',
    '/etc/passwd',
    '--json',
  ]);
  expect(outside).toMatchObject({ exitCode: 2, stdout: '' });
  expect(JSON.parse(outside.stderr)).toMatchObject({ error: { code: 'BAD_USAGE' } });
  const missing = await run(places, 'agentq', ['status', 'task-nowhere']);
  expect(missing.exitCode).toBe(3);
});

it('changes prints what the patch will have', async () => {
  const repo = join(base, 'repo');
  mkdirSync(repo);
  const git = (...args: string[]) =>
    execa('git', ['-c', 'user.name=T', '-c', 'user.email=t@example.com', ...args], { cwd: repo });
  await git('init', '-q');
  await git('commit', '-q', '--allow-empty', '-m', 'first');
  const places = await placesOf({ isolation: 'worktree', repo, edits: true }, 'implementation');
  expect((await run(places, 'changes', [])).stdout).toBe('nothing is changed');
  writeFileSync(join(places.cwd, 'new.txt'), 'new\n');
  // What stands in the checkout does not lead it elsewhere.
  writeFileSync(join(places.cwd, '.git'), 'gitdir: /nowhere\n');
  const { stdout, stderr } = await run(places, 'changes', []);
  expect(stderr).toBe('');
  expect(stdout).toContain('+new');
  expect(readFileSync(join(places.cwd, '.git'), 'utf8')).toContain(join(repo, '.git', 'worktrees'));
});
