import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FakeAirtable, FakeAirtableOptions } from '../fakes/airtable-server.ts';
import { startFakeAirtable } from '../fakes/airtable-server.ts';
import type { Run } from './run-airtable.ts';
import { hurried, run } from './run-airtable.ts';

let server: FakeAirtable;
let cwd: string;
const runs: Run[] = [];

beforeEach(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'airtable-'));
  await restart();
});

afterEach(async () => {
  await server.close();
  rmSync(cwd, { recursive: true });
  const leaks = runs.splice(0).filter(({ stdout, stderr }) => (stdout + stderr).includes(server.token));
  if (leaks.length > 0) throw new Error('the key was printed');
});

async function restart(options: FakeAirtableOptions = {}): Promise<void> {
  if (server as FakeAirtable | undefined) await server.close();
  server = await startFakeAirtable(options);
}

async function airtable(
  args: string[],
  options: { program?: string; env?: Record<string, string> } = {},
): Promise<Run> {
  const env = {
    AIRTABLE_API_KEY: server.token,
    AIRTABLE_BASE_ID: server.bases[0]?.id ?? '',
    AIRTABLE_ENDPOINT_URL: server.url,
    ...options.env,
  };
  const result = await run(args, { cwd, env, ...(options.program ? { program: options.program } : {}) });
  runs.push(result);
  return result;
}

const upsertArgs = ['record', 'upsert', '--table', 'Content', '--key', 'Task ID'];
const upsert = (...args: string[]) => [...upsertArgs, '--field', 'Task ID=todoist:1', ...args];
const create = (...args: string[]) => ['record', 'create', '--table', 'Content', ...args];

describe('upsert', () => {
  it('run twice leaves one record with the later values', async () => {
    writeFileSync(join(cwd, 'draft.md'), '# First\n\nLine "two"\n');
    const first = await airtable(upsert('--field', 'Title=Queues', '--field-file', 'Body=draft.md'));
    expect(first).toMatchObject({ code: 0, result: { created: ['rec00000000000001'], updated: [] } });
    const second = await airtable(upsert('--field', 'Title=Queues win', '--field', 'Status=Draft'));
    expect(second).toMatchObject({ code: 0, result: { created: [], updated: ['rec00000000000001'] } });
    expect(server.records('Content').map(({ fields }) => fields)).toEqual([
      { 'Task ID': 'todoist:1', Title: 'Queues win', Body: '# First\n\nLine "two"', Status: 'Draft' },
    ]);
  });

  it.each([
    { kind: 'truncated', commit: true },
    { kind: 'stalled-body', commit: true },
    { kind: 'text', status: 200, text: '<html>', commit: true },
    { kind: 'text', status: 503, text: '<html>', commit: true },
    { kind: 'reset' },
    { kind: 'silent' },
  ] as const)('leaves one record when the answer is lost: $kind', async (fault) => {
    server.fail(fault);
    const { code } = await airtable(upsert('--field', 'Title=Queues'), { program: hurried });
    expect(code).toBe(0);
    expect(server.calls).toHaveLength(2);
    expect(server.records('Content')).toHaveLength(1);
  });

  it('looks the record up where Airtable cannot merge, and never makes a second one', async () => {
    await restart({ upsert: 'rejected', perSecond: 100 });
    const program = hurried;
    const made = await airtable(upsert('--field', 'Title=One'), { program });
    expect(made).toMatchObject({ code: 0, result: { created: ['rec00000000000001'] } });
    const changed = await airtable(upsert('--field', 'Title=Two'), { program });
    expect(changed).toMatchObject({ code: 0, result: { created: [], updated: ['rec00000000000001'] } });
    expect(server.records('Content')).toMatchObject([{ fields: { Title: 'Two' } }]);
  });

  it('refuses to guess when two records have the key', async () => {
    for (let n = 0; n < 2; n++) await airtable(create('--field', 'Task ID=todoist:1'));
    const { code, error } = await airtable(upsert('--field', 'Title=Queues'));
    expect(code).toBe(1);
    expect(error).toMatchObject({
      code: 'DUPLICATE_KEY',
      message:
        'expected one record with Task ID = "todoist:1" in "Content", got: rec00000000000001, rec00000000000002',
    });
  });

  it.each([
    [['--field', 'Title=No key'], 'expected every record to have a value for the key "Task ID", got: null'],
    [['--json', '[{"Task ID":"a"},{"Task ID":"a"}]'], 'expected every record to have a key of its own'],
    [['--json', '{"Task ID":"a"}', '--key', 'Task ID'], 'expected one to three different --key, got: 2'],
    [['--field', 'Title'], 'expected --field to be "Name=value", got: "Title"'],
    [['--field', 'Title=a', '--field', 'Title=b'], 'expected each field once, got: "Title" twice'],
    [['--json', '{'], 'expected --json to be JSON'],
  ])('sends nothing for %j', async (args, message) => {
    const { code, error } = await airtable([...upsertArgs, ...args]);
    expect([code, error?.code, server.calls.length]).toEqual([2, 'BAD_USAGE', 0]);
    expect(error?.message).toContain(message);
  });
});

