/** Putting a task into the store's queue, for the first time or again; shared by intake, `agentq` and answers. */
import { createHash } from 'node:crypto';
import type { TaskSnapshot } from '../queues/queue.ts';
import type { Role } from '../roles/role.ts';
import type { Tables } from '../store/store.ts';
import { noDue, ordinalOf, type Task, type TaskMeta, type TaskPatch, type Turn } from '../store/tasks.ts';
import { tell } from './tell.ts';

export function contentHash(title: string, description: string): string {
  return createHash('sha256')
    .update(JSON.stringify([title, description]))
    .digest('hex');
}

export interface NewTask {
  id: string;
  queue: string;
  nativeId: string;
  role: Pick<Role, 'name' | 'deadlineMs'>;
  title: string;
  description: string;
  priority: number;
  dueAt?: number | undefined;
  position?: number;
  availableAt?: number;
  deadlineAt?: number | undefined;
  occurrence?: string | undefined;
  submitKey?: string | undefined;
  parentId?: string | undefined;
  meta?: TaskMeta;
}

/** The row of a task that nobody has worked on. */
export function freshTask(given: NewTask, now: number): Task {
  return {
    id: given.id,
    queue: given.queue,
    nativeId: given.nativeId,
    role: given.role.name,
    title: given.title,
    description: given.description,
    priority: given.priority,
    dueAt: given.dueAt ?? noDue,
    position: given.position ?? 0,
    ordinal: ordinalOf(given.priority, now),
    state: 'queued',
    availableAt: given.availableAt ?? 0,
    createdAt: now,
    enqueuedAt: now,
    updatedAt: now,
    deadlineAt: deadlineOf(given.role, Math.max(now, given.availableAt ?? 0), given.deadlineAt),
    round: 1,
    failures: 0,
    turn: { kind: 'start' },
    attemptId: null,
    workerId: null,
    leaseUntil: null,
    sessionId: null,
    sessionCost: 0,
    sessionUsable: false,
    cost: 0,
    note: null,
    failureKind: null,
    occurrence: given.occurrence ?? null,
    contentHash: contentHash(given.title, given.description),
    submitKey: given.submitKey ?? null,
    parentId: given.parentId ?? null,
    meta: { ...given.meta, deadlineBase: Math.max(now, given.availableAt ?? 0) },
  };
}

/** Latest useful completion: the earliest of the task's own deadline and the role's, counted from `from`. */
export function deadlineOf(
  role: Pick<Role, 'deadlineMs'>,
  from: number,
  own: number | undefined,
): number | null {
  const byRole = role.deadlineMs === undefined ? undefined : from + role.deadlineMs;
  const known = [byRole, own].filter((at) => at !== undefined);
  return known.length === 0 ? null : Math.min(...known);
}

export function fromSnapshot(queue: string, role: Role, item: TaskSnapshot, availableAt: number): NewTask {
  return {
    id: `${queue}:${item.nativeId}`,
    queue,
    nativeId: item.nativeId,
    role,
    title: item.title,
    description: item.description,
    priority: item.priority,
    dueAt: item.due?.at,
    position: item.position,
    availableAt,
    deadlineAt: item.deadlineAt,
    occurrence: item.due?.recurring ? item.due.date : undefined,
    meta: item.due?.recurring ? { recurring: true } : {},
  };
}

/** What an edit in the queue changes of a task. */
export function editsFrom(item: TaskSnapshot, task: Task, role: Role): TaskPatch {
  const from = task.meta.deadlineBase ?? task.enqueuedAt;
  // A deadline that had passed before this round was asked for cannot be what the human means by it.
  const own = item.deadlineAt !== undefined && item.deadlineAt > from ? item.deadlineAt : undefined;
  return {
    title: item.title,
    description: item.description,
    contentHash: contentHash(item.title, item.description),
    priority: item.priority,
    dueAt: item.due?.at ?? noDue,
    position: item.position,
    ordinal: ordinalOf(item.priority, task.enqueuedAt),
    deadlineAt: deadlineOf(role, from, own),
    ...(task.occurrence === null && item.due?.recurring ? { occurrence: item.due.date } : {}),
  };
}

export interface Again {
  turn: Turn;
  why: string;
  /** True: a new session and a clean slate; false: the same session goes on. */
  afresh: boolean;
  availableAt?: number;
  patch?: TaskPatch;
}

/** A new round for a task that had come to rest. Takes our label off, and tells nothing else. */
export async function again(
  tables: Tables,
  task: Task,
  role: Role | undefined,
  how: Again,
  now: number,
): Promise<void> {
  const meta: TaskMeta = { ...task.meta, crashes: 0, evidenceRetried: false, costAtRound: task.cost };
  delete meta.asked;
  delete meta.askedHash;
  if (how.afresh) delete meta.rounds;
  else meta.rounds = (task.meta.rounds ?? 0) + 1;
  const availableAt = how.availableAt ?? 0;
  const from = Math.max(now, availableAt);
  meta.deadlineBase = from;
  // What was approved was approved for that round.
  if (how.afresh) await tables.grants.clear(task.id);
  await tables.tasks.move(
    task,
    'queued',
    {
      round: task.round + 1,
      failures: 0,
      turn: how.turn,
      availableAt,
      enqueuedAt: now,
      ordinal: ordinalOf(task.priority, now),
      deadlineAt: role ? deadlineOf(role, from, undefined) : null,
      failureKind: null,
      note: how.why,
      meta,
      ...(how.afresh ? { sessionId: null, sessionUsable: false, sessionCost: 0 } : {}),
      ...how.patch,
    },
    now,
  );
  await tell(
    tables,
    {
      id: `${task.id}:r${task.round + 1}:label`,
      taskId: task.id,
      attemptId: null,
      queue: task.queue,
      body: { kind: 'label', label: null },
    },
    now,
  );
}
