/**
 * Telling: a report goes into the outbox, in the transaction that makes it true. What is for people, of a queue that has
 * none but those who look into the store, is told by being stored: it needs no delivery.
 */
import { localQueueName } from '../queues/local.ts';
import { brokerQueueName, type ReportBody } from '../queues/queue.ts';
import type { NewReport } from '../store/reports.ts';
import type { Tables } from '../store/store.ts';
import { withoutSignature } from './thread.ts';

/** Idempotent by the report's id. */
export async function tell(tables: Tables, report: NewReport, now: number): Promise<void> {
  if (!isStoredOnly(report.queue, report.body)) return tables.reports.add(report, now);
  if (await tables.reports.addSent(report, now)) await recordComment(tables, report, report.id, now);
  return undefined;
}

function isStoredOnly(queue: string, body: ReportBody): boolean {
  const forPeople = 'text' in body || body.kind === 'label';
  return queue === localQueueName || (queue === brokerQueueName && forPeople);
}

/** A "working on it" says nothing to the agent; every other comment of ours is part of the thread. */
export async function recordComment(
  tables: Tables,
  { taskId, queue, body }: Pick<NewReport, 'taskId' | 'queue' | 'body'>,
  nativeId: string,
  now: number,
): Promise<void> {
  if (body.kind !== 'comment') return;
  const task = await tables.tasks.get(taskId);
  if (!task) return;
  await tables.mirror.saveComment({
    queue,
    nativeId,
    taskNativeId: task.nativeId,
    author: 'worker',
    text: withoutSignature(body.text),
    attachment: null,
    postedAt: now,
    used: true,
  });
}
