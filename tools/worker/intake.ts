/**
 * Intake: what has changed in the queue becomes what is to be done. Changes, decisions and the cursor are stored in
 * one transaction, so that a crash reads the same changes again or not at all.
 */
import { AppError } from '../errors.ts';
import type { CommentSnapshot, Queue, QueueDelta, TaskSnapshot } from '../queues/queue.ts';
import type { Role } from '../roles/role.ts';
import { isLive } from '../store/states.ts';
import type { Tables } from '../store/store.ts';
import type { Task } from '../store/tasks.ts';
import { cancel } from './cancel.ts';
import { crashPoint } from './crash-point.ts';
import { decide, ours } from './eligibility.ts';
import { again, editsFrom, freshTask, fromSnapshot } from './enqueue.ts';
import { heed } from './heed.ts';
import { signedBy } from './thread.ts';
import type { Worker } from './worker.ts';
import type { NewWorkerEvent } from './worker-event.ts';

/** Which project is whose desk. */
export type Desks = ReadonlyMap<string, Role>;

/** One poll of one queue. Throws QUEUE_* and changes nothing when the queue cannot be read. */
export async function intake(worker: Worker, queue: Queue, desks: Desks): Promise<void> {
  const before = await worker.store.read(async ({ mirror }) => ({
    cursor: await mirror.cursor(queue.name),
    known: await mirror.itemIds(queue.name),
  }));
  const delta = await queue.poll(before.cursor, before.known);
  const comments = [
    ...delta.comments,
    ...(await missingComments(worker, queue, delta, before.cursor === undefined)),
  ];
  crashPoint('polled');
  const events = await worker.store.transaction((tables) =>
    apply({ worker, tables, queue, desks, delta: { ...delta, comments }, since: before.cursor }),
  );
  crashPoint('intake-stored');
  if (!delta.full) giveWay(worker, comments);
  const served = new Set(worker.roles().map((role) => role.name));
  for (const event of events) if (!('role' in event) || served.has(event.role)) worker.log(event);
  for (const { nativeId, problem } of delta.unreadable)
    worker.log({
      type: 'warning',
      text: `${queue.name} sent something that cannot be read (${nativeId ?? 'no id'}): ${problem}`,
      hints: ['it is left alone; everything else goes on'],
    });
}

/**
 * A comment that arrives now, signed by a worker with another store, means that both work on one project. The one
 * that started later stops. Throws QUEUE_TAKEN.
 */
function giveWay(worker: Worker, comments: readonly CommentSnapshot[]): void {
  for (const comment of comments) {
    const other = signedBy(comment.text);
    if (other?.since === undefined || other.storeId === worker.store.id) continue;
    // Todoist's clock is not ours; a minute is more than clocks that are kept right differ by.
    if (comment.postedAt < worker.startedAt - 60_000) continue;
    const first =
      other.since < worker.startedAt || (other.since === worker.startedAt && other.storeId < worker.store.id);
    if (!first) continue;
    throw new AppError(
      'QUEUE_TAKEN',
      `another worker (store ${other.storeId}) is already working on this project`,
      {
        hints: [
          'stop one of the two; this one has stopped, and nothing was lost',
          'to share the work, give both the same AGENT_DATA_DIR',
        ],
      },
    );
  }
}

/** Comments that the delta cannot hold: of tasks that moved in, or that the queue says it left out. */
async function missingComments(
  worker: Worker,
  queue: Queue,
  delta: QueueDelta,
  first: boolean,
): Promise<CommentSnapshot[]> {
  const incomplete = new Set(delta.commentsIncomplete);
  if (!delta.full && !first) {
    for (const item of delta.tasks) {
      if (item.presence !== 'open' || item.parentId !== undefined) continue;
      const isNew = item.addedAt !== undefined && worker.now() - item.addedAt < 10 * 60_000;
      const known = await worker.store.read(({ mirror }) => mirror.item(queue.name, item.nativeId));
      if (!known && !isNew) incomplete.add(item.nativeId);
    }
  }
  const found: CommentSnapshot[] = [];
  for (const nativeId of incomplete) found.push(...(await queue.comments(nativeId)));
  return found;
}

