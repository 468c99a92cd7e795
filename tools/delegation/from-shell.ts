/**
 * Workers in a shell: any program, agent or person that claims a task with a command, works on it, and says with
 * another command how it ended. Nobody can see whether such a worker lives, so its claim lasts as long as its lease.
 * It is fenced like every attempt: what it says after it has lost the task changes nothing.
 */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { AppError } from '../errors.ts';
import { localQueueName } from '../queues/local.ts';
import { brokerQueueName } from '../queues/queue.ts';
import type { Role } from '../roles/role.ts';
import type { Attempt } from '../store/attempts.ts';
import type { Store, Tables } from '../store/store.ts';
import type { Task, TaskPatch } from '../store/tasks.ts';
import { closeAttempt } from '../worker/close-attempt.ts';
import { mayStart } from './may-start.ts';
import { expireTask, isGone, recover, type Keeper } from '../worker/reconcile.ts';

/** `agent` of attempts made from a shell. */
export const shellAgent = 'shell';
/** What stands on a desk in a to-do list is done by agent-workers, which talk to the person there. */
export const shellQueues: readonly string[] = [localQueueName, brokerQueueName];
/** Tasks that are looked at until one is found that may start. */
const maxLooks = 100;

export interface ShellClaim {
  task: Task;
  attemptId: string;
  /** Epoch ms. */
  leaseUntil: number;
}

/** Tasks that were next, and why they were left alone. */
export interface NothingToDo {
  left: { id: string; why: string }[];
}

/** Takes the role's next task that may start. */
export async function claimNext(
  store: Store,
  role: Role,
  leaseMs: number,
): Promise<ShellClaim | NothingToDo> {
  await takeBack(store);
  return store.transaction(async (tables) => {
    const now = store.now();
    await tables.tasks.promote(now);
    const looked: string[] = [];
    const left: NothingToDo['left'] = [];
    while (looked.length < maxLooks) {
      const task = await tables.tasks.firstReady(role.name, shellQueues, looked);
      if (!task) break;
      looked.push(task.id);
      if (await expireTask(commandKeeper(store), tables, task.id)) continue;
      const why = await whyNotNow(tables, role, task);
      if (why === undefined) return begin(tables, task, leaseMs, now);
      left.push({ id: task.id, why });
    }
    return { left };
  }, 'claim');
}

/** What speaks against beginning the task now, in a sentence. */
export async function whyNotNow(tables: Tables, role: Role, task: Task): Promise<string | undefined> {
  const grants = await tables.grants.list(task.id);
  const approved = grants.filter(
    (grant) => grant.decision === 'approve' && grant.contentHash === task.contentHash,
  );
  return mayStart(
    role,
    task,
    approved.map((grant) => grant.rule),
  )?.message;
}

/** Makes the attempt and what stands for its worker. A lease never outlives the task's deadline. */
export async function begin(tables: Tables, task: Task, leaseMs: number, now: number): Promise<ShellClaim> {
  const attemptId = randomUUID();
  const workerId = `shell-${attemptId}`;
  const lease = Math.max(1, Math.min(leaseMs, (task.deadlineAt ?? Infinity) - now));
  await tables.workers.register({
    id: workerId,
    host: hostname(),
    // Of no boot: its process is not looked at, only how long it has been silent.
    bootId: '',
    pid: process.ppid,
    pidStart: '',
    startedAt: now,
    seenAt: now,
    leaseMs: lease,
    serves: [task.role],
  });
  await tables.attempts.start({
    id: attemptId,
    taskId: task.id,
    round: task.round,
    workerId,
    agent: shellAgent,
    sessionId: attemptId,
    resumed: false,
    budget: null,
    startedAt: now,
  });
  const running: TaskPatch = { attemptId, workerId, leaseUntil: now + lease, availableAt: 0 };
  // No agent of ours could go on in a shell's session.
  const session = { sessionId: null, sessionUsable: false, sessionCost: 0 };
  await tables.tasks.move(task, 'running', { ...running, ...session }, now);
  return {
    task: { ...task, ...running, ...session, state: 'running' },
    attemptId,
    leaseUntil: now + lease,
  };
}

/** Prolongs a claim. Yields until when, epoch ms. Throws CLAIM_LOST when there is none any more, or CONFLICT. */
export async function heartbeat(
  store: Store,
  taskId: string,
  wanted: { attempt: string | undefined; leaseMs: number },
): Promise<number> {
  return orThrow(
    await store.transaction(async (tables) => {
      const now = store.now();
      const task = await tables.tasks.get(taskId);
      const held = await holder(tables, task, taskId, wanted.attempt, now);
      if (held instanceof AppError) return held;
      const lease = Math.max(1, Math.min(wanted.leaseMs, (held.task.deadlineAt ?? Infinity) - now));
      await tables.workers.prolong(held.attempt.workerId, now, lease);
      return now + lease;
    }),
  );
}

