/** Delegating from a shell: the session of a coordinator and its workers, and what `agentq` says of what they left. */
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openOffice, type Office } from '../worker/harness.ts';
import { runSession, sessionRoles } from './delegation-session.ts';

async function shellOffice(): Promise<Office> {
  const office = await openOffice({ roles: sessionRoles });
  write(office, 'result.md', '# Result\nAll is well.\n');
  return office;
}

function write(office: Office, name: string, text: string): void {
  writeFileSync(join(office.root, name), text);
}

async function submit(office: Office, ...more: string[]): Promise<string> {
  return (await office.agentq(['submit', 'A change', '--to', 'implementation-worker', '-q', ...more])).stdout;
}

const delivery = ['--from', 'implementation-worker', '--result-file', 'result.md', '--summary', 'Done.'];

async function delivered(office: Office, ...more: string[]): Promise<string> {
  const id = await submit(office);
  expect(await office.agentq(['complete', id, ...delivery, ...more])).toMatchObject({
    exitCode: 0,
    stderr: '',
  });
  return id;
}

interface Shown {
  id: string;
  state: string;
  verified: boolean | null;
  problems: string[];
  result_ref: string | null;
  result: string | null;
  [key: string]: unknown;
}

async function json<T = Shown>(office: Office, args: string[], exitCode = 0): Promise<T> {
  const answer = await office.agentq([...args, '--json']);
  expect({ exitCode: answer.exitCode, stderr: answer.stderr }).toEqual({ exitCode, stderr: '' });
  return JSON.parse(answer.stdout) as T;
}

describe('a session of a coordinator and its workers', () => {
  it('says the same on every store and queue, and this', async () => {
    const office = await shellOffice();
    const said = await runSession({
      agentq: (args) => office.agentq(args),
      write: (name, text) => write(office, name, text),
    });
    expect(said.map(({ command, exitCode }) => [command.split(' ').slice(0, 2).join(' '), exitCode])).toEqual(
      [
        ['init', 0],
        ['submit --to', 0],
        ['submit --to', 0],
        ['status task-1', 0],
        ['result task-1', 10],
        ['verify task-1', 10],
        ['complete task-1', 13],
        ['complete task-1', 0],
        ['complete task-1', 0],
        ['status task-1', 0],
        ['result task-1', 0],
        ['verify task-1', 0],
        ['artifacts task-1', 0],
        ['fail task-2', 0],
        ['status task-2', 0],
        ['result task-2', 11],
        ['dlq', 0],
        ['status task-none', 3],
      ],
    );
    const text = (at: number): string => (said[at]?.stdout ?? '') + (said[at]?.stderr ?? '');
    expect(text(3)).toBe(
      'task-1  queued\n  Retry uploads\n  for implementation-worker from coordinator, normal',
    );
    expect(text(4)).toBe('task-1  queued');
    expect(text(6)).toMatch(/^Error: UNVERIFIED\nthis is not what task-1 asked for: .*"patch"/);
    expect(text(7)).toBe('task-1  completed  results/task-1.md');
    expect(text(8)).toBe(text(7));
    expect(text(9)).toBe(
      [
        'task-1  completed  verified',
        '  Retry uploads',
        '  for implementation-worker from coordinator, normal',
        '  Implemented and tested',
        '  results/task-1.md',
      ].join('\n'),
    );
    expect(text(10)).toBe('# Retries\n\n## Summary\nUploads are tried three times.\n\n## Risks\nNone.');
    expect(text(11)).toMatch(
      /^task-1 {2}completed {2}verified\n {2}artifacts\/task-1\/manifest.json {2}HASH\n/,
    );
    expect(text(12)).toMatch(
      /artifacts\/task-1\/patch\.diff {2}32 bytes {2}sha256 [0-9a-f]{64} {2}\(patch\.diff\)$/,
    );
    expect(text(14)).toBe(
      [
        'task-2  failed',
        '  Review this architecture and identify risks.',
        '  for review-worker from coordinator, normal',
        '  Could not reproduce the issue',
      ].join('\n'),
    );
    expect(text(15)).toBe('task-2  failed: Could not reproduce the issue');
    expect(text(16)).toMatch(/^task-2 {2}failed .*\n {4}agent: Could not reproduce the issue$/);
  });
});

