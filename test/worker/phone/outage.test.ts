/** Todoist cannot be reached, or answers with nonsense: running work goes on, and reports arrive later, once. */
import { describe, expect, it } from 'vitest';
import type { FaultKind } from '../../fakes/faults.ts';
import { finished, gate, openOffice, portAgent, talker } from '../harness.ts';

const kinds: FaultKind[] = [429, 503, 'html-200', 'truncated', 'commit-then-drop', 'reset-before', 'stall'];

describe.each(kinds)('while Todoist answers with %s', (kind) => {
  it('work goes on, and what was to be told arrives afterwards, once', async () => {
    const office = await openOffice({ roles: talker });
    const task = office.add('A post', { labels: ['work'] });
    const working = gate();
    const agent = portAgent(async () => {
      await working.passed;
      return finished('The post is written.');
    });
    const worker = office.start({ agent });
    await office.until('the agent to run', () => agent.requests.length === 1);
    office.todoist.fault({ kind, times: 1000 });
    await office.until('the queue to be down', () => worker.of('queue_down').length === 1);
    working.open();
    await office.until('the outcome', async () => (await office.state(task)) === 'completed');
    expect(worker.of('attempt_ended')).toHaveLength(1);
    // A person goes on using the app; nothing of that may be lost or overwritten.
    office.todoist.addLabel(task, 'later');
    const late = office.add('Another post');
    expect(office.labels(task)).not.toContain('agent-done');

    office.todoist.clearFaults();
    await office.advance(60_000);
    await office.untilLabel(task, 'agent-done');
    await office.untilLabel(late, 'agent-done');
    await office.polls();
    expect(worker.of('queue_up').length).toBeGreaterThan(0);
    expect(office.labels(task)).toEqual(['work', 'later', 'agent-done']);
    expect(office.said(task).map((text) => text.split('\n')[0])).toEqual([
      '🔧 Working on it.',
      '✅ The post is written.',
    ]);
    expect(agent.requests).toHaveLength(2);
  });

  it('each report that meets it at the moment of writing lands once', async () => {
    const office = await openOffice({ roles: talker });
    const agent = portAgent(() => finished('The post is written.'));
    const met: string[] = [];
    for (const words of ['Working on it', 'The post is written', 'agent-done'])
      office.todoist.fault({ kind, match: ({ body }) => meets(body, words, met) });
    const worker = office.start({ agent });
    const task = office.add('A post');
    // Nobody wants to wait for what a rate limit or a backoff asks for.
    const nudge = setInterval(() => office.clock.advance(5000), 50);
    try {
      await office.untilLabel(task, 'agent-done');
      await office.polls(3);
    } finally {
      clearInterval(nudge);
    }
    expect(met).toEqual(['Working on it', 'The post is written', 'agent-done']);
    expect(office.said(task)).toHaveLength(2);
    expect(agent.requests).toHaveLength(1);
    expect(worker.of('warning')).toEqual([]);
  });
});

/** Does the request write these words? Each is met once. */
function meets(body: Record<string, unknown>, words: string, met: string[]): boolean {
  const writes = JSON.stringify(body['commands'] ?? '').includes(words);
  if (writes && !met.includes(words)) met.push(words);
  return writes;
}

describe('a dead Todoist', () => {
  it('at the start of a single run is one clear error', async () => {
    const office = await openOffice({ roles: talker });
    office.add('A post');
    office.todoist.fault({ kind: 503, times: 1000 });
    const program = office.workerProgram(['--project', 'LinkedIn Writer']);
    const { exitCode, stdout, stderr } = await program.ended;
    expect(exitCode).toBe(75);
    const errors = stderr.trim().split('\n');
    expect(errors).toHaveLength(1);
    expect(JSON.parse(errors[0] ?? '')).toMatchObject({ error: { code: 'QUEUE_UNAVAILABLE' } });
    expect(stdout).not.toContain('attempt_started');
    expect(office.runs()).toEqual([]);
  });

  it('at the end of a single run is one clear error, and the next run tells what is left', async () => {
    const office = await openOffice();
    const task = office.add('A post [wait go]');
    const first = office.workerProgram([]);
    await office.until('the agent to run', () => office.runs().length === 1);
    office.todoist.fault({ kind: 'reset-before', times: 1000 });
    office.release('go');
    const { exitCode, stderr } = await first.ended;
    expect(exitCode).toBe(75);
    expect(stderr).toContain('could not be delivered');
    office.todoist.clearFaults();
    expect((await office.workerProgram([]).ended).exitCode).toBe(0);
    expect(office.labels(task)).toEqual(['agent-done']);
    expect(office.said(task)).toHaveLength(2);
    expect(office.runs()).toHaveLength(1);
  });

  it('with a bad token says what to do, and once', async () => {
    const office = await openOffice();
    const program = office.program('agent-worker', ['--agent', 'sample'], {
      TODOIST_API_TOKEN: 'f'.repeat(40),
    });
    const { exitCode, stderr } = await program.ended;
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^Error: QUEUE_AUTH\n/);
    expect(stderr).toContain('TODOIST_API_TOKEN');
    expect(stderr).not.toContain('f'.repeat(40));
  });
});
