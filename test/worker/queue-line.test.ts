import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { openLocalQueue } from '../../tools/queues/local.ts';
import type { Queue } from '../../tools/queues/queue.ts';
import { openQueueLine } from '../../tools/worker/queue-line.ts';
import { exampleRole } from './examples.ts';
import { workerInMemory } from './worker-in-memory.ts';

/** A queue with one desk and nothing on it, that counts how often it is read. */
function quietQueue(): { queue: Queue; polls: () => number } {
  let polls = 0;
  const queue: Queue = {
    ...openLocalQueue(),
    name: 'todoist',
    supports: { poll: true, editComments: false },
    projects: async () => [{ id: 'p1', name: 'Writer' }],
    poll: async () => {
      polls += 1;
      return {
        cursor: `c${polls}`,
        full: false,
        tasks: [],
        comments: [],
        unreadable: [],
        commentsIncomplete: [],
      };
    },
  };
  return { queue, polls: () => polls };
}

test('the worker that leads polls at its interval', async () => {
  const { worker, clock } = await workerInMemory([exampleRole()]);
  const { queue, polls } = quietQueue();
  const line = openQueueLine(worker, queue);
  for (let index = 0; index < 3; index += 1) await line.turn();
  expect(polls()).toBe(1);
  expect(line.nextAt()).toBe(clock.now + 10_000);
  clock.now += 10_000;
  await line.turn();
  expect(polls()).toBe(2);
});

test('a worker that does not lead reads nothing, and does not ask again at once', async () => {
  const { worker, clock, store } = await workerInMemory([exampleRole()]);
  const { queue, polls } = quietQueue();
  await store.transaction(({ workers }) => workers.lead('todoist', 'other', clock.now, 60_000));
  const line = openQueueLine(worker, queue);
  await line.turn();
  expect(polls()).toBe(0);
  expect(line.nextAt()).toBeGreaterThanOrEqual(clock.now + 1000);
  clock.now += 61_000;
  await line.turn();
  expect(polls()).toBe(1);
});

test('a clock that is put back does not stop the polls', async () => {
  const { worker, clock } = await workerInMemory([exampleRole()]);
  const { queue, polls } = quietQueue();
  const line = openQueueLine(worker, queue);
  await line.turn();
  clock.now -= 3_600_000;
  await line.turn();
  clock.now += 10_000;
  await line.turn();
  expect(polls()).toBe(2);
});

test('a worker that takes a queue over goes on, although the desk of its role is not there', async () => {
  const { worker, clock, store, events } = await workerInMemory([exampleRole({ project: 'Nowhere' })]);
  const { queue, polls } = quietQueue();
  await store.transaction(({ workers }) => workers.lead('todoist', 'other', clock.now, 60_000));
  const line = openQueueLine(worker, queue);
  await line.open(true);
  clock.now += 61_000;
  await line.turn();
  expect(polls()).toBe(1);
  expect(events).toContainEqual(
    expect.objectContaining({ type: 'warning', text: expect.stringContaining('"Nowhere"') }),
  );
});

test('a worker that begins with no desk at all says which projects are missing', async () => {
  const { worker } = await workerInMemory([exampleRole({ project: 'Nowhere' })]);
  const line = openQueueLine(worker, quietQueue().queue);
  await expect(line.open(true)).rejects.toMatchObject({ code: 'NO_PROJECT' });
});

test('a role that only other agents ask needs no desk', async () => {
  const { worker } = await workerInMemory([exampleRole({ project: undefined })]);
  const { queue, polls } = quietQueue();
  await openQueueLine(worker, queue).open(true);
  expect(polls()).toBe(1);
});

test('a long list of reports is told in turns, with room for other things in between', async () => {
  const bench = await workerInMemory([exampleRole()]);
  const { worker, clock, store } = bench;
  for (let index = 0; index < 5; index += 1) {
    const { id } = await bench.insert({ state: 'completed' });
    const body = { kind: 'comment', text: 'Done.' } as const;
    const report = { id: `r${index}`, taskId: id, attemptId: null, queue: 'todoist', body };
    await store.transaction(({ reports }) => reports.add(report, clock.now));
  }
  const sent: string[] = [];
  const slow: Queue = {
    ...quietQueue().queue,
    prepare: async (report) => ({ command: report.id }),
    send: async (command) => {
      await sleep(300);
      sent.push(String(command));
      return { status: 'sent' };
    },
  };
  const line = openQueueLine(worker, slow);
  await line.turn();
  expect(sent.length).toBeLessThan(5);
  while (sent.length < 5) {
    // The loop is to come back at once.
    expect(line.nextAt()).toBeLessThanOrEqual(clock.now);
    await line.turn();
  }
  expect(sent).toEqual(['r0', 'r1', 'r2', 'r3', 'r4']);
  expect(line.nextAt()).toBeGreaterThan(clock.now);
});
