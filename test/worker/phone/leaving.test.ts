/** Tasks that a person takes away: closed, deleted, or put on another desk. */
import { describe, expect, it } from 'vitest';
import { finished, gate, type Office, openOffice, portAgent, talker } from '../harness.ts';

const nobody = { fast: 0, normal: 0, heavy: 0 };

/** What a person can do to be rid of a task. */
const ways: Record<string, (office: Office, task: string) => void> = {
  closed: (office, task) => void office.todoist.close(task),
  deleted: (office, task) => office.todoist.delete(task),
  'moved away': (office, task) => void office.todoist.move(task, office.todoist.addProject('Private').id),
  'made a sub-task': (office, task) => void office.todoist.nest(task, office.add('Something else')),
};

describe.each(Object.entries(ways))('a task that is %s', (_way, take) => {
  it('while it waits is dropped, and nothing is written', async () => {
    const office = await openOffice({ roles: talker });
    const task = office.add('A post');
    const agent = portAgent(() => finished());
    const idle = office.start({ agent, lanes: nobody });
    await office.until('it to be queued', async () => (await office.state(task)) === 'queued');
    take(office, task);
    await office.until('it to be dropped', async () => (await office.state(task)) === 'cancelled');
    await idle.stop();
    office.start({ agent });
    await office.polls(3);
    expect(agent.requests.map(({ taskId }) => taskId)).not.toContain(`todoist:${task}`);
    expect(office.todoist.notes().filter(({ item_id }) => item_id === task)).toEqual([]);
  });

  it('while it runs has its agent ended, and nothing more is written', async () => {
    const office = await openOffice();
    const task = office.add('A post [wait ever]');
    const worker = office.start();
    await office.until('the agent to run', () => office.runs(task).length === 1);
    const pid = office.runs(task)[0]?.pid ?? 0;
    const taken = performance.now();
    take(office, task);
    await office.until('the agent to be gone', () => !isAlive(pid));
    expect(performance.now() - taken).toBeLessThan(3000);
    await office.until('the attempt to end', async () => (await attemptsOf(office, task))[0]?.endedAt);
    await office.polls();
    expect(await office.state(task)).toBe('cancelled');
    const notes = office.todoist.notes().filter(({ item_id }) => item_id === task);
    expect(notes.map(({ content }) => content.split('\n')[0])).toEqual(['🔧 Working on it.']);
    expect(office.todoist.tasks().find(({ id }) => id === task)?.labels).toEqual([]);
    expect(worker.of('warning')).toEqual([]);
  });
});

describe('a task that is moved to another employee', () => {
  const roles = {
    'linkedin-writer': ['project: LinkedIn Writer'],
    'newsletter-writer': ['project: Newsletter Editor'],
  };

  it('while it waits is done by that one alone', async () => {
    const office = await openOffice({ roles });
    const task = office.add('A text');
    const agent = portAgent(() => finished());
    const idle = office.start({ agent, lanes: nobody });
    await office.until('it to be queued', async () => (await office.state(task)) === 'queued');
    office.todoist.move(task, office.project('Newsletter Editor'));
    await office.polls();
    await idle.stop();
    office.start({ agent });
    await office.untilLabel(task, 'agent-done');
    expect(agent.requests.map(({ role }) => role.name)).toEqual(['newsletter-writer']);
  });

  it('while it runs is taken from the one and begun by the other', async () => {
    const office = await openOffice({ roles });
    const task = office.add('A text');
    const forever = gate();
    const agent = portAgent(async ({ request }) => {
      if (request.role.name === 'linkedin-writer') await forever.passed;
      return finished(`By ${request.role.name}.`);
    });
    office.start({ agent });
    await office.until('the first to run', () => agent.requests.length === 1);
    office.todoist.move(task, office.project('Newsletter Editor'));
    await office.untilLabel(task, 'agent-done');
    expect(office.last(task)).toContain('By newsletter-writer.');
    expect(agent.requests.map(({ resume }) => resume)).toEqual([false, false]);
    await office.polls();
    const attempts = await attemptsOf(office, task);
    expect(attempts.map(({ result }) => result)).toEqual(['cancelled', 'done']);
  });
});

describe('a task that comes back', () => {
  it('is worked on again after it was closed and opened, or moved there and back', async () => {
    const office = await openOffice({ roles: talker });
    const task = office.add('A post');
    const agent = portAgent(() => finished());
    const idle = office.start({ agent, lanes: nobody });
    for (const [name, take] of [ways['closed'], ways['moved away']].entries()) {
      await office.until(`it to be queued, ${name}`, async () => (await office.state(task)) === 'queued');
      take?.(office, task);
      await office.until('it to be dropped', async () => (await office.state(task)) === 'cancelled');
      if (name === 0) office.todoist.reopen(task);
      else office.todoist.move(task, office.project('LinkedIn Writer'));
    }
    await office.until('it to be queued again', async () => (await office.state(task)) === 'queued');
    await idle.stop();
    office.start({ agent });
    await office.untilLabel(task, 'agent-done');
    expect(agent.requests).toHaveLength(1);
  });

  it('is left alone where it is closed after it was done', async () => {
    const office = await openOffice({ roles: talker });
    const task = office.add('A post');
    const agent = portAgent(() => finished());
    office.start({ agent });
    await office.untilLabel(task, 'agent-done');
    office.todoist.close(task);
    await office.polls();
    expect(await office.state(task)).toBe('completed');
    office.todoist.reopen(task);
    await office.polls();
    expect(agent.requests).toHaveLength(1);
    expect(office.said(task)).toHaveLength(2);
  });
});

async function attemptsOf(office: Office, task: string) {
  const store = await office.store();
  return store.read(({ attempts }) => attempts.list(`todoist:${task}`));
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
