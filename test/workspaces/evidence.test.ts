import { createHash } from 'node:crypto';
import {
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkEvidence, type Evidence, type EvidenceRequest } from '../../tools/workspaces/evidence.ts';

let base: string;
let root: string;
let output: string;
const startedAt = Date.now();

beforeEach(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), 'evidence-')));
  root = join(base, 'workspace');
  output = join(root, 'writer');
  mkdirSync(output, { recursive: true });
});
afterEach(() => rmSync(base, { recursive: true }));

function check(declared: string[], patch: Partial<EvidenceRequest> = {}): Promise<Evidence> {
  return checkEvidence({
    declared,
    cwd: output,
    outputDir: output,
    workspaceRoot: root,
    startedAt,
    mayBeEmpty: false,
    ...patch,
  });
}

test('a file that is there is an artifact, with its size and the hash of its bytes', async () => {
  writeFileSync(join(output, 'a.md'), 'Hällo');
  expect(await check(['a.md'])).toEqual({
    problems: [],
    artifacts: [{ path: 'writer/a.md', size: 6, sha256: createHash('sha256').update('Hällo').digest('hex') }],
  });
});

test('names may be absolute, relative to the agent’s folder or to the project; twice is once', async () => {
  writeFileSync(join(output, 'a.md'), 'x');
  const { artifacts, problems } = await check([
    'a.md',
    ' a.md ',
    './a.md',
    join(output, 'a.md'),
    'workspace/writer/a.md',
    '',
  ]);
  expect(problems).toEqual([]);
  expect(artifacts.map(({ path }) => path)).toEqual(['writer/a.md']);
});

test('a folder below the output counts, and names that look like ways out do not confuse', async () => {
  mkdirSync(join(output, '..sub'));
  writeFileSync(join(output, '..sub', '-rf'), 'x');
  expect((await check(['..sub/-rf'])).artifacts.map(({ path }) => path)).toEqual(['writer/..sub/-rf']);
});

const broken: [string, (name: string) => void, string][] = [
  ['missing', () => undefined, 'does not exist'],
  ['empty', (path) => writeFileSync(path, ''), 'is empty'],
  ['a directory', (path) => mkdirSync(path), 'is not a file'],
  ['a link to nothing', (path) => symlinkSync(join(base, 'nothing'), path), 'is a link to nothing'],
  ['a link in a circle', (path) => symlinkSync(path, path), 'is a link to nothing'],
  [
    'a link out of the folder',
    (path) => {
      writeFileSync(join(base, 'secret'), 'x');
      symlinkSync(join(base, 'secret'), path);
    },
    'lies outside the output folder',
  ],
  [
    'older than the attempt',
    (path) => {
      writeFileSync(path, 'x');
      utimesSync(path, startedAt / 1000 - 10, startedAt / 1000 - 10);
    },
    'was not written in this attempt',
  ],
];
test.each(broken)('a file that is %s is no evidence', async (_, make, problem) => {
  make(join(output, 'a.md'));
  expect(await check(['a.md'])).toEqual({ artifacts: [], problems: [`"a.md" ${problem}`] });
});

test.each([
  ['above', '../a.md'],
  ['beside, with the same beginning', '../writer-2/a.md'],
  ['anywhere', '/etc/hostname'],
])('a file %s is outside', async (_, path) => {
  mkdirSync(join(root, 'writer-2'));
  for (const folder of [root, join(root, 'writer-2')]) writeFileSync(join(folder, 'a.md'), 'x');
  const { artifacts, problems } = await check([path]);
  expect(artifacts).toEqual([]);
  expect(problems).toEqual([`${JSON.stringify(path)} lies outside the output folder`]);
});

test('a folder that is a link out makes everything in it outside', async () => {
  mkdirSync(join(base, 'elsewhere'));
  writeFileSync(join(base, 'elsewhere', 'a.md'), 'x');
  symlinkSync(join(base, 'elsewhere'), join(output, 'sub'));
  expect((await check(['sub/a.md'])).problems).toEqual(['"sub/a.md" lies outside the output folder']);
});

test('names that no file can have are missing, and are shown harmlessly', async () => {
  const { problems } = await check(['a\0b', `\u001B[31m${'x'.repeat(5000)}`, 'c\nd']);
  expect(problems).toHaveLength(3);
  for (const problem of problems) {
    expect(problem).toContain('does not exist');
    expect(problem.length).toBeLessThan(300);
    expect(problem.includes('\u001B') || problem.includes('\n')).toBe(false);
  }
});

test('a role that delivers files must deliver one, unless this turn may change nothing', async () => {
  expect((await check([])).problems).toEqual(['no file was declared, although this role delivers files']);
  expect(await check([], { mayBeEmpty: true })).toEqual({ artifacts: [], problems: [] });
  expect((await check(['missing'], { mayBeEmpty: true })).problems).toHaveLength(1);
});

test('a role without an output folder has no files to show', async () => {
  expect(await check(['/etc/hostname'], { outputDir: undefined })).toEqual({ artifacts: [], problems: [] });
});

test('one bad file does not hide the good ones, and more than a hundred are too many', async () => {
  const names = Array.from({ length: 101 }, (_, index) => `${index}.md`);
  for (const name of names.slice(1)) writeFileSync(join(output, name), 'x');
  const { artifacts, problems } = await check(names);
  expect(artifacts).toHaveLength(99);
  expect(problems).toEqual(['"0.md" does not exist', 'expected at most 100 files, got: 101']);
});

test('a file of any claimed size is checked in a bounded time', async () => {
  writeFileSync(join(output, 'sparse'), 'x');
  truncateSync(join(output, 'sparse'), 2 ** 43);
  expect((await check(['sparse'])).problems).toEqual([expect.stringContaining('"sparse" is larger than')]);
});
