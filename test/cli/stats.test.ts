/** What an operator sees: numbers that can be parsed, and a doctor that says what is wrong. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { finished, fails, type Office, openOffice, portAgent, talker } from '../worker/harness.ts';

interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

/** The text exposition format, strictly: every sample belongs to the family that was announced right before it. */
function parse(text: string): { samples: Sample[]; types: Map<string, string> } {
  const samples: Sample[] = [];
  const types = new Map<string, string>();
  const helped: string[] = [];
  for (const line of text.trimEnd().split('\n')) {
    const [, what, name = '', rest = ''] = /^# (HELP|TYPE) ([a-z_]+) (.+)$/.exec(line) ?? [];
    if (what === 'HELP') helped.push(name);
    else if (what === 'TYPE' && name === helped.at(-1)) types.set(name, rest);
    else samples.push(sampleIn(line));
    const last = samples.at(-1)?.name ?? name;
    if (what === undefined && last !== helped.at(-1))
      throw new Error(`expected a sample of ${helped.at(-1)}: ${line}`);
  }
  expect(helped).toEqual([...types.keys()]);
  const keys = samples.map(({ name, labels }) => JSON.stringify([name, labels]));
  expect(new Set(keys).size).toBe(keys.length);
  return { samples, types };
}

function sampleIn(line: string): Sample {
  const [, name = '', block = '', value] = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
  const labels = [...block.matchAll(/([a-z_]+)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/g)];
  if (labels.map(([whole]) => whole).join('') !== block || !Number.isFinite(Number(value)))
    throw new Error(`expected a sample, got: ${line}`);
  return {
    name,
    labels: Object.fromEntries(labels.map(([, key, text]) => [key, text])),
    value: Number(value),
  };
}

/** One done, one failed, one waiting, with what they cost. */
async function busy(): Promise<{ office: Office; done: string }> {
  const office = await openOffice({ roles: talker });
  const done = office.add('A post');
  const failed = office.add('Another');
  const agent = portAgent(({ request }) =>
    request.taskId.endsWith(failed)
      ? fails({ kind: 'agent', code: 'exit_3', message: 'No.' }, { costUsd: 0.5 })
      : finished('Done.', { costUsd: 0.25 }),
  );
  const worker = office.start({ agent, maxAttempts: 2 });
  await office.untilLabel(done, 'agent-done');
  await office.untilLabel(failed, 'agent-failed');
  await worker.stop();
  await office.agentq(['submit', 'A third', '--to', 'linkedin-writer']);
  return { office, done };
}

describe('agentq stats', () => {
  it('answers the five questions, and what it cost', async () => {
    const { office } = await busy();
    const stats = JSON.parse((await office.agentq(['stats', '--json'])).stdout) as Record<string, unknown>;
    expect(stats).toMatchObject({
      tasks: { queued: 1, running: 0, completed: 1, failed: 1, input_required: 0 },
      stuck: [],
      missed_deadline: 0,
      lanes: { normal: { waiting: 1, running: 0 } },
      attempts: { total: 3, retries: 1, by_failure: { agent: 2 } },
      cost_usd: { today: 1.25, by_role: { 'linkedin-writer': 1.25 }, per_task: 0.625 },
      reports_pending: 0,
      workers: [],
      pauses: [],
    });
    expect(stats['start_latency_seconds']).toEqual({ p50: expect.any(Number), p95: expect.any(Number) });
    const { stdout } = await office.agentq(['stats']);
    expect(stdout).toMatch(/^waiting +1 /);
    expect(stdout).toMatch(/^cost today +\$1\.25/m);
  });

  it('has them for Prometheus, too', async () => {
    const { office } = await busy();
    const { stdout } = await office.agentq(['stats', '--prometheus']);
    const { samples, types } = parse(`${stdout}\n`);
    const value = (name: string, labels: Record<string, string> = {}): number | undefined =>
      samples.find((each) => each.name === name && JSON.stringify(each.labels) === JSON.stringify(labels))
        ?.value;
    expect(value('agents_tasks', { state: 'queued' })).toBe(1);
    expect(value('agents_queue_depth', { lane: 'normal' })).toBe(1);
    expect(value('agents_attempt_failures', { kind: 'agent' })).toBe(2);
    expect(value('agents_cost_usd', { role: 'linkedin-writer' })).toBe(1.25);
    expect(value('agents_tasks_stuck')).toBe(0);
    expect([...types.values()].every((type) => ['gauge', 'counter', 'histogram'].includes(type))).toBe(true);
    // Counters alone end in _total, and no series grows with the number of tasks.
    for (const [name, type] of types) expect(name.endsWith('_total')).toBe(type === 'counter');
    expect(stdout).not.toContain('todoist:');
  });

  it('says that there is nothing yet instead of making a store', async () => {
    const office = await openOffice();
    const { exitCode, stderr } = await office.agentq(['stats']);
    expect(exitCode).toBe(3);
    expect(stderr).toMatch(/^Error: NOT_FOUND\nthere is no store yet/);
    expect(readdirSync(office.root)).not.toContain('.data');
  });
});