describe('limits of Airtable', () => {
  it('writes 23 records in batches of ten, slowly enough', async () => {
    const records = Array.from({ length: 23 }, (_, n) => ({ 'Task ID': `t${n}`, Score: n }));
    writeFileSync(join(cwd, 'records.json'), JSON.stringify(records));
    const { code, result } = await airtable([...upsertArgs, '--json-file', 'records.json']);
    expect(code).toBe(0);
    expect(result).toMatchObject({ created: { length: 23 } });
    expect(server.calls.map(({ body }) => body)).toMatchObject([
      { records: { length: 10 } },
      { records: { length: 10 } },
      { records: { length: 3 } },
    ]);
    // 420 ms lie between the sendings; a first one that was slow to arrive may hide a part of that, never most of it.
    expect((server.calls[2]?.at ?? 0) - (server.calls[0]?.at ?? 0)).toBeGreaterThanOrEqual(200);
  });

  it('waits as long as a 429 says, then goes on', async () => {
    server.fail({ kind: 'status', status: 429, retryAfter: '1' });
    const { code } = await airtable(upsert('--field', 'Title=Queues'));
    expect(code).toBe(0);
    expect((server.calls[1]?.at ?? 0) - (server.calls[0]?.at ?? 0)).toBeGreaterThanOrEqual(990);
  });

  it('gives up on endless 429 after a few attempts', async () => {
    server.fail({ kind: 'status', status: 429, retryAfter: '0' }, 100);
    const { code, error } = await airtable(create('--field', 'Title=Queues'));
    expect([code, error?.code, server.calls.length]).toEqual([1, 'RATE_LIMITED', 4]);
    expect(error?.message).toMatch(/gave up after 4 attempts$/);
  });

  it('does not begin a wait that would outlast the command', async () => {
    server.fail({ kind: 'status', status: 429, retryAfter: '3600' }, 100);
    const { code, error, tookMs } = await airtable(['record', 'list', '--table', 'Content']);
    expect([code, error?.code, server.calls.length]).toEqual([1, 'RATE_LIMITED', 1]);
    expect(tookMs).toBeLessThan(10_000);
  });

  it('does not retry when the month is used up', async () => {
    server.fail({ kind: 'status', status: 429, type: 'PUBLIC_API_BILLING_LIMIT_EXCEEDED' }, 100);
    const { error } = await airtable(['record', 'list', '--table', 'Content']);
    expect([error?.code, server.calls.length]).toEqual(['QUOTA_USED_UP', 1]);
  });

  it('reads on from page to page, up to the number asked for', async () => {
    for (let n = 0; n < 250; n++)
      server.records('Content').push({ id: `rec${n}`, createdTime: '', fields: { Score: n } });
    const all = await airtable(['record', 'list', '--table', 'Content', '--max', '1000']);
    expect(all.result).toMatchObject({ records: { length: 250 }, more: false });
    const some = await airtable(['record', 'list', '--table', 'Content', '--max', '120']);
    expect(some.result).toMatchObject({ records: { length: 120 }, more: true });
  });
});

