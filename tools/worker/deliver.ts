/**
 * Delivering reports: from the store to the queue, in order for each task, until the queue has them. The write is
 * stored before it is sent; when its answer is lost the driver is asked again with what was sent, and sees to it that
 * the effect happens once.
 */
import { AppError, hasCode, messageOf } from '../errors.ts';
import type { Queue, Receipt } from '../queues/queue.ts';
import type { StoredReport } from '../store/reports.ts';
import type { Tables } from '../store/store.ts';
import { withBroker } from '../store/tasks.ts';
import { backoff, queueBackoff } from './backoff.ts';
import { crashPoint } from './crash-point.ts';
import { recordComment } from './tell.ts';
import type { Worker } from './worker.ts';

/** Whoever tells a queue what is stored for it: the worker, or a command. */
export type Teller = Pick<Worker, 'store' | 'now' | 'random' | 'log'> & { options: { patience: number } };

/**
 * Sends what is due to one queue. A report that fails waits for its own next time while others go on; after two that
 * fail in a row it is the queue, and the rest is left for later. No report is begun after `mostMs`; yields true when some
 * may be left. Throws the last QUEUE_* if any failed.
 */
export async function deliver(worker: Teller, queue: Queue, mostMs = Infinity): Promise<boolean> {
  const end = performance.now() + mostMs;
  let trouble: Error | undefined;
  let inARow = 0;
  for (;;) {
    const due = await worker.store.read(({ reports }) => reports.due(queue.name, worker.now()));
    if (due.length === 0) break;
    for (const report of due) {
      if (performance.now() > end) {
        if (trouble !== undefined) throw trouble;
        return true;
      }
      const problem = await deliverOne(worker, queue, report);
      inARow = problem === undefined ? 0 : inARow + 1;
      trouble = problem ?? trouble;
      const hopeless = hasCode(problem, 'QUEUE_RATE_LIMITED') || hasCode(problem, 'QUEUE_AUTH');
      if (problem && (inARow >= 2 || hopeless)) throw problem;
    }
  }
  if (trouble !== undefined) throw trouble;
  return false;
}

/** Yields what kept the queue from taking it. */
async function deliverOne(worker: Teller, queue: Queue, report: StoredReport): Promise<Error | undefined> {
  try {
    const receipt = await send(worker, queue, report);
    crashPoint('report-sent');
    await mark(worker, queue, report, receipt);
    crashPoint('report-marked');
    if (receipt.status === 'sent')
      worker.log({ type: 'report_sent', taskId: report.taskId, kind: report.body.kind });
  } catch (error) {
    await postponeOrDrop(worker, report, error);
    if (hasCode(error, 'QUEUE_REJECTED')) return undefined;
    return error instanceof Error ? error : new Error(messageOf(error));
  }
  return undefined;
}

async function send(worker: Teller, queue: Queue, report: StoredReport): Promise<Receipt> {
  const nativeTaskId = await worker.store.read(
    async ({ tasks }) => (await tasks.get(report.taskId))?.nativeId ?? report.taskId,
  );
  const prepared = await queue.prepare(
    { id: report.id, nativeTaskId, uuid: report.uuid, body: report.body },
    report.command ?? undefined,
  );
  crashPoint('report-prepared');
  if ('done' in prepared) return prepared.done;
  await worker.store.transaction(({ reports }) => reports.saveCommand(report.id, prepared.command));
  crashPoint('report-command-stored');
  return queue.send(prepared.command);
}

/** What was told is also what the mirror shows, so that the next delta is compared with the truth. */
async function mark(worker: Teller, queue: Queue, report: StoredReport, receipt: Receipt): Promise<void> {
  await worker.store.transaction(async (tables) => {
    const { reports, mirror, tasks } = tables;
    const now = worker.now();
    const task = await tasks.get(report.taskId);
    if (receipt.status === 'gone') {
      // Should it come back before a poll has seen it gone, it comes back without this report.
      if (task) await mirror.removeItem(queue.name, task.nativeId);
      return reports.drop(report.id, 'the task is not there any more');
    }
    await reports.sent(report.id, receipt.nativeId, now);
    if (!task) return undefined;
    if (receipt.labels) {
      const item = await mirror.item(queue.name, task.nativeId);
      if (item) await mirror.saveItem(queue.name, { ...item, labels: receipt.labels });
    }
    return recordComment(tables, report, receipt.nativeId ?? report.id, now);
  });
}

async function postponeOrDrop(worker: Teller, report: StoredReport, error: unknown): Promise<void> {
  const problem = messageOf(error);
  const rejected = error instanceof AppError && error.code === 'QUEUE_REJECTED';
  if (rejected) {
    await worker.store.transaction(async (tables) => {
      await tables.reports.drop(report.id, problem);
      if (report.body.kind === 'task') await endUnsent(tables, report.taskId, problem, worker.now());
    });
    worker.log({
      type: 'warning',
      text: `the queue refused a ${report.body.kind} on ${report.taskId}: ${problem}`,
      hints: [`agentq show ${report.taskId}   (the text is kept there)`],
    });
    return;
  }
  const wait = Math.round(backoff(report.tries + 1, queueBackoff, worker.random()) * worker.options.patience);
  const asked = error instanceof AppError ? (error.retryAt ?? 0) : 0;
  await worker.store.transaction(({ reports }) =>
    reports.postpone(report.id, Math.max(worker.now() + wait, asked), problem),
  );
  if (!(error instanceof AppError)) throw error;
}

/** A task that no broker takes would wait for ever. */
async function endUnsent(tables: Tables, taskId: string, note: string, now: number): Promise<void> {
  const task = await tables.tasks.get(taskId);
  if (task?.state !== 'queued' || task.availableAt !== withBroker) return;
  await tables.tasks.move(task, 'failed', { note, failureKind: 'setup', availableAt: withBroker }, now);
}
