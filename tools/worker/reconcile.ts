/**
 * Reconciling, before anything is dispatched: tasks of workers that are gone are taken back, what is past its
 * deadline ends, and our own agents whose task is no longer ours are stopped.
 */
import { readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { attemptMarker } from '../agents/agent.ts';
import { bootId, isAlive, killMarked, processStartTime } from '../agents/processes.ts';
import { agentLabels } from '../queues/queue.ts';
import type { Attempt } from '../store/attempts.ts';
import type { Tables } from '../store/store.ts';
import { withBroker, type Task } from '../store/tasks.ts';
import type { WorkerRow } from '../store/workers.ts';
import { closeAttempt } from './close-attempt.ts';
import * as say from './messages.ts';
import { maxCrashes } from './settle.ts';
import { tellRequester } from '../delegation/tell-requester.ts';
import { signature } from './thread.ts';
import type { Worker } from './worker.ts';
import { tell } from './tell.ts';

const host = hostname();
/** This boot of this machine, and the process numbers that count here: a container has its own. */
const boot = `${bootId()} ${processNamespace()}`;

export function thisProcess(worker: Worker): WorkerRow {
  return {
    id: worker.id,
    host,
    bootId: boot,
    pid: process.pid,
    pidStart: processStartTime(process.pid) ?? '',
    startedAt: worker.now(),
    seenAt: worker.now(),
    leaseMs: worker.options.leaseMs,
    serves: worker.roles().map((role) => role.name),
  };
}

function processNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return 'all'; // no such thing on this system
  }
}

export async function reconcile(worker: Worker): Promise<void> {
  await takeBack(worker);
  await expire(worker);
  await stopLost(worker);
}

/**
 * On the same machine a worker is gone when its very process is; its lease is not waited for, and a jump of the wall
 * clock cannot make a living worker look dead. Of another machine only the silence is known.
 */
export function isGone(row: WorkerRow, now: number): boolean {
  if (row.bootId !== boot) return row.seenAt + row.leaseMs < now;
  return !isAlive(row.pid, row.pidStart);
}

/** Takes back what workers that are gone have left: their tasks, their agents, and the duty to poll a queue. */
export async function takeBack(worker: Worker): Promise<void> {
  // Workers last: one that has registered meanwhile must not look gone.
  const { running, open, rows } = await worker.store.read(async ({ workers, tasks, attempts }) => ({
    running: await tasks.running(),
    open: await attempts.open(),
    rows: await workers.list(),
  }));
  const now = worker.now();
  const alive = new Set(rows.filter((row) => !isGone(row, now)).map((row) => row.id));
  for (const task of running) {
    if (task.workerId === null || task.attemptId === null) continue;
    // One of ours that nobody works on any more: its attempt broke down without an outcome.
    const abandoned = task.workerId === worker.id && !worker.running.has(task.attemptId);
    if (alive.has(task.workerId) && !abandoned) continue;
    // What is left of the old agent ends before the task can start again; on other machines their guard does it.
    await killMarked(attemptMarker, task.attemptId);
    await worker.store.transaction((tables) => recover(worker, tables, task));
  }
  // Of cancelled tasks too: what they have cost is kept, and their next attempt need not wait.
  for (const attempt of open) if (!alive.has(attempt.workerId)) await closeOrphan(worker, attempt);
  for (const row of rows)
    if (!alive.has(row.id) && row.id !== worker.id)
      await worker.store.transaction(({ workers }) => workers.remove(row.id));
}

async function closeOrphan(worker: Worker, attempt: Attempt): Promise<void> {
  await killMarked(attemptMarker, attempt.id);
  await worker.store.transaction(async (tables) => {
    const task = await tables.tasks.get(attempt.taskId);
    if (!task || task.attemptId === attempt.id) return;
    await closeAttempt(tables, { attemptId: attempt.id, task }, undefined, worker.now());
  });
}

/** Who puts things right: a worker, or a command that claims. */
export interface Keeper extends Pick<Worker, 'id' | 'store' | 'now' | 'log'> {
  agent: { supports: { resume: boolean } };
}

