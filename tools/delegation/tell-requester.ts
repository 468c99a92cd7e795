/** Whoever delegated a task over a broker is told how it came to rest, once for each rest, through the outbox. */
import type { CompletionEnvelope } from '../queues/envelope.ts';
import { brokerQueueName } from '../queues/queue.ts';
import type { State } from '../store/states.ts';
import type { Tables } from '../store/store.ts';
import { withBroker, type Task } from '../store/tasks.ts';

const statuses: Partial<Record<State, CompletionEnvelope['status']>> = {
  completed: 'completed',
  failed: 'failed',
  cancelled: 'cancelled',
  input_required: 'input_required',
};

/** Call it in the transaction that brought the task to rest. Does nothing for tasks of other queues. */
export async function tellRequester(tables: Tables, taskId: string, now: number): Promise<void> {
  const task = await tables.tasks.get(taskId);
  // What the broker still holds has not been ours: it is we who delegated it.
  if (task?.queue !== brokerQueueName || task.availableAt === withBroker) return;
  const attempts = await tables.attempts.list(taskId);
  const completion = completionOf(task, attempts.length, now);
  if (!completion) return;
  const replyTo = task.meta.envelope?.reply_to ?? `results.${completion.to}`;
  const id = `${task.id}:r${task.round}:${completion.status}:completion`;
  // Asked again, though it was told: what was said may have been lost with whoever asked.
  await tables.reports.repeat(id);
  await tables.reports.add(
    {
      id,
      taskId,
      attemptId: null,
      queue: task.queue,
      body: { kind: 'completion', envelope: completion, replyTo },
    },
    now,
  );
}

/** Undefined: it is not at rest, or nobody delegated it. */
export function completionOf(task: Task, attempt: number, now: number): CompletionEnvelope | undefined {
  const status = statuses[task.state];
  const { envelope, result } = task.meta;
  if (status === undefined || envelope === undefined) return undefined;
  const done = status === 'completed' && result !== undefined;
  return {
    schema: 'agentq/completion/1',
    task_id: task.id,
    from: task.role,
    to: envelope.from,
    status,
    ...(done ? { result_ref: result.ref, manifest_sha256: result.manifestSha256 } : {}),
    summary: (done ? result.summary : (task.note ?? '')).slice(0, 4000),
    attempt,
    ...(envelope.redrive === undefined ? {} : { redrive: envelope.redrive }),
    created_at: new Date(now).toISOString(),
  };
}
