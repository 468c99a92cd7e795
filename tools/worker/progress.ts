/**
 * The "working on it" comment, edited in place: the latest step, at most once a minute. Best effort: an edit that
 * fails is not repeated, and none is made once the attempt is over.
 */
import { messageOf } from '../errors.ts';
import type { Task } from '../store/tasks.ts';
import { signature } from './thread.ts';
import type { Worker } from './worker.ts';

export function progressId(taskId: string, round: number): string {
  return `${taskId}:r${round}:progress`;
}

export interface Progress {
  /** Show this text soon, if the last edit is long enough ago. */
  step(task: Task, text: string): void;
  /** Show this text now. */
  edit(task: Task, text: string): Promise<void>;
  /** Something is to be delivered. */
  wake(): void;
  /** No more edits for this task until the next attempt. */
  stop(taskId: string): void;
  /** Settles when no edit is under way. */
  idle(): Promise<void>;
}

export function createProgress(worker: Worker, wake: () => void, everyMs = 60_000): Progress {
  const lastAt = new Map<string, number>();
  const underWay = new Set<Promise<void>>();

  async function send(task: Task, text: string): Promise<void> {
    const queue = worker.queues.get(task.queue);
    if (!queue?.supports.editComments) return;
    const report = await worker.store.read(({ reports }) => reports.get(progressId(task.id, task.round)));
    if (report?.state !== 'sent' || report.nativeId === null) return;
    await queue.editComment(report.nativeId, text + signature(worker.store.id, worker.startedAt));
  }

  const edit = (task: Task, text: string): Promise<void> => {
    const sending = send(task, text)
      .catch((error: unknown) =>
        worker.log({
          type: 'warning',
          text: `a progress note was not shown: ${messageOf(error)}`,
          hints: [],
        }),
      )
      .finally(() => underWay.delete(sending));
    underWay.add(sending);
    return sending;
  };

  return {
    step(task, text) {
      const now = worker.now();
      const last = lastAt.get(task.id);
      if (last === undefined) lastAt.set(task.id, now);
      if (last === undefined || now - last < everyMs) return;
      lastAt.set(task.id, now);
      void edit(task, text);
    },
    edit,
    wake,
    stop: (taskId) => void lastAt.delete(taskId),
    async idle() {
      await Promise.all(underWay);
    },
  };
}