interface Batch {
  worker: Worker;
  tables: Tables;
  queue: Queue;
  desks: Desks;
  delta: QueueDelta;
  /** The cursor the delta was read from. */
  since: string | undefined;
}

async function apply(batch: Batch): Promise<NewWorkerEvent[]> {
  const { worker, tables, queue, desks, delta } = batch;
  const events: NewWorkerEvent[] = [];
  // Somebody else has read on since: what we hold is the past, and would undo what they stored.
  if ((await tables.mirror.cursor(queue.name)) !== batch.since) return events;
  if (delta.full) await forgetMissing(batch);
  // Comments first: a new task's prompt, and an answer's turn, are made of them.
  const talked = new Set<string>();
  for (const comment of delta.comments)
    if (await storeComment(batch, comment)) talked.add(comment.taskNativeId);
  for (const item of delta.tasks) events.push(...(await applyItem(batch, item)));
  for (const nativeId of talked) {
    const task = await tables.tasks.byNativeId(queue.name, nativeId);
    if (!task) continue;
    const why = await heed(
      tables,
      task,
      [...desks.values()].find((role) => role.name === task.role),
      worker.now(),
    );
    if (why !== undefined)
      events.push({ type: 'task_queued', taskId: task.id, role: task.role, title: task.title, why });
  }
  await tables.mirror.saveCursor(queue.name, delta.cursor, worker.now());
  return events;
}

/** A full delta names all that is open; mirrored items it does not name, and that were readable, have gone. */
async function forgetMissing({ tables, queue, delta }: Batch): Promise<void> {
  const named = new Set(delta.tasks.map((item) => item.nativeId));
  for (const { nativeId } of delta.unreadable) if (nativeId !== undefined) named.add(nativeId);
  for (const id of await tables.mirror.itemIds(queue.name))
    if (!named.has(id)) await tables.mirror.removeItem(queue.name, id);
}

/** Yields true for a new human comment. */
async function storeComment({ tables, queue }: Batch, comment: CommentSnapshot): Promise<boolean> {
  if (comment.deleted) {
    await tables.mirror.removeComment(queue.name, comment.nativeId);
    return false;
  }
  const signed = signedBy(comment.text);
  // A "working on it" is no part of the thread, whoever wrote it.
  if (signed?.since !== undefined) return false;
  const own = signed !== undefined || (await tables.reports.isOurs(queue.name, comment.nativeId));
  const known = await tables.mirror.comment(queue.name, comment.nativeId);
  await tables.mirror.saveComment({
    queue: queue.name,
    nativeId: comment.nativeId,
    taskNativeId: comment.taskNativeId,
    author: own ? 'worker' : 'human',
    text: comment.text,
    attachment: comment.attachment ?? null,
    postedAt: comment.postedAt,
    used: own || (known?.used ?? false),
  });
  return !own && !known?.used;
}

async function applyItem(batch: Batch, after: TaskSnapshot): Promise<NewWorkerEvent[]> {
  const { worker, tables, queue, desks } = batch;
  const before = await tables.mirror.item(queue.name, after.nativeId);
  const task = await tables.tasks.byNativeId(queue.name, after.nativeId);
  const role = desks.get(after.projectId);
  const pending = task ? await tables.reports.pendingFor(task.id) : [];
  const decision = decide({
    before,
    after,
    task,
    inScope: role !== undefined,
    newDesk: role !== undefined && task !== undefined && task.role !== role.name ? role.name : undefined,
    labelPending: pending.some((report) => report.body.kind === 'label'),
    now: worker.now(),
  });
  const stays = role !== undefined || before?.projectId === after.projectId;
  if (after.presence === 'open' && stays) await tables.mirror.saveItem(queue.name, after);
  else await tables.mirror.removeItem(queue.name, after.nativeId);
  return carryOut(batch, { decision, after, task, role });
}

