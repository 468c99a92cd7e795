/** A recurring task is a schedule: each occurrence is work of its own, when it is due. */
import { describe, expect, it } from 'vitest';
import { finished, type Office, openOffice, portAgent, type PortAgent } from '../harness.ts';

/** As the roles that come with the project: an occurrence is of use for a day. */
const roles = { 'linkedin-writer': ['project: LinkedIn Writer', 'deadline: 24h'] };

/** The local day, as Todoist writes it. */
function dateOf(at: number): string {
  return new Date(at).toLocaleDateString('sv-SE');
}

/** A minute into the local day of this date. */
function morningOf(date: string): number {
  return new Date(`${date}T00:01:00`).getTime();
}

async function ran(office: Office, agent: PortAgent, task: string, times: number): Promise<void> {
  await office.until(`run ${times}`, () => agent.requests.length === times);
  await office.until(`outcome ${times}`, () => office.said(task).length === 2 * times);
  await office.untilLabel(task, 'agent-done');
}

describe('a recurring task', () => {
  it('runs once for each of three occurrences, when it is due, label or not', async () => {
    const office = await openOffice({ roles });
    const task = office.add('The weekly figures', {
      due: dateOf(office.clock.now()),
      recurring: 'every day',
    });
    const agent = portAgent(() => finished());
    office.start({ agent });
    for (const occurrence of [1, 2, 3]) {
      await ran(office, agent, task, occurrence);
      await office.polls(2);
      expect(agent.requests).toHaveLength(occurrence);

      const next = office.todoist.close(task).due?.date ?? '';
      expect(office.todoist.task(task).checked).toBe(false);
      await office.polls(3);
      // Not before it is due.
      expect(agent.requests).toHaveLength(occurrence);
      expect(await office.state(task)).toBe('queued');
      await office.advance(morningOf(next) - office.clock.now());
    }
    await ran(office, agent, task, 4);
    // Each occurrence is new work, not the continuation of the last one.
    expect(agent.requests.map(({ resume }) => resume)).toEqual([false, false, false, false]);
    expect(new Set(agent.requests.map(({ sessionId }) => sessionId)).size).toBe(4);
  });

  it('runs also where the person took the label off before moving it on', async () => {
    const office = await openOffice({ roles });
    const task = office.add('The figures', { due: dateOf(office.clock.now()), recurring: 'every week' });
    const agent = portAgent(() => finished());
    const worker = office.start({ agent });
    await ran(office, agent, task, 1);
    await worker.stop();
    office.todoist.removeLabel(task, 'agent-done');
    const next = office.todoist.close(task).due?.date ?? '';
    office.start({ agent });
    await office.polls(2);
    expect(agent.requests).toHaveLength(1);
    await office.advance(morningOf(next) - office.clock.now());
    await ran(office, agent, task, 2);
  });

  it('waits for its first occurrence, and runs at once what is overdue', async () => {
    const office = await openOffice({ roles });
    const { now } = office.clock;
    const later = office.add('Next month', { due: dateOf(now() + 9 * 86_400_000), recurring: 'every month' });
    const late = office.add('Yesterday', { due: dateOf(now() - 86_400_000), recurring: 'every day' });
    const agent = portAgent(() => finished());
    office.start({ agent });
    await office.untilLabel(late, 'agent-done');
    await office.polls();
    expect(office.said(later)).toEqual([]);
    await office.advance(9 * 86_400_000);
    await office.untilLabel(later, 'agent-done');
  });

  it('alone waits for its date: any other date only orders', async () => {
    const office = await openOffice({ roles });
    const task = office.add('For the fair', { due: '2030-01-01' });
    office.start({ agent: portAgent(() => finished()) });
    await office.untilLabel(task, 'agent-done');
    expect(office.todoist.task(task).due?.date).toBe('2030-01-01');
  });

  it('that was closed before it ran is not made up for', async () => {
    const office = await openOffice({ roles });
    const task = office.add('The figures', { due: dateOf(office.clock.now()), recurring: 'every day' });
    const agent = portAgent(() => finished());
    const idle = office.start({ agent, lanes: { fast: 0, normal: 0, heavy: 0 } });
    await office.until('it to be queued', async () => (await office.state(task)) === 'queued');
    const next = office.todoist.close(task).due?.date ?? '';
    await office.polls();
    await idle.stop();
    office.start({ agent });
    await office.polls(3);
    expect(agent.requests).toEqual([]);
    await office.advance(morningOf(next) - office.clock.now());
    await ran(office, agent, task, 1);
  });
});