describe('what was delivered', () => {
  it('is shown whole as JSON, with where it comes from', async () => {
    const office = await shellOffice();
    write(office, 'context.md', 'Some context.\n');
    const id = await submit(office, '--file', 'context.md', '--from', 'boss');
    await office.agentq(['complete', id, ...delivery]);
    expect(await json(office, ['status', id])).toMatchObject({
      id,
      state: 'completed',
      verified: true,
      problems: [],
      result_ref: `results/${id}.md`,
      summary: 'Done.',
      parent_id: null,
      envelope: { from: 'boss', to: 'implementation-worker', context_ref: `tasks/${id}.md` },
    });
    expect(await json(office, ['result', id])).toMatchObject({ result: '# Result\nAll is well.\n' });
    const { checked } = await json<{ checked: { ref: string }[] }>(office, ['verify', id]);
    expect(checked.map(({ ref }) => ref)).toEqual([`artifacts/${id}/manifest.json`, `results/${id}.md`]);
  });

  it.each([
    ['changed', (path: string) => writeFileSync(path, '# Result\nAll is evil.\n'), 'has changed'],
    ['gone', (path: string) => rmSync(path), 'does not exist'],
    [
      'a link',
      (path: string) => {
        rmSync(path);
        symlinkSync('/etc/hostname', path);
      },
      'got a link',
    ],
  ])('is not believed once it is %s', async (_, tamper, problem) => {
    const office = await shellOffice();
    const id = await delivered(office);
    tamper(join(office.workspace, 'results', `${id}.md`));
    const status = await office.agentq(['status', id]);
    expect(status.stdout).toMatch(new RegExp(`^${id}  completed  UNVERIFIED: .*${problem}`));
    expect(await json(office, ['status', id])).toMatchObject({ state: 'completed', verified: false });
    expect(await office.agentq(['verify', id])).toMatchObject({
      exitCode: 13,
      stdout: expect.stringContaining('✘') as unknown,
    });
    const result = await office.agentq(['result', id]);
    expect(result).toMatchObject({ exitCode: 13, stdout: '' });
    expect(result.stderr).toMatch(/^Error: UNVERIFIED\n/);
    expect((await office.agentq(['artifacts', id])).exitCode).toBe(13);
  });

  it('is not believed with a manifest of somebody else either, and can be read all the same', async () => {
    const office = await shellOffice();
    const id = await delivered(office);
    const manifest = join(office.workspace, 'artifacts', id, 'manifest.json');
    const other = { ...(JSON.parse(readFileSync(manifest, 'utf8')) as object), producer: 'somebody' };
    writeFileSync(manifest, JSON.stringify(other));
    const { verified, problems } = await json(office, ['status', id]);
    expect({ verified, problems }).toEqual({
      verified: false,
      problems: [expect.stringContaining('is not the manifest that was delivered')],
    });
    expect((await office.agentq(['result', id, '--unverified'])).stdout).toBe('# Result\nAll is well.');
  });

  it('can be saved elsewhere, over nothing that is there, and nowhere else', async () => {
    const office = await shellOffice();
    write(office, 'log.txt', 'ok\n');
    const id = await delivered(office, '--artifact', 'log.txt');
    const { saved } = await json<{ saved: string[] }>(office, ['artifacts', id, '--save', 'out']);
    expect(saved).toEqual([`out/${id}.md`, 'out/log.txt']);
    expect(readFileSync(join(office.root, 'out', 'log.txt'), 'utf8')).toBe('ok\n');
    const again = await office.agentq(['artifacts', id, '--save', 'out']);
    expect(again.exitCode).toBe(1);
    expect(again.stderr).toMatch(/^Error: WORKSPACE\ncannot be saved: out\//);

    mkdirSync(join(office.root, 'sub'));
    write(office, 'sub/log.txt', 'deeper\n');
    const deep = await delivered(office, '--artifact', 'sub/log.txt');
    mkdirSync(join(office.root, 'trap'));
    mkdirSync(join(office.root, 'outside'));
    symlinkSync(join(office.root, 'outside'), join(office.root, 'trap', 'sub'));
    const trapped = await office.agentq(['artifacts', deep, '--save', 'trap']);
    expect(trapped.exitCode).toBe(1);
    expect(trapped.stderr).toContain('got a link');
    expect(() => readFileSync(join(office.root, 'outside', 'log.txt'))).toThrow('ENOENT');
  });
});

describe('agentq result', () => {
  it('waits for the end of the task, and not longer', async () => {
    const office = await shellOffice();
    const id = await submit(office);
    const waiting = office.program('agentq', ['result', id, '--wait', '10m']);
    const following = office.program('agentq', ['events', id, '--follow', '--json']);
    await office.until('the first event', () => following.output().includes('"queued"'));
    await office.agentq(['complete', id, ...delivery]);
    expect(await waiting.ended).toEqual({ exitCode: 0, stdout: '# Result\nAll is well.', stderr: '' });
    const { exitCode, stdout } = await following.ended;
    const events = stdout.split('\n').map((line) => JSON.parse(line) as { task_id: string; type: string });
    expect({ exitCode, types: events.map(({ type }) => type) }).toEqual({
      exitCode: 0,
      types: ['queued', 'running', 'completed'],
    });
    expect(new Set(events.map(({ task_id }) => task_id))).toEqual(new Set([id]));
  });

  it('says that it is not there yet when the time is up', async () => {
    const office = await shellOffice();
    const id = await submit(office);
    expect(await office.agentq(['result', id, '--wait', '1s'])).toEqual({
      exitCode: 10,
      stdout: '',
      stderr: `${id}  queued`,
    });
    expect(await json(office, ['result', id], 10)).toMatchObject({ id, state: 'queued', result: null });
    expect((await office.agentq(['result', id, '--wait', 'long'])).exitCode).toBe(2);
  });

  it('tells cancelled, failed and undecided tasks apart from those that are not done yet', async () => {
    const office = await shellOffice();
    const id = await submit(office);
    await office.agentq(['cancel', id, '--reason', 'not needed']);
    expect(await office.agentq(['result', id, '--wait', '10m'])).toMatchObject({
      exitCode: 11,
      stderr: `${id}  cancelled: not needed`,
    });
    const asking = await submit(office);
    const store = await office.store();
    await store.transaction(async ({ tasks }) => {
      const task = await tasks.get(asking);
      if (task) await tasks.move(task, 'input_required', { note: 'Which branch?' }, Date.now());
    });
    expect(await json(office, ['result', asking], 12)).toMatchObject({ summary: 'Which branch?' });
    expect((await office.agentq(['status', asking])).stdout).toContain(`→ agentq answer ${asking} "…"`);
  });
});

describe('agentq events --follow', () => {
  it('ends quietly when it is interrupted', async () => {
    const office = await shellOffice();
    const id = await submit(office);
    const following = office.program('agentq', ['events', id, '--follow']);
    await office.until('the first event', () => following.output().includes('queued'));
    following.kill('SIGINT');
    expect(await following.ended).toMatchObject({ exitCode: 0, stderr: '' });
  });
});

describe('agentq list', () => {
  it('finds what somebody has delegated, and for which task', async () => {
    const office = await shellOffice();
    const mine = await submit(office, '--from', 'boss');
    // The words alone are not enough.
    const other = await submit(office, '--from', 'other');
    const store = await office.store();
    await store.transaction(async ({ tasks }) => {
      const { meta } = (await tasks.get(other)) ?? {};
      if (!meta?.envelope) throw new Error('expected an envelope');
      const envelope = { ...meta.envelope, forwarded: { from: 'boss' } };
      await tasks.patch(other, { meta: { ...meta, envelope } }, Date.now());
    });
    expect((await office.agentq(['list', '--from', 'boss', '-q'])).stdout).toBe(mine);
    const agent = { AGENT_ATTEMPT_ID: 'attempt', AGENT_TASK_ID: mine };
    const child = (await office.agentq(['submit', 'A part of it', '--to', 'review-worker', '-q'], agent))
      .stdout;
    expect((await office.agentq(['list', '--parent', mine, '-q'])).stdout).toBe(child);
    expect((await office.agentq(['list', '--from', 'implementation-worker', '-q'])).stdout).toBe(child);
  });
});

describe('agentq init', () => {
  it('says what is there, without credentials, and prints the schemas of the messages', async () => {
    const office = await shellOffice();
    const { stdout } = await office.agentq(['init', '--from', 'boss']);
    expect(stdout).toContain(`store         SQLite, ${join(office.root, '.data')}`);
    expect(stdout).toContain('roles         implementation-worker, review-worker');
    expect(stdout).toContain('coordinators  boss');
    expect((await office.agentq(['init', '--from', 'Not a name'])).exitCode).toBe(2);
    const schemas = await json<{ task: { required: string[] } }>(office, ['init', '--schema']);
    expect(schemas.task.required).toEqual(expect.arrayContaining(['task_id', 'from', 'to', 'created_at']));
  });
});
