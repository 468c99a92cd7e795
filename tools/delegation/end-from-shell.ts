/** What `agentq complete` and `agentq fail` have in common: whose task it is, and how its end is told. */
import { AppError } from '../errors.ts';
import type { AgentLabel } from '../queues/queue.ts';
import type { Role } from '../roles/role.ts';
import type { Store, Tables } from '../store/store.ts';
import { withBroker, type Task } from '../store/tasks.ts';
import { tellWorkers } from '../worker/cancel.ts';
import { begin, holder, lost, shellQueues, whyNotNow, type Held } from './from-shell.ts';
import type { Ending as Said } from '../worker/messages.ts';
import { tellRequester } from './tell-requester.ts';
import { signature } from '../worker/thread.ts';
import { tell } from '../worker/tell.ts';

const maxText = 4000;
/** How long an end may take, ms: of a task that begins with it, and before another command may try. */
export const endMs = 5 * 60_000;

export interface Ending {
  taskId: string;
  role: Role;
  /** The attempt this is about; undefined: whichever is live. */
  attempt: string | undefined;
}

export function misplaced(task: Task, role: Role): AppError | undefined {
  if (task.role !== role.name)
    return new AppError('CONFLICT', `${task.id} is a task for ${task.role}, got: --from ${role.name}`, {
      hints: [`agentq show ${task.id}`],
    });
  if (shellQueues.includes(task.queue)) return undefined;
  return new AppError('CONFLICT', `${task.id} is from ${task.queue}: an agent-worker does it`, {
    hints: ['npm run worker -- --watch'],
  });
}

/** The live attempt; of a task that waits, one that begins now. */
export async function holdOrBegin(
  tables: Tables,
  task: Task | undefined,
  { taskId, role, attempt }: Ending,
  now: number,
): Promise<Held | AppError> {
  if (task?.state !== 'queued' || attempt !== undefined) return holder(tables, task, taskId, attempt, now);
  if (task.deadlineAt !== null && task.deadlineAt <= now)
    return new AppError('CLAIM_LOST', `the latest useful completion of ${task.id} has passed`);
  const why = await whyNotNow(tables, role, task);
  if (why !== undefined) return new AppError('CONFLICT', `${task.id} may not start: ${why}`);
  const earlier = (await tables.attempts.list(task.id)).find(({ endedAt }) => endedAt === null);
  if (earlier)
    return new AppError('CONFLICT', `an earlier attempt at ${task.id} has not ended yet`, {
      hints: [`agentq show ${task.id}`],
    });
  const begun = await begin(tables, task, endMs, now);
  const started = await tables.attempts.get(begun.attemptId);
  return started ? { task: begun.task, attempt: started } : lost(task);
}

/** This store has handed it to a broker, and ends it itself after all. */
export const isWithBroker = (task: Task): boolean => task.availableAt === withBroker;

/** Nobody else needs to begin it any more. */
export async function takeFromBroker(tables: Tables, task: Task, why: string, now: number): Promise<void> {
  await tables.reports.dropUnsent(task.id, why);
  await tellWorkers(tables, task, why, now);
}

export function ended(now: number): Parameters<Tables['attempts']['finish']>[1] {
  return {
    result: null,
    failureKind: null,
    failureCode: null,
    message: null,
    spent: false,
    cost: 0,
    turns: null,
    denials: [],
    artifacts: [],
    endedAt: now,
  };
}

export function closing({ task, attempt }: Held, artifacts: Said['artifacts'], now: number): Said {
  return {
    durationMs: now - attempt.startedAt,
    costUsd: task.cost,
    artifacts,
    draft: undefined,
    denials: [],
  };
}

export async function report(
  tables: Tables,
  store: Store,
  { task, attempt }: Held,
  said: { text: string; label: AgentLabel },
  now: number,
): Promise<void> {
  const about = { taskId: task.id, attemptId: attempt.id, queue: task.queue };
  const text = said.text + signature(store.id);
  await tell(tables, { ...about, id: `${attempt.id}:outcome`, body: { kind: 'comment', text } }, now);
  const label = { kind: 'label', label: said.label } as const;
  await tell(tables, { ...about, id: `${attempt.id}:label`, body: label }, now);
  await tellRequester(tables, task.id, now);
  await tables.workers.remove(attempt.workerId);
}

export function textOf(flag: string, text: string): string {
  const trimmed = text.trim().toWellFormed();
  if (trimmed !== '' && trimmed.length <= maxText) return trimmed;
  throw new AppError(
    'BAD_USAGE',
    `expected ${flag} to have 1 to ${maxText} characters, got: ${trimmed.length}`,
    { hints: ['the details belong into the result file'] },
  );
}