interface Case {
  decision: ReturnType<typeof decide>;
  after: TaskSnapshot;
  task: Task | undefined;
  role: Role | undefined;
}

async function carryOut(batch: Batch, { decision, after, task, role }: Case): Promise<NewWorkerEvent[]> {
  const { worker, tables, queue } = batch;
  const now = worker.now();
  switch (decision.action) {
    case 'none':
      return [];
    case 'enqueue': {
      if (!role) return [];
      const until = begunElsewhere(batch, after.nativeId, role);
      const availableAt = Math.max(decision.availableAt, until);
      const fresh = freshTask(fromSnapshot(queue.name, role, after, availableAt), now);
      await tables.tasks.insert(fresh, now);
      const why = until > now ? 'another worker has begun it; it is left to it until its time is up' : 'new';
      return [{ type: 'task_queued', taskId: fresh.id, role: role.name, title: fresh.title, why }];
    }
    case 'adopt': {
      if (!role) return [];
      const known = freshTask(fromSnapshot(queue.name, role, after, 0), now);
      const note = `labelled ${ours(after.labels).join(', ')} before this store knew it`;
      await tables.tasks.insert({ ...known, state: decision.state, note }, now);
      await useAnswered(tables, queue.name, after.nativeId);
      return [];
    }
    case 'cancel':
      return task ? [await cancel(tables, task, decision.why, now)] : [];
    case 'update':
      if (task && role) await tables.tasks.patch(task.id, editsFrom(after, task, role), now);
      return [];
    case 'rerun': {
      if (!task || !role) return [];
      const resting = await rest(tables, task, decision.why, now);
      const recurring = after.due?.recurring ? { occurrence: after.due.date } : {};
      // Rank and deadline are those of the new round, not of the one before it.
      const base = { ...task.meta, deadlineBase: Math.max(now, decision.availableAt) };
      const begun = { ...task, enqueuedAt: now, meta: base };
      const patch = { ...editsFrom(after, begun, role), role: role.name, ...recurring };
      await again(
        tables,
        resting,
        role,
        {
          turn: { kind: 'start' },
          why: decision.why,
          afresh: true,
          availableAt: decision.availableAt,
          patch,
        },
        now,
      );
      const heard = await tables.mirror.comments(queue.name, after.nativeId);
      await tables.mirror.useComments(
        queue.name,
        heard.map((comment) => comment.nativeId),
      );
      return [
        { type: 'task_queued', taskId: task.id, role: role.name, title: task.title, why: decision.why },
      ];
    }
  }
}

/**
 * A worker with another store has said that it works on this task. As long as its agent may still run the task is its
 * own: it labels it, or its time is up and whoever is left takes it. Yields epoch ms, 0 for nobody.
 */
function begunElsewhere({ worker, delta }: Batch, nativeId: string, role: Role): number {
  const begun = delta.comments.filter((comment) => {
    const signed = signedBy(comment.text);
    if (signed?.since === undefined || signed.storeId === worker.store.id) return false;
    // One that started after us gives way by itself once we have spoken.
    if (signed.since > worker.startedAt) return false;
    return comment.taskNativeId === nativeId && !comment.deleted;
  });
  const until = Math.max(0, ...begun.map((comment) => comment.postedAt + role.timeoutMs));
  return until > worker.now() ? until : 0;
}

/** Of a task that an earlier store knew: what people said before our last word has been heard, what came after has not. */
async function useAnswered(tables: Tables, queue: string, nativeId: string): Promise<void> {
  const thread = await tables.mirror.comments(queue, nativeId);
  const lastWord = thread.findLastIndex((comment) => comment.author === 'worker');
  await tables.mirror.useComments(
    queue,
    thread.slice(0, lastWord + 1).map((comment) => comment.nativeId),
  );
}

/** A task that is to start over must not be running or queued: whatever was under way belongs to the past. */
async function rest(tables: Tables, task: Task, why: string, now: number): Promise<Task> {
  if (!isLive(task.state)) return task;
  await cancel(tables, task, why, now);
  return (await tables.tasks.get(task.id)) ?? task;
}