describe('answers that cannot be read', () => {
  it('says so, after a few attempts', async () => {
    server.fail({ kind: 'text', status: 200, text: '<html>busy</html>' }, 100);
    const { code, error } = await airtable(['record', 'list', '--table', 'Content'], { program: hurried });
    expect([code, error?.code, server.calls.length]).toEqual([1, 'UNAVAILABLE', 3]);
    expect(error?.message).toContain('something that is not JSON');
  });

  it('ends when bodies never end', async () => {
    server.fail({ kind: 'stalled-body' }, 100);
    const { error, tookMs } = await airtable(['record', 'list', '--table', 'Content'], { program: hurried });
    expect(error?.code).toBe('UNAVAILABLE');
    expect(tookMs).toBeLessThan(8_000);
  });

  it('never repeats a create whose effect is unknown', async () => {
    server.fail({ kind: 'truncated', commit: true });
    const { code, error } = await airtable(create('--field', 'Title=Queues'), { program: hurried });
    expect([code, error?.code, server.calls.length]).toEqual([1, 'UNKNOWN_EFFECT', 1]);
    expect(server.records('Content')).toHaveLength(1);
  });

  it('names what was written before a later batch failed', async () => {
    const records = Array.from({ length: 12 }, (_, n) => (n < 11 ? { Title: 't' } : { Titel: 't' }));
    const { error } = await airtable(create('--json', JSON.stringify(records)));
    expect(error).toMatchObject({ code: 'UNKNOWN_FIELD', written: { length: 10 } });
  });
});

describe('mistakes are told with their mending', () => {
  it('a missing field of the content table', async () => {
    const { code, error } = await airtable(upsert('--field', 'Titel=Queues'));
    expect([code, error?.code]).toEqual([1, 'UNKNOWN_FIELD']);
    expect(error?.message).toContain('"Titel"');
    for (const name of ['Task ID', 'Title', 'Body', 'Status', 'Platform'])
      expect(error?.hints[0]).toContain(name);
  });

  it('a missing table', async () => {
    const { error } = await airtable(['record', 'list', '--table', 'Contents']);
    expect(error).toMatchObject({
      code: 'NO_PERMISSION',
      hints: [expect.stringContaining('table list'), expect.anything()],
    });
  });

  it('an unknown select option, and how to add it', async () => {
    const refused = await airtable(upsert('--field', 'Status=Ready'));
    expect(refused.error).toMatchObject({
      code: 'BAD_VALUE',
      hints: [expect.stringContaining('--typecast'), expect.anything(), expect.anything()],
    });
    expect(await airtable(upsert('--field', 'Status=Ready', '--typecast'))).toMatchObject({ code: 0 });
  });

  it('a wrong key, without repeating it', async () => {
    const { code, error, stderr } = await airtable(['base', 'list'], {
      env: { AIRTABLE_API_KEY: 'patWrong.1' },
    });
    expect([code, error?.code, server.calls.length]).toEqual([1, 'BAD_CREDENTIALS', 1]);
    expect(stderr).not.toContain('patWrong');
  });

  it('no key at all', async () => {
    const env = { AIRTABLE_API_KEY: '' };
    const { code, error } = await airtable(['table', 'list'], { env });
    expect([code, error?.code]).toEqual([1, 'NO_CREDENTIALS']);
  });

  it('arguments it does not know', async () => {
    for (const args of [[], ['record'], ['record', 'drop'], ['table', 'list', '--endpoint', 'http://x']])
      expect(await airtable(args)).toMatchObject({ code: 2, stdout: '', error: { code: 'BAD_USAGE' } });
  });
});

describe('reading', () => {
  it('lists bases and tables', async () => {
    expect((await airtable(['base', 'list'])).result).toEqual({
      bases: [{ id: 'appFake0000000001', name: 'Editorial', permissionLevel: 'create' }],
    });
    const { result } = await airtable(['table', 'list']);
    expect(result).toMatchObject({ tables: [{ name: 'Content', fields: { length: 6 } }] });
  });

  it('finds, gets and updates one record, whatever its value is made of', async () => {
    const value = 'a "quoted" \\ back, AND( } x = "y';
    await airtable(create('--json', JSON.stringify([{ Title: value }, { Title: 'other' }])));
    const { result } = await airtable(['record', 'find', '--table', 'Content', '--where', `Title=${value}`]);
    expect(result).toMatchObject({ records: [{ id: 'rec00000000000001' }], more: false });
    const id = 'rec00000000000001';
    await airtable(['record', 'update', id, '--table', 'Content', '--json', '{"Score": 7}']);
    const got = await airtable(['record', 'get', id, '--table', 'Content']);
    expect(got.result).toMatchObject({ id, fields: { Title: value, Score: 7 } });
  });

  it('shows with --dry-run what it would write, without a key', async () => {
    const { code, result } = await airtable(upsert('--dry-run'), { env: { AIRTABLE_API_KEY: '' } });
    expect([code, result]).toEqual([
      0,
      { dryRun: true, key: ['Task ID'], upsert: [{ 'Task ID': 'todoist:1' }] },
    ]);
    expect(server.calls).toEqual([]);
  });
});

