import { expect, onTestFinished, test } from 'vitest';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError } from '../../tools/errors.ts';
import { openLocalQueue } from '../../tools/queues/local.ts';
import type { Queue } from '../../tools/queues/queue.ts';
import type { Store } from '../../tools/store/store.ts';
import { cancel } from '../../tools/worker/cancel.ts';
import { untilNext, work } from '../../tools/worker/loop.ts';
import { openWorkspace } from '../../tools/workspaces/workspace.ts';
import { exampleRole } from './examples.ts';
import { finished, gate, portAgent } from './harness.ts';
import { workerInMemory } from './worker-in-memory.ts';

test('the loop sleeps until a delayed task is ready, or for five seconds', async () => {
  const bench = await workerInMemory([exampleRole()]);
  expect(await untilNext(bench.worker, [])).toBe(5000);
  await bench.insert({ availableAt: bench.clock.now + 700 });
  expect(await untilNext(bench.worker, [])).toBe(700);
});

test('with every slot taken it does not wake, again and again, for a task that is ready since', async () => {
  const bench = await workerInMemory([exampleRole()], { lanes: { fast: 1, normal: 0, heavy: 1 } });
  await bench.insert({ availableAt: bench.clock.now - 1 });
  expect(await untilNext(bench.worker, [])).toBe(5000);
});

test('a cancelled agent is stopped although the loop waits for a queue', async () => {
  const bench = await workerInMemory([exampleRole()]);
  const root = mkdtempSync(join(tmpdir(), 'loop-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const [running, stopped, waiting, answer] = [gate(), gate(), gate(), gate()];
  const agent = portAgent(async ({ signal }) => {
    signal.addEventListener('abort', stopped.open);
    running.open();
    await stopped.passed;
    return {};
  });
  let isSlow = false;
  const queue: Queue = {
    ...openLocalQueue(),
    name: 'todoist',
    supports: { poll: true, editComments: false },
    projects: async () => [{ id: 'p1', name: 'Writer' }],
    async poll() {
      if (isSlow) {
        waiting.open();
        await answer.passed;
      }
      return { cursor: 'c', full: false, tasks: [], comments: [], unreadable: [], commentsIncomplete: [] };
    },
  };
  const callbacks: (() => void)[] = [];
  const ring = (): void => callbacks.forEach((callback) => callback());
  const onRing = (callback: () => void): (() => void) => {
    callbacks.push(callback);
    return () => undefined;
  };
  const stop = new AbortController();
  const worker = {
    ...bench.worker,
    agent,
    store: { ...bench.store, onRing },
    queues: new Map([queue, openLocalQueue()].map((each) => [each.name, each])),
    workspace: openWorkspace(root, join(root, '.data')),
  };
  const { id } = await bench.insert({ queue: 'local' });
  const ended = work(worker, { mode: 'watch', stop: stop.signal, stopNow: stop.signal });
  await running.passed;
  isSlow = true;
  bench.clock.now += 20_000;
  ring();
  await waiting.passed;
  const task = await bench.get(id);
  await bench.store.transaction((tables) => cancel(tables, task, 'changed my mind', bench.clock.now));
  ring();
  await stopped.passed;
  expect((await bench.get(id)).state).toBe('cancelled');
  answer.open();
  stop.abort();
  await ended;
});

test('a worker that is told to leave does not wait for a store that is away', async () => {
  const bench = await workerInMemory([exampleRole()], { patience: 0.01 });
  const root = mkdtempSync(join(tmpdir(), 'loop-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const [running, finish, refused] = [gate(), gate(), gate()];
  const agent = portAgent(async () => {
    running.open();
    await finish.passed;
    return finished();
  });
  let isAway = false;
  const store: Store = {
    ...bench.store,
    async transaction(change, isolation) {
      if (!isAway) return bench.store.transaction(change, isolation);
      refused.open();
      throw new AppError('STORE_DISCONNECTED', 'the database is gone');
    },
  };
  const workspace = openWorkspace(root, join(root, '.data'));
  const queues = new Map([['local', openLocalQueue()]]);
  const stop = new AbortController();
  await bench.insert({ queue: 'local' });
  const worker = { ...bench.worker, agent, store, queues, workspace };
  const ended = work(worker, { mode: 'watch', stop: stop.signal, stopNow: stop.signal });
  await running.passed;
  isAway = true;
  finish.open();
  await refused.passed;
  stop.abort();
  await ended;
  expect(bench.events).toContainEqual(expect.objectContaining({ type: 'worker_stopped' }));
});
