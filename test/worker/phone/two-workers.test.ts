/** Two workers: on one store they share the work; without a common store the later one gives way. */
import { describe, expect, it } from 'vitest';
import { AppError } from '../../../tools/errors.ts';
import { finished, gate, openOffice, portAgent, talker } from '../harness.ts';

const one = { fast: 1, normal: 1, heavy: 1 };

describe('two workers on one store', () => {
  it('that serve different employees leave each other’s tasks alone', async () => {
    const roles = { writer: ['project: Writing'], reviewer: ['project: Reviews'] };
    const office = await openOffice({ roles });
    const written = office.add('A post', { project: 'Writing' });
    const reviewed = office.add('A review', { project: 'Reviews' });
    const open = gate();
    const agent = portAgent(async () => {
      await open.passed;
      return finished();
    });
    office.start({ agent, serves: ['writer'] });
    await office.until('the writer to run', () => agent.requests.length === 1);
    office.start({ agent, serves: ['reviewer'] });
    await office.until('the reviewer to run', () => agent.requests.length === 2);
    await office.polls(5);
    open.open();
    for (const task of [written, reviewed]) await office.untilLabel(task, 'agent-done');
    expect(agent.requests).toHaveLength(2);
  });

  it('share the work, and no task is done twice', async () => {
    const office = await openOffice({ roles: talker });
    const tasks = Array.from({ length: 10 }, (_, index) => office.add(`Post ${index}`));
    const both = gate();
    const play = async () => {
      await both.passed;
      return finished();
    };
    const agents = [portAgent(play), portAgent(play)];
    const workers = agents.map((agent) => office.start({ agent, lanes: one }));
    await office.until('each to work on one', () => agents.every(({ running }) => running.size === 1));
    both.open();
    for (const task of tasks) await office.untilLabel(task, 'agent-done');
    const done = agents.flatMap(({ requests }) => requests.map(({ taskId }) => taskId));
    expect(done.toSorted()).toEqual(tasks.map((task) => `todoist:${task}`).toSorted());
    for (const task of tasks) expect(office.said(task)).toHaveLength(2);

    // The one that reads and writes the queue leaves; the other takes that over.
    await workers[0]?.stop();
    const late = office.add('A late post');
    await office.untilLabel(late, 'agent-done');
    expect(agents[1]?.requests.at(-1)?.taskId).toBe(`todoist:${late}`);
  });

  it('do so as processes, too', async () => {
    const office = await openOffice();
    const tasks = Array.from({ length: 6 }, (_, index) => office.add(`Post ${index} [wait go]`));
    const programs = [office.workerProgram(), office.workerProgram()];
    await office.until('four at once', () => office.runs().length === 4);
    office.release('go');
    for (const task of tasks) await office.untilLabel(task, 'agent-done');
    for (const program of programs) program.kill('SIGTERM');
    for (const { ended } of programs) expect((await ended).exitCode).toBe(0);
    expect(office.runs()).toHaveLength(6);
    for (const task of tasks) expect(office.said(task)).toHaveLength(2);
  });
});

describe('two workers with different stores on one project', () => {
  it('a task that one works on as the other starts is not begun again', async () => {
    const office = await openOffice({ roles: talker });
    const working = gate();
    const first = portAgent(async () => {
      await working.passed;
      return finished('By the first.');
    });
    const second = portAgent(() => finished('By the second.'));
    const now = office.clock.now();
    const task = office.add('A post');
    office.start({ agent: first, startedAt: now - 60_000 });
    await office.until('the first to run', () => first.requests.length === 1);
    office.start({ agent: second, dataDir: '.data-2', startedAt: now, mayFail: true });
    await office.polls(20);
    working.open();
    await office.untilLabel(task, 'agent-done');
    await office.polls(4);
    expect(second.requests).toEqual([]);
  });

  it('notice each other: the later one stops before its agent has run', async () => {
    const office = await openOffice({ roles: talker });
    const first = portAgent(() => finished('By the first.'));
    const second = portAgent(() => finished('By the second.'));
    const now = office.clock.now();
    office.start({ agent: first, startedAt: now - 60_000 });
    const later = office.start({
      agent: second,
      dataDir: '.data-2',
      startedAt: now,
      pollIntervalMs: 500,
      mayFail: true,
    });
    await office.until('both to be there', () => later.of('worker_started').length === 1);
    const task = office.add('A post');
    await later.done;
    expect(later.failure).toBeInstanceOf(AppError);
    expect(later.failure).toMatchObject({ code: 'QUEUE_TAKEN' });
    await office.untilLabel(task, 'agent-done');
    await office.polls();
    expect(second.requests).toEqual([]);
    expect(first.requests).toHaveLength(1);
    expect(office.last(task)).toContain('By the first.');
  });

  it('notice each other also when the later one was the first to see a task: its agent is ended', async () => {
    const office = await openOffice({ roles: talker });
    const first = portAgent(() => finished('By the first.'));
    const forever = gate();
    const second = portAgent(async () => {
      await forever.passed;
      return finished('By the second.');
    });
    const now = office.clock.now();
    const earlier = office.start({ agent: first, startedAt: now - 60_000, pollIntervalMs: 600 });
    const later = office.start({ agent: second, dataDir: '.data-2', startedAt: now, mayFail: true });
    await office.until('both to be there', () =>
      [earlier, later].every((worker) => worker.of('worker_started').length === 1),
    );
    const task = office.add('A post');
    await later.done;
    expect(later.failure).toMatchObject({ code: 'QUEUE_TAKEN' });
    expect(second.running.size).toBe(0);
    await office.untilLabel(task, 'agent-done');
    expect(office.last(task)).toContain('By the first.');
    expect(office.said(task).join('\n')).not.toContain('By the second.');
  });
});