describe('hostile arguments', () => {
  it.each([
    ['a path upwards', '../secret.txt'],
    ['an absolute path', '/etc/hostname'],
    ['a hidden file', '.env'],
    ['a hidden folder', '.git/config'],
    ['a link to a file outside', 'link.md'],
    ['a file behind a link to a folder', 'folder-link/secret.txt'],
    ['a folder', 'folder'],
    ['a file that is not there', 'nothing.md'],
    ['bytes that are no text', 'bytes.md'],
    ['a file too large for a field', 'large.md'],
    ['the folder itself', '.'],
  ])('refuses %s', async (_, path) => {
    const outside = mkdtempSync(join(tmpdir(), 'outside-'));
    writeFileSync(join(outside, 'secret.txt'), 'top secret');
    writeFileSync(join(cwd, '.env'), 'AIRTABLE_API_KEY=top secret');
    for (const folder of ['.git', 'folder']) mkdirSync(join(cwd, folder));
    writeFileSync(join(cwd, '.git', 'config'), 'top secret');
    symlinkSync(join(outside, 'secret.txt'), join(cwd, 'link.md'));
    symlinkSync(outside, join(cwd, 'folder-link'));
    writeFileSync(join(cwd, 'bytes.md'), Buffer.from([0xff, 0xfe, 0x00]));
    writeFileSync(join(cwd, 'large.md'), 'x'.repeat(100_001));
    const options = [upsert('--field-file', `Body=${path}`), [...upsertArgs, '--json-file', path]];
    for (const args of options) {
      const { code, error, stderr } = await airtable(args);
      expect([code, error?.code, server.calls.length]).toEqual([1, 'FILE_REFUSED', 0]);
      expect(stderr).not.toContain('top secret');
    }
    rmSync(outside, { recursive: true });
  });

  it('leaves the head of a draft out when asked, and only the head', async () => {
    writeFileSync(join(cwd, 'draft.md'), '---\ntitle: a\n---\n\nFirst line\n\n---\n\nLast line\n');
    await airtable(upsert('--field-file', 'Body=draft.md', '--without-head'));
    expect(server.records('Content')).toMatchObject([{ fields: { Body: 'First line\n\n---\n\nLast line' } }]);
  });

  it('reads a draft in a folder below', async () => {
    mkdirSync(join(cwd, 'folder'));
    writeFileSync(join(cwd, 'folder', 'draft.md'), 'Hello');
    expect(await airtable(upsert('--field-file', 'Body=folder/draft.md'))).toMatchObject({ code: 0 });
  });

  it.each(['..', '.', '', 'a\nb'])('refuses the table %j, which could leave the base', async (table) => {
    const { code } = await airtable(['record', 'list', '--table', table]);
    expect([code, server.calls.length]).toEqual([2, 0]);
  });

  it('keeps names with slashes inside the base', async () => {
    await airtable(['record', 'list', '--table', '../meta/bases']);
    expect(server.calls.map(({ path }) => path)).toEqual(['/v0/appFake0000000001/..%2Fmeta%2Fbases']);
  });

  it.each(['../x', 'rec1/../..', 'recX?y=1'])('refuses the record id %j', async (id) => {
    const { code } = await airtable(['record', 'get', id, '--table', 'Content']);
    expect([code, server.calls.length]).toEqual([2, 0]);
  });

  it('takes the key out of what Airtable sends back', async () => {
    await airtable(create('--field', `Title=${server.token}`));
    const { stdout } = await airtable(['record', 'list', '--table', 'Content']);
    expect(stdout).toContain('[redacted]');
  });

  it('has no word about keys, addresses or files of settings in its help', async () => {
    const { code, stdout } = await airtable(['record', 'upsert', '--help']);
    expect([code, /endpoint|token|--base|env/i.test(stdout)]).toEqual([0, false]);
  });
});

it('is started from a file that only starts it', () => {
  const script = readFileSync(
    join(import.meta.dirname, '../../.claude/skills/airtable/scripts/airtable.ts'),
    'utf8',
  );
  expect(script.split('\n').length).toBeLessThan(30);
});
