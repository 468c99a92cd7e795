/**
 * Taking a task back from the broker that holds it: workers that have it are told, and a mark beside its artifacts tells
 * whoever gets it later that there is nothing to begin.
 */
import type { ArtifactStore } from '../artifacts/artifacts.ts';
import { cancelledRef } from '../artifacts/refs.ts';
import { brokerQueueName } from '../queues/queue.ts';
import type { Tables } from '../store/store.ts';
import type { Task } from '../store/tasks.ts';

/** Call it in the transaction that makes it true. Does nothing for tasks of other queues. */
export async function withdraw(tables: Tables, task: Task, reason: string, now: number): Promise<void> {
  if (task.queue !== brokerQueueName) return;
  await tables.reports.dropUnsent(task.id, reason);
  await tables.reports.add(
    {
      id: `${task.id}:r${task.round}:cancellation`,
      taskId: task.id,
      attemptId: null,
      queue: task.queue,
      body: {
        kind: 'cancellation',
        envelope: {
          schema: 'agentq/control/1',
          action: 'cancel',
          task_id: task.id,
          reason: reason.slice(0, 2000),
          created_at: new Date(now).toISOString(),
        },
      },
    },
    now,
  );
}

export async function markWithdrawn(
  artifacts: ArtifactStore,
  taskId: string,
  reason: string,
  now: number,
): Promise<void> {
  const mark = { task_id: taskId, reason, at: new Date(now).toISOString() };
  await artifacts.write(cancelledRef(taskId), `${JSON.stringify(mark)}\n`);
}