describe('agentq why', () => {
  it('says in one sentence why a task does not run', async () => {
    const { office, done } = await busy();
    const why = async (ref: string): Promise<string> => (await office.agentq(['why', ref])).stdout;
    expect(await why(done)).toBe('It is done; it waits for your review in its queue.');
    const { tasks } = JSON.parse((await office.agentq(['list', '--json'])).stdout) as {
      tasks: { id: string; state: string }[];
    };
    const id = (state: string): string => tasks.find((task) => task.state === state)?.id ?? '';
    expect(await why(id('failed'))).toMatch(/^It has failed for good \(agent\): No\.$/);
    expect(await why(id('queued'))).toMatch(/^No running worker serves linkedin-writer/);
  });
});

describe('agentq doctor', () => {
  interface Report {
    ok: boolean;
    checks: { name: string; status: 'PASS' | 'WARN' | 'FAIL'; detail: string; hints: string[] }[];
  }
  const examine = async (office: Office, ...args: string[]) => {
    const env = { CLAUDE_BIN: join(office.root, 'no-claude') };
    const { exitCode, stdout } = await office.agentq(['doctor', '--json', ...args], env);
    const report = JSON.parse(stdout) as Report;
    const of = (name: string) => report.checks.find((check) => check.name === name);
    return { exitCode, report, of };
  };

  it('checks what the worker needs, and fails when one thing is missing', async () => {
    const office = await openOffice();
    const { exitCode, report, of } = await examine(office);
    expect(exitCode).toBe(1);
    expect(report.ok).toBe(false);
    expect(of('claude')).toMatchObject({ status: 'FAIL' });
    expect(of('claude')?.hints.length).toBeGreaterThan(0);
    const passed = report.checks.filter(({ status }) => status === 'PASS').map(({ name }) => name);
    expect(passed).toEqual(expect.arrayContaining(['node', 'roles', 'store', 'workspace', 'todoist']));
    expect(of('todoist')?.detail).toContain('"LinkedIn Writer" found');
    expect(office.todoist.calls.every(({ body }) => !('commands' in body))).toBe(true);
    expect(JSON.stringify(report)).not.toContain(office.todoist.token);
  });

  it('finds a broken role, a missing project and a wrong token', async () => {
    const office = await openOffice();
    office.role('editor', ['project: Nowhere', 'lane: quick']);
    const { of } = await examine(office);
    expect(of('roles')).toMatchObject({ status: 'FAIL' });
    expect(of('roles')?.detail).toContain('expected `worker.lane` to be fast, normal or heavy, got: "quick"');
    office.role('editor', ['project: Nowhere']);
    expect((await examine(office)).of('todoist')).toMatchObject({ status: 'WARN' });
    office.todoist.fault({ kind: 503, times: 100 });
    expect((await examine(office)).of('todoist')).toMatchObject({ status: 'FAIL' });
  });

  it('finds a damaged store, and mends it with --repair, keeping the damaged one', async () => {
    const office = await openOffice();
    const data = join(office.root, '.data');
    mkdirSync(data);
    writeFileSync(join(data, 'store.sqlite'), 'This is not a database. '.repeat(500));
    expect((await examine(office)).of('store')).toMatchObject({ status: 'FAIL' });
    expect((await office.agentq(['list'])).stderr).toMatch(/^Error: STORE_CORRUPT\n/);
    expect((await examine(office, '--repair')).of('store')).toMatchObject({ status: 'WARN' });
    const kept = readdirSync(data).filter((name) => name !== 'store.sqlite');
    expect(kept.some((name) => readFileSync(join(data, name), 'utf8').startsWith('This is not'))).toBe(true);
    expect((await office.agentq(['submit', 'A post', '--to', 'linkedin-writer'])).exitCode).toBe(0);
    expect((await examine(office)).of('store')).toMatchObject({ status: 'PASS' });
  });
});