/** A task whose worker is gone waits again, or has failed when that has happened too often. */
export async function recover(worker: Keeper, tables: Tables, seen: Task): Promise<void> {
  const task = await tables.tasks.get(seen.id);
  if (!task || task.state !== 'running' || task.attemptId !== seen.attemptId || task.attemptId === null)
    return;
  const attempt = await tables.attempts.get(task.attemptId);
  const now = worker.now();
  // One of our own that broke down says nothing about the task: its worker is alive.
  const crashes = (task.meta.crashes ?? 0) + (seen.workerId === worker.id ? 0 : 1);
  await tables.attempts.finish(task.attemptId, lostAttempt(attempt, now));
  const cost = attempt?.cost ?? 0;
  const carried = {
    cost: task.cost + cost,
    sessionCost: task.sessionCost + cost,
    sessionUsable: worker.agent.supports.resume,
    meta: { ...task.meta, crashes },
    failureKind: 'transient',
  };
  if (crashes <= maxCrashes) {
    await tables.tasks.move(task, 'queued', { ...carried, availableAt: 0, note: 'its worker was gone' }, now);
    worker.log({
      type: 'task_queued',
      taskId: task.id,
      role: task.role,
      title: task.title,
      why: 'its worker was gone',
    });
    return;
  }
  const message = `The worker has died ${crashes} times while working on this; the task may be the cause.`;
  await tables.tasks.move(task, 'failed', { ...carried, note: message }, now);
  await bury(worker, tables, task, message, cost);
}

function lostAttempt(attempt: Attempt | undefined, now: number): Parameters<Tables['attempts']['finish']>[1] {
  return {
    result: 'parked',
    failureKind: 'transient',
    failureCode: 'worker_lost',
    message: 'The worker was gone before the attempt ended.',
    spent: false,
    cost: attempt?.cost ?? 0,
    turns: null,
    denials: [],
    artifacts: [],
    endedAt: now,
  };
}

/** Past its latest useful completion: what waits never starts, what runs is stopped; both are escalated. */
async function expire(worker: Worker): Promise<void> {
  const late = await worker.store.read(({ tasks }) => tasks.overdue(worker.now()));
  for (const { id } of late) {
    const expired = await worker.store.transaction((tables) => expireTask(worker, tables, id));
    if (expired)
      worker.log({
        type: 'attempt_ended',
        taskId: expired.id,
        role: expired.role,
        title: expired.title,
        state: 'failed',
        text: 'past its deadline, not run',
        costUsd: 0,
        durationMs: 0,
      });
  }
}

/** Yields the task when its deadline has ended it. */
export async function expireTask(worker: Keeper, tables: Tables, id: string): Promise<Task | undefined> {
  const task = await tables.tasks.get(id);
  const now = worker.now();
  if (!task || task.deadlineAt === null || task.deadlineAt > now) return undefined;
  // A running agent of ours ends by its own clock and settles with what it has; a second later it is overdue.
  if (task.state === 'running' && (task.workerId === worker.id || now < task.deadlineAt + 60_000))
    return undefined;
  if (task.state !== 'queued' && task.state !== 'waiting') return undefined;
  // What a broker holds may be running elsewhere, and tells of itself; its silence has to last.
  const elsewhere = task.availableAt === withBroker;
  if (elsewhere && now < task.deadlineAt + 5 * 60_000) return undefined;
  const when = new Date(task.deadlineAt).toLocaleString('en-GB', {
    dateStyle: 'medium',
    timeStyle: 'short',
  });
  const message =
    task.failures > 0
      ? `This was to be done by ${when}, and that has passed. It is not tried again: ${task.note ?? ''}`
      : `This was to be done by ${when}, and that has passed before it could start. It was not run.`;
  const availableAt = elsewhere ? withBroker : 0;
  await tables.tasks.move(task, 'failed', { note: message, failureKind: 'deadline', availableAt }, now);
  await bury(worker, tables, task, message, 0, 'deadline');
  return task;
}

async function bury(
  worker: Keeper,
  tables: Tables,
  task: Task,
  message: string,
  cost: number,
  kind: 'deadline' | 'transient' = 'transient',
): Promise<void> {
  const now = worker.now();
  const text = say.failed(
    { failure: { kind, code: kind, message }, attempts: 1, history: [] },
    {
      durationMs: now - task.enqueuedAt,
      costUsd: task.cost + cost,
      artifacts: [],
      draft: undefined,
      denials: [],
    },
  );
  const about = { taskId: task.id, attemptId: task.attemptId, queue: task.queue };
  const id = `${task.id}:r${task.round}:dead`;
  await tell(
    tables,
    { ...about, id, body: { kind: 'comment', text: text + signature(worker.store.id) } },
    now,
  );
  await tell(
    tables,
    { ...about, id: `${id}:label`, body: { kind: 'label', label: agentLabels.failed } },
    now,
  );
  await tellRequester(tables, task.id, now);
}

/** An agent whose task was cancelled, or taken over by another worker, is stopped, and nothing it did is told. */
export async function stopLost(worker: Worker): Promise<void> {
  // One that starts while we look is not among what we see.
  const attempts = [...worker.running];
  if (attempts.length === 0) return;
  const mine = await worker.store.read(({ tasks }) => tasks.running(worker.id));
  const held = new Set(mine.map((task) => task.attemptId));
  for (const [attemptId, attempt] of attempts) if (!held.has(attemptId)) attempt.abort('lost');
}
