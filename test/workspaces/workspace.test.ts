import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  cleanAttempt,
  contextFileOf,
  isInside,
  openWorkspace,
  plannedPlaces,
  prepare,
  safeName,
  type PlaceRequest,
  type Workspace,
} from '../../tools/workspaces/workspace.ts';
import type { Role } from '../../tools/roles/role.ts';
import { exampleRole } from '../worker/examples.ts';

let base: string;
let workspace: Workspace;
beforeEach(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), 'workspace-')));
  workspace = openWorkspace(join(base, 'workspace'), join(base, 'data'));
});
afterEach(() => rmSync(base, { recursive: true }));

const hostileIds = [
  '',
  '.',
  '..',
  '../../etc/passwd',
  '/etc/passwd',
  '-rf',
  '--upload-pack=touch x',
  'a\0b',
  'a\nb',
  'CON',
  'x'.repeat(5000),
  'todoist:6X7r/../..',
  '\u{1F984}',
  '$(id)`id`;id',
  'Ä',
];

describe('a safe name', () => {
  test.each(hostileIds)('of %j is one plain component', (id) => {
    const name = safeName(id);
    expect(name).toMatch(/^[A-Za-z0-9_][A-Za-z0-9_-]{0,99}$/);
    expect(basename(join('/x', name))).toBe(name);
  });

  test('keeps different ids apart, and the same id the same', () => {
    const ids = [
      ...hostileIds,
      'a',
      'a-',
      '-a',
      'a b',
      'a/b',
      'a:b',
      `a-${'x'.repeat(5000)}`,
      `a-${'x'.repeat(5001)}`,
    ];
    expect(new Set(ids.map(safeName)).size).toBe(ids.length);
    expect(ids.map(safeName)).toEqual(ids.map(safeName));
    expect(safeName('task-1f3c_A')).toBe('task-1f3c_A');
  });
});

test.each([
  ['/a', '/a', true],
  ['/a', '/a/b', true],
  ['/a', '/a/..b', true],
  ['/a', '/ab', false],
  ['/a', '/', false],
  ['/a', '/a/../b', false],
  ['/a/b', '/a', false],
])('inside %s: %s is %s', (parent, path, inside) => expect(isInside(parent, path)).toBe(inside));

const output = (): string => join(workspace.root, 'writer');
const request = (patch: Partial<Role> = {}, taskId = 'todoist:n1'): PlaceRequest => ({
  taskId,
  attemptId: 'attempt-1',
  role: exampleRole(patch),
  branch: undefined,
});

describe('the places of an attempt', () => {
  test('are made before it starts, its own ones private', async () => {
    const places = await prepare(workspace, request({ output: output() }));
    expect(places).toMatchObject({
      cwd: output(),
      outputDir: output(),
      commandsDir: undefined,
      diff: undefined,
    });
    for (const folder of [places.cwd, places.attemptDir]) expect(statSync(folder).isDirectory()).toBe(true);
    expect(statSync(places.attemptDir).mode & 0o777).toBe(0o700);
    expect(places.contextFile).toBe(contextFileOf(workspace, 'todoist:n1'));
  });

  test('of a role that writes no files is a scratch folder, outside the workspace', async () => {
    const places = await prepare(workspace, request());
    expect(places.outputDir).toBeUndefined();
    expect(isInside(join(workspace.dataDir, 'scratch'), places.cwd)).toBe(true);
    expect(existsSync(places.cwd)).toBe(true);
  });

  test('isolated by folder are one a task', async () => {
    const role = { output: output(), isolation: 'folder' } as const;
    const one = await prepare(workspace, request(role, 'todoist:n1'));
    const two = await prepare(workspace, request(role, 'todoist:n2'));
    expect(one.outputDir).not.toBe(two.outputDir);
    for (const each of [one, two]) expect(isInside(output(), each.cwd) && each.cwd !== output()).toBe(true);
  });

  test.each(hostileIds)('of a task called %j stay where they belong', async (taskId) => {
    const role = { output: output(), isolation: 'folder' } as const;
    const places = await prepare(workspace, { ...request(role, taskId), attemptId: taskId });
    expect(isInside(output(), places.cwd) && places.cwd !== output()).toBe(true);
    expect(isInside(join(workspace.root, 'tasks'), places.contextFile)).toBe(true);
    expect(isInside(join(workspace.dataDir, 'attempts'), places.attemptDir)).toBe(true);
    expect(places.attemptDir).not.toBe(join(workspace.dataDir, 'attempts'));
  });

  test('that would lie outside the workspace, over a link, are refused', async () => {
    const elsewhere = join(base, 'elsewhere');
    mkdirSync(elsewhere);
    symlinkSync(elsewhere, output());
    await expect(prepare(workspace, request({ output: output() }))).rejects.toMatchObject({
      code: 'WORKSPACE',
    });
    const folder = { output: output(), isolation: 'folder' } as const;
    await expect(prepare(workspace, request(folder))).rejects.toMatchObject({ code: 'WORKSPACE' });
  });

  test('that cannot be made are one plain error', async () => {
    writeFileSync(output(), 'a file');
    await expect(prepare(workspace, request({ output: output() }))).rejects.toMatchObject({
      code: 'WORKSPACE',
      hints: [expect.stringContaining('AGENT_WORKSPACE')],
    });
    expect(() => openWorkspace(join(output(), 'below'), workspace.dataDir)).toThrow('cannot be written');
  });

  test('planned are the same as made, and nothing is made', async () => {
    for (const patch of [{}, { output: output() }, { output: output(), isolation: 'folder' } as const]) {
      const planned = plannedPlaces(workspace, request(patch, 'planned'));
      expect(existsSync(planned.attemptDir)).toBe(false);
      const made = await prepare(workspace, request(patch, 'planned'));
      expect(made).toEqual(planned);
      rmSync(made.attemptDir, { recursive: true });
    }
  });

  test('hold the skills’ scripts as commands, whatever their path; afterwards they are gone', async () => {
    const script = join(base, "it's a $(touch x) script.ts");
    writeFileSync(script, 'console.log(JSON.stringify(process.argv.slice(2)), process.env.AGENT_TASK_ID);');
    const skills = [{ name: 's', description: '', folder: base, commands: [{ name: 'say', script }] }];
    const places = await prepare(workspace, request({ skills }, "task $(id) 'x'"));
    const said = execFileSync(join(places.commandsDir!, 'say'), ['a b', '$x', '*'], {
      cwd: base,
      encoding: 'utf8',
    });
    expect(said).toBe(`["a b","$x","*"] task $(id) 'x'\n`);
    expect(existsSync(join(base, 'x'))).toBe(false);
    cleanAttempt(places);
    expect(existsSync(places.commandsDir!)).toBe(false);
    expect(existsSync(places.attemptDir)).toBe(true);
  });
});
