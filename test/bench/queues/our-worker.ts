/** Our own worker in this process, on a store of the benchmark, with an agent that is done at once. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Agent } from '../../../tools/agents/agent.ts';
import { openArtifacts } from '../../../tools/artifacts/open-artifacts.ts';
import { compose } from '../../../tools/cli/compose.ts';
import { localQueueName, openLocalQueue } from '../../../tools/queues/local.ts';
import type { Queue } from '../../../tools/queues/queue.ts';
import { parseRole } from '../../../tools/roles/load-role.ts';
import type { Role } from '../../../tools/roles/role.ts';
import { openStore, type Store } from '../../../tools/store/store.ts';
import type { Task } from '../../../tools/store/tasks.ts';
import { delegatedTask } from '../../../tools/delegation/delegated.ts';
import { freshTask } from '../../../tools/worker/enqueue.ts';
import type { Worker } from '../../../tools/worker/worker.ts';
import { openWorkspace } from '../../../tools/workspaces/workspace.ts';

export const role = roleNamed('bench');

export function roleNamed(name: string): Role {
  const text = `---\nname: ${name}\ndescription: For the benchmark.\n---\nWork.\n`;
  return parseRole(text, `.claude/agents/${name}.md`, { root: '/', workspace: '/workspace' });
}

export interface OurPlace {
  folder: string;
  store: Store;
  remove(): Promise<void>;
}

export async function openPlace(databaseUrl?: string): Promise<OurPlace> {
  const folder = mkdtempSync(join(tmpdir(), 'background-agents-queues-'));
  const store = await openStore(join(folder, 'data'), databaseUrl);
  return {
    folder,
    store,
    async remove() {
      await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A task as `agentq submit` makes it. */
export function delegated(title: string, store: Store): Task {
  const now = store.now();
  const asker = { from: 'coordinator', parentId: undefined, depth: 0 };
  const envelope = compose({
    title,
    options: { to: role.name, type: 'task', priority: 'normal' },
    asker,
    now,
  });
  const how = { context: undefined, queue: localQueueName, availableAt: 0, submittedBy: 'bench (agentq)' };
  return delegatedTask({ ...how, envelope, role }, now);
}

/** One that comes from a to-do list: nothing is delivered below the artifact root. */
export function plain(title: string, store: Store): Task {
  const id = randomUUID();
  return freshTask(
    { id, queue: localQueueName, nativeId: id, role, title, description: '', priority: 3 },
    store.now(),
  );
}

/** As `agentq submit` stores it. */
export async function submit(store: Store, task: Task): Promise<void> {
  await store.transaction(async ({ tasks }) => {
    if (task.submitKey !== null && (await tasks.bySubmitKey(task.submitKey))) return;
    await tasks.insert(task, task.createdAt);
  });
  store.ring();
}

/** `act` stands for all that the agent does. */
export function agentThat(act: () => Promise<void>): Agent {
  return {
    name: 'command',
    supports: { resume: false, cost: false, grants: false },
    check: async () => ({ ok: true, detail: 'the benchmark', hints: [] }),
    async run() {
      await act();
      return {
        outcome: { status: 'done', summary: 'Done.', artifacts: [] },
        costUsd: undefined,
        turns: undefined,
        denials: [],
        sessionUsable: false,
        exit: { code: 0, signal: null },
      };
    },
    describe: () => ({ file: 'bench', args: [] }),
  };
}

export interface Serving {
  atOnce: number;
  log: Worker['log'];
  /** Default: the local one. */
  queue?: Queue;
  /** Default: the benchmark's own. */
  serves?: Role;
}

export function workerOn(place: OurPlace, agent: Agent, serving: Serving): Worker {
  const { atOnce, log, queue = openLocalQueue(), serves = role } = serving;
  const root = join(place.folder, 'workspace');
  return {
    id: randomUUID(),
    startedAt: Date.now(),
    store: place.store,
    queues: new Map([[queue.name, queue]]),
    agent,
    workspace: openWorkspace(root, join(place.folder, 'data')),
    artifacts: () => openArtifacts(root, {}),
    knownRoles: () => [serves],
    roles: () => [serves],
    options: {
      lanes: { fast: atOnce, normal: atOnce, heavy: atOnce },
      model: undefined,
      timeoutMs: undefined,
      maxAttempts: undefined,
      dailyBudgetUsd: undefined,
      pollIntervalMs: 10_000,
      leaseMs: 60_000,
      heartbeatMs: 10_000,
      patience: 1,
    },
    now: () => place.store.now(),
    random: Math.random,
    log,
    running: new Map(),
  };
}
