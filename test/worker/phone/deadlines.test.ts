/** Latest useful completion: past it nothing starts, what runs is stopped, and the person is told. */
import { describe, expect, it } from 'vitest';
import { finished, gate, type Office, openOffice, portAgent } from '../harness.ts';

const nobody = { fast: 0, normal: 0, heavy: 0 };
const hourMs = 3_600_000;
const roles = { 'linkedin-writer': ['project: LinkedIn Writer', 'deadline: 1h'] };

/** The task is known, and so much time passes before anybody has a hand free. */
async function neglected(office: Office, task: string, ms: number): Promise<void> {
  const idle = office.start({ agent: portAgent(() => finished()), lanes: nobody });
  await office.until('it to be queued', async () => (await office.state(task)) === 'queued');
  await idle.stop();
  office.clock.advance(ms);
}

describe('a deadline', () => {
  it.each([
    ['of the role', roles, {}, 2 * hourMs],
    ['of the task', { 'linkedin-writer': ['project: LinkedIn Writer'] }, { deadline: '2020-02-01' }, 0],
  ])(
    '%s that has passed before the start is escalated, and the agent not started',
    async (_whose, made, more, ms) => {
      const office = await openOffice({ roles: made });
      const task = office.add('A post', more);
      if (ms > 0) await neglected(office, task, ms);
      const agent = portAgent(() => finished());
      office.start({ agent });
      await office.untilLabel(task, 'agent-failed');
      await office.polls();
      expect(agent.requests).toEqual([]);
      expect(office.said(task)).toHaveLength(1);
      expect(office.last(task)).toMatch(/^⏰ This was to be done by .* It was not run\./);
      const shown = await office.agentq(['show', task, '--json']);
      expect(JSON.parse(shown.stdout)).toMatchObject({ state: 'failed', failure_kind: 'deadline' });
    },
  );

  it('that passes while the agent is at work stops it', async () => {
    const office = await openOffice({
      roles: { 'linkedin-writer': [...roles['linkedin-writer'], 'output: workspace/l'] },
    });
    const task = office.add('A post [wait ever]');
    await neglected(office, task, hourMs - 1500);
    office.start();
    await office.untilLabel(task, 'agent-failed');
    await office.polls();
    expect(office.runs()).toHaveLength(1);
    expect(office.runs()[0]?.prompt).toMatch(/You have [12] s for this\./);
    expect(office.said(task)).toHaveLength(2);
    expect(office.last(task)).toMatch(/^⏰ The latest useful time passed while the agent was at work\./);
  });

  it('is the earliest of all: the role, the task, and what an attempt may take', async () => {
    const office = await openOffice({
      roles: { 'linkedin-writer': [...roles['linkedin-writer'], 'timeout: 3h'] },
    });
    const task = office.add('A post', { deadline: '2040-01-01' });
    const agent = portAgent(() => finished());
    office.start({ agent });
    await office.untilLabel(task, 'agent-done');
    expect(agent.requests[0]).toMatchObject({ timeoutIsDeadline: true });
    expect(agent.requests[0]?.timeoutMs).toBeGreaterThan(hourMs - 10_000);
    expect(agent.requests[0]?.timeoutMs).toBeLessThanOrEqual(hourMs);
  });

  it('is said to the agent when it is closer than such a task usually takes', async () => {
    const office = await openOffice({ roles });
    const slow = office.add('A slow post');
    const working = gate();
    const agent = portAgent(async ({ request }) => {
      if (request.taskId.endsWith(slow)) await working.passed;
      return finished();
    });
    const worker = office.start({ agent });
    await office.until('it to run', () => agent.requests.length === 1);
    office.clock.advance(hourMs / 2);
    working.open();
    await office.untilLabel(slow, 'agent-done');
    await worker.stop();

    const task = office.add('A late post');
    await neglected(office, task, hourMs * 0.75);
    office.start({ agent });
    await office.untilLabel(task, 'agent-done');
    expect(agent.requests[0]?.prompt).not.toContain('less than such a task usually takes');
    expect(agent.requests[1]?.prompt).toContain(
      'You have 15 min for this. That is less than such a task usually takes',
    );
  });

  it('of a submitted task is its --ttl', async () => {
    const office = await openOffice({ roles });
    const submitted = await office.agentq([
      'submit',
      'A post',
      '--to',
      'linkedin-writer',
      '--ttl',
      '10m',
      '--json',
    ]);
    const { id } = JSON.parse(submitted.stdout) as { id: string };
    office.clock.advance(11 * 60_000);
    const agent = portAgent(() => finished());
    office.start({ agent });
    const store = await office.store();
    await office.until('it to be given up', async () => {
      return (await store.read(({ tasks }) => tasks.get(id)))?.state === 'failed';
    });
    expect(agent.requests).toEqual([]);
    const { stdout } = await office.agentq(['show', id]);
    expect(stdout).toContain('⏰ This was to be done by');
    expect((await office.agentq(['dlq', '--json'])).stdout).toContain(id);
  });
});
