/** `agentq fail`: a worker in a shell gives up. That is said by somebody who knows, so nothing is tried again. */
import { AppError } from '../errors.ts';
import { agentLabels } from '../queues/queue.ts';
import type { Store, Tables } from '../store/store.ts';
import { withBroker, type Task } from '../store/tasks.ts';
import { closing, ended, holdOrBegin, isWithBroker, misplaced } from './end-from-shell.ts';
import { report, takeFromBroker, textOf, type Ending } from './end-from-shell.ts';
import { orThrow, type Held } from './from-shell.ts';
import * as say from '../worker/messages.ts';

/**
 * Ends the task as failed for good, and yields it as it is now; `withdrawn`: a broker had it. Throws CONFLICT or CLAIM_LOST.
 */
export async function fail(
  store: Store,
  ending: Ending & { reason: string },
): Promise<{ task: Task; repeated: boolean; withdrawn: boolean }> {
  const reason = textOf('--reason', ending.reason);
  return orThrow(
    await store.transaction(async (tables) => {
      const now = store.now();
      const task = await tables.tasks.get(ending.taskId);
      const wrong = task && misplaced(task, ending.role);
      if (wrong) return wrong;
      if (task?.state === 'failed' && task.note === reason.slice(0, 1000))
        return { task, repeated: true, withdrawn: false };
      const held = await holdOrBegin(tables, task, ending, now);
      if (held instanceof AppError) return held;
      const withdrawn = task !== undefined && isWithBroker(task);
      if (withdrawn) await takeFromBroker(tables, task, reason, now);
      await bury(tables, store, held, { reason, availableAt: withdrawn ? withBroker : 0 }, now);
      return { task: (await tables.tasks.get(held.task.id)) ?? held.task, repeated: false, withdrawn };
    }),
  );
}

interface End {
  reason: string;
  /** Who may run it again: this store, or whoever the broker gives it to. */
  availableAt: number;
}

async function bury(
  tables: Tables,
  store: Store,
  held: Held,
  { reason, availableAt }: End,
  now: number,
): Promise<void> {
  const { task, attempt } = held;
  const failure = { kind: 'agent', code: 'gave_up', message: reason } as const;
  const { publishing: _, ...meta } = task.meta;
  await tables.attempts.finish(attempt.id, {
    ...ended(now),
    result: 'failed',
    failureKind: failure.kind,
    failureCode: failure.code,
    message: reason,
    spent: true,
  });
  await tables.tasks.move(
    task,
    'failed',
    {
      note: reason.slice(0, 1000),
      failureKind: failure.kind,
      failures: task.failures + 1,
      availableAt,
      meta,
    },
    now,
  );
  const text = say.failed({ failure, attempts: 1, history: [] }, closing(held, [], now));
  await report(tables, store, held, { text, label: agentLabels.failed }, now);
}
