/**
 * Ours, in three depths, so that the store's cost and the worker's can be told apart: three transactions on the store;
 * the whole worker loop with tasks of a to-do list; the same with delegated tasks, whose result and manifest are
 * written and checked below the artifact root.
 */
import { randomUUID } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import type { Task } from '../../../tools/store/tasks.ts';
import { openLocalQueue } from '../../../tools/queues/local.ts';
import type { Store } from '../../../tools/store/store.ts';
import { work } from '../../../tools/worker/loop.ts';
import type { NewWorkerEvent } from '../../../tools/worker/worker-event.ts';
import { createBench } from './databases.ts';
import { NotHere, type Contender, type Flow } from './contender.ts';
import { fillTasks } from './fill-tasks.ts';
import {
  agentThat,
  delegated,
  openPlace,
  plain,
  role,
  submit,
  workerOn,
  type OurPlace,
} from './our-worker.ts';

type Depth = 'store alone' | 'worker' | 'worker, delegated';

export function ours(database: 'SQLite' | 'PostgreSQL', depth: Depth, backlog: number): Contender {
  return {
    name: `ours, ${database}, ${depth}`,
    version: '',
    durability: 'each commit',
    note: depth === 'store alone' ? 'three transactions' : 'the loop, its agent in this process',
    backlog,
    async open() {
      const server = database === 'SQLite' ? undefined : await createBench();
      const place = await openPlace(server?.url);
      if (server && !place.store.shared) {
        await Promise.all([place.remove(), server.drop()]);
        throw new NotHere('the store has no PostgreSQL yet');
      }
      const flow = depth === 'store alone' ? storeFlow(place) : workerFlow(place, depth);
      return {
        ...flow,
        fill: (count) => fillTasks(place, server?.url, count),
        async close() {
          await place.remove();
          await server?.drop();
        },
      };
    },
  };
}

// SQLite answers within the turn: what a real agent does, giving timers and others theirs, is done here with turn().
type Work = Pick<Flow, 'work'>;

function workerFlow(place: OurPlace, depth: Depth): Work {
  const make = depth === 'worker' ? plain : delegated;
  return {
    async work(atOnce, done) {
      const stop = new AbortController();
      const agent = agentThat(async () => {
        await submit(place.store, make('Another', place.store));
        await turn();
      });
      const log = (event: NewWorkerEvent): void => {
        if (event.type === 'warning') process.stderr.write(`${event.text}\n`);
        if (event.type === 'attempt_ended') done();
      };
      const worker = workerOn(place, agent, { atOnce, log });
      const ended = work(worker, { mode: 'watch', stop: stop.signal, stopNow: new AbortController().signal });
      return async () => {
        stop.abort();
        await ended;
      };
    },
  };
}

function storeFlow({ store }: OurPlace): Work {
  const queues = [openLocalQueue().name];
  return {
    async work(atOnce, done) {
      const stop = new AbortController();
      const lanes = Array.from({ length: atOnce }, async () => {
        while (!stop.signal.aborted) {
          await submit(store, plain('Another', store));
          const task = await claim(store, queues);
          if (task) await complete(store, task);
          done();
          await turn();
        }
      });
      return async () => {
        stop.abort();
        await Promise.all(lanes);
      };
    },
  };
}

/** What the worker's claim writes, without its decisions. */
async function claim(store: Store, queues: string[]): Promise<Task | undefined> {
  return store.transaction(async ({ tasks, attempts }) => {
    const now = store.now();
    const task = await tasks.firstReady(role.name, queues);
    if (!task) return undefined;
    const sessionId = randomUUID();
    const attemptId = randomUUID();
    const workerId = 'bench';
    await attempts.start({
      id: attemptId,
      taskId: task.id,
      round: task.round,
      workerId,
      agent: 'command',
      sessionId,
      resumed: false,
      budget: null,
      startedAt: now,
    });
    const lease = { attemptId, workerId, leaseUntil: now + 60_000, sessionId };
    await tasks.move(task, 'running', lease, now);
    return { ...task, ...lease, state: 'running' };
  }, 'claim');
}

async function complete(store: Store, task: Task): Promise<void> {
  await store.transaction(async ({ tasks, attempts }) => {
    const now = store.now();
    await attempts.finish(task.attemptId ?? '', {
      result: 'done',
      failureKind: null,
      failureCode: null,
      message: 'Done.',
      spent: false,
      cost: 0,
      turns: null,
      denials: [],
      artifacts: [],
      endedAt: now,
    });
    await tasks.move(task, 'completed', { note: 'Done.' }, now);
  });
}
