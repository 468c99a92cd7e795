/** Running a task that has ended again, where it runs: here, or by way of the broker that some other machine serves. */
import { AppError } from '../errors.ts';
import type { TaskEnvelope } from '../queues/envelope.ts';
import type { Role } from '../roles/role.ts';
import type { Tables } from '../store/store.ts';
import { withBroker, type Task, type TaskPatch } from '../store/tasks.ts';
import { deadlineOf } from './delegated.ts';
import { again, contentHash } from '../worker/enqueue.ts';

/** Bytes; more than that no worker takes. */
const maxMessage = 64 * 1024;

export interface PutBack {
  task: Task;
  role: Role | undefined;
  why: string;
  /** Instead of the description it had. */
  description?: string | undefined;
}

export async function putBack(tables: Tables, given: PutBack, now: number): Promise<void> {
  const { task, role, why, description } = given;
  const start = { turn: { kind: 'start' }, why, afresh: true } as const;
  const patch: TaskPatch =
    description === undefined ? {} : { description, contentHash: contentHash(task.title, description) };
  const { envelope } = task.meta;
  if (task.availableAt !== withBroker || envelope === undefined)
    return again(tables, task, role, { ...start, patch }, now);
  const fresh = renewed(envelope, description, now);
  const size = Buffer.byteLength(JSON.stringify(fresh));
  if (size > maxMessage)
    throw new AppError('BAD_INPUT', `expected a message of at most 64 KiB, got: ${size} bytes`, {
      hints: ['submit a new task, with the details in a file: agentq submit --file'],
    });
  const { withdrawn: _, ...known } = task.meta;
  const meta = { ...known, envelope: fresh };
  const remote = { ...patch, availableAt: withBroker, deadlineAt: deadlineOf(fresh) ?? null };
  await again(tables, { ...task, meta }, role, { ...start, patch: remote }, now);
  return sendTask(tables, task, fresh, now);
}

/** The task for the broker, once for each time it was put back. */
export async function sendTask(
  tables: Tables,
  task: Pick<Task, 'id' | 'queue'>,
  envelope: TaskEnvelope,
  now: number,
): Promise<void> {
  await tables.reports.add(
    {
      id: `${task.id}:task:${envelope.redrive ?? 0}`,
      taskId: task.id,
      attemptId: null,
      queue: task.queue,
      body: { kind: 'task', envelope },
    },
    now,
  );
}

/** Its time counts anew; a new description takes the place of instructions and context alike. */
function renewed(envelope: TaskEnvelope, description: string | undefined, now: number): TaskEnvelope {
  const fresh: TaskEnvelope = {
    ...envelope,
    redrive: (envelope.redrive ?? 0) + 1,
    created_at: new Date(now).toISOString(),
  };
  if (description === undefined) return fresh;
  delete fresh.context_ref;
  delete fresh.context_provenance;
  return { ...fresh, instructions: description };
}
