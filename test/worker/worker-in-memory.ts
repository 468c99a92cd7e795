/** A worker on a store in memory, with a clock that stands still, for tests of single steps of the loop. */
import type { Agent } from '../../tools/agents/agent.ts';
import type { Role } from '../../tools/roles/role.ts';
import { openLocalQueue } from '../../tools/queues/local.ts';
import { copyStore } from '../../tools/store/copy.ts';
import type { Store } from '../../tools/store/store.ts';
import type { Task } from '../../tools/store/tasks.ts';
import type { NewWorkerEvent } from '../../tools/worker/worker-event.ts';
import type { Worker, WorkerOptions } from '../../tools/worker/worker.ts';
import { exampleTask, noon } from './examples.ts';

export interface Bench {
  worker: Worker;
  store: Store;
  /** Epoch ms. */
  clock: { now: number };
  events: NewWorkerEvent[];
  insert(patch?: Partial<Task>): Promise<Task>;
  get(id: string): Promise<Task>;
}

/** Never run here: these tests end before an agent would start. */
const agent: Agent = {
  name: 'sample',
  supports: { resume: true, cost: true, grants: true },
  check: async () => ({ ok: true, detail: 'sample', hints: [] }),
  run: async () => {
    throw new Error('no agent is run in this test');
  },
  describe: () => ({ file: 'sample', args: [] }),
};

export async function workerInMemory(roles: Role[], options: Partial<WorkerOptions> = {}): Promise<Bench> {
  // A copy of a store that does not exist is an empty store in memory.
  const store = await copyStore('/dev/null/none');
  const clock = { now: noon };
  const events: NewWorkerEvent[] = [];
  const worker: Worker = {
    id: 'w1',
    startedAt: noon,
    store,
    queues: new Map(['local', 'todoist'].map((name) => [name, { ...openLocalQueue(), name }])),
    agent,
    workspace: { root: '/workspace', dataDir: '/data' },
    artifacts: async () => {
      throw new Error('no artifact is written in this test');
    },
    knownRoles: () => roles,
    roles: () => roles,
    options: {
      lanes: { fast: 2, normal: 2, heavy: 1 },
      model: undefined,
      timeoutMs: undefined,
      maxAttempts: undefined,
      dailyBudgetUsd: undefined,
      pollIntervalMs: 10_000,
      leaseMs: 60_000,
      heartbeatMs: 10_000,
      patience: 1,
      ...options,
    },
    now: () => clock.now,
    random: () => 0.5,
    log: (event) => void events.push(event),
    running: new Map(),
  };
  const insert: Bench['insert'] = async (patch = {}) => {
    const task = exampleTask(patch);
    await store.transaction(({ tasks }) => tasks.insert(task, clock.now));
    return task;
  };
  const get: Bench['get'] = async (id) => {
    const task = await store.read(({ tasks }) => tasks.get(id));
    if (!task) throw new Error(`expected task ${id} in the store`);
    return task;
  };
  return { worker, store, clock, events, insert, get };
}