export interface Held {
  task: Task;
  attempt: Attempt;
}

/**
 * The task and its live attempt from a shell, or why it is not (or no more) one. What is returned and not thrown can be
 * stored: an attempt that has lost its task is ended here.
 */
export async function holder(
  tables: Tables,
  task: Task | undefined,
  id: string,
  wanted: string | undefined,
  now: number,
): Promise<Held | AppError> {
  if (!task) return new AppError('NOT_FOUND', `expected the id of a task, got: "${id}"`);
  const attempt = task.attemptId === null ? undefined : await tables.attempts.get(task.attemptId);
  const mine = wanted === undefined || wanted === attempt?.id;
  if (task.state === 'running' && attempt && mine) {
    if (attempt.agent === shellAgent) return { task, attempt };
    return new AppError(
      'CONFLICT',
      `an agent-worker works on ${task.id} (attempt ${attempt.number}, ${attempt.agent})`,
      { hints: [`agentq show ${task.id}`, `agentq cancel ${task.id}   (stops it)`] },
    );
  }
  if (task.state !== 'running' || wanted !== undefined) await endOrphans(tables, task, wanted, now);
  return lost(task);
}

/** Attempts from a shell that the task does not know any more, so that its next one need not wait for their leases. */
async function endOrphans(
  tables: Tables,
  task: Task,
  wanted: string | undefined,
  now: number,
): Promise<void> {
  for (const attempt of await tables.attempts.list(task.id)) {
    if (attempt.agent !== shellAgent || attempt.endedAt !== null || attempt.id === task.attemptId) continue;
    if (wanted !== undefined && attempt.id !== wanted) continue;
    await closeAttempt(tables, { attemptId: attempt.id, task }, undefined, now);
    await tables.workers.remove(attempt.workerId);
  }
}

export function lost(task: Task): AppError {
  const stop = 'stop working on it: nothing of this attempt is delivered any more';
  const again = `agentq claim --as ${task.role}   (takes what is next)`;
  switch (task.state) {
    case 'cancelled':
      return new AppError('CLAIM_LOST', `${task.id} was cancelled: ${task.note ?? 'no reason given'}`, {
        hints: [stop],
      });
    case 'queued':
      return new AppError('CLAIM_LOST', `${task.id} is not claimed: its lease has run out, or it never was`, {
        hints: [again],
      });
    case 'running':
      return new AppError('CLAIM_LOST', `another attempt works on ${task.id} now`, { hints: [stop, again] });
    case 'completed':
    case 'failed':
    case 'input_required':
    case 'waiting':
      return new AppError('CLAIM_LOST', `${task.id} is ${task.state}: ${task.note ?? ''}`, {
        hints: [`agentq show ${task.id}`],
      });
  }
}

export function orThrow<T>(value: T | AppError): T {
  if (value instanceof AppError) throw value;
  return value;
}

/** Tasks whose lease has run out wait again; where only shells work nobody else would see to that. */
async function takeBack(store: Store): Promise<void> {
  // A look first: with many at work, a transaction for each would cost a claim more than all else.
  const { open, rows } = await store.read(async ({ attempts, workers }) => ({
    open: await attempts.open(),
    rows: await workers.list(),
  }));
  const alive = new Set(rows.filter((row) => !isGone(row, store.now())).map((row) => row.id));
  for (const { id, agent, workerId } of open) {
    if (agent !== shellAgent || alive.has(workerId)) continue;
    await store.transaction(async (tables) => {
      const attempt = await tables.attempts.get(id);
      if (!attempt || attempt.endedAt !== null) return;
      const row = (await tables.workers.list()).find((worker) => worker.id === attempt.workerId);
      const now = store.now();
      if (row && !isGone(row, now)) return;
      const task = await tables.tasks.get(attempt.taskId);
      if (task?.attemptId === id) await recover(commandKeeper(store), tables, task);
      else if (task) await closeAttempt(tables, { attemptId: id, task }, undefined, now);
      await tables.workers.remove(attempt.workerId);
    });
  }
}

/** A command puts the store in order as a worker would, but runs nothing. */
export function commandKeeper(store: Store): Keeper {
  return {
    id: '',
    store,
    now: () => store.now(),
    log: () => undefined,
    agent: { supports: { resume: false } },
  };
}
