/** Cancelling: the same act for a person in the queue, for `agentq cancel`, and for a word from the broker. */
import { brokerQueueName } from '../queues/queue.ts';
import { isLive } from '../store/states.ts';
import type { Tables } from '../store/store.ts';
import { withBroker, type Task } from '../store/tasks.ts';
import { tellRequester } from '../delegation/tell-requester.ts';
import type { NewWorkerEvent } from './worker-event.ts';

/**
 * Stops a live task for good: its attempt is fenced off, and nothing of it is told to the queue any more. Of a delegated
 * task the asker is told, and where a broker has it all workers of the broker are.
 */
export async function cancel(tables: Tables, task: Task, why: string, now: number): Promise<NewWorkerEvent> {
  await tables.reports.dropUnsent(task.id, why);
  const elsewhere = task.queue === brokerQueueName && task.availableAt === withBroker;
  const meta = elsewhere ? { ...task.meta, withdrawn: true } : task.meta;
  await tables.tasks.move(
    task,
    'cancelled',
    { note: why, availableAt: elsewhere ? withBroker : 0, meta },
    now,
  );
  if (elsewhere) await tellWorkers(tables, task, why, now);
  else await tellRequester(tables, task.id, now);
  return { type: 'task_cancelled', taskId: task.id, title: task.title, why };
}

/** All workers of the broker that holds the task are to drop it. */
export async function tellWorkers(tables: Tables, task: Task, why: string, now: number): Promise<void> {
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
          reason: why.slice(0, 2000),
          created_at: new Date(now).toISOString(),
        },
      },
    },
    now,
  );
}

/** A broker's word that a task is to be dropped. Yields undefined when it is not here, or at rest. */
export async function cancelById(
  tables: Tables,
  id: string,
  why: string,
  now: number,
): Promise<NewWorkerEvent | undefined> {
  const task = await tables.tasks.get(id);
  if (!task || !isLive(task.state) || task.queue !== brokerQueueName) return undefined;
  if (task.availableAt === withBroker) return undefined;
  return cancel(tables, task, why, now);
}
