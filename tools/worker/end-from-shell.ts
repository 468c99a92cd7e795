/**
 * How a worker in a shell ends its task. `complete` publishes the result before the transaction that makes it count,
 * and checks it as whoever asked for it will; while it does so nobody else may publish for the task. Both verbs take a
 * task that still waits, and end it. Said again, the same is no error and changes nothing.
 */
import { randomUUID } from 'node:crypto';
import { statSync } from 'node:fs';
import { basename, relative, resolve } from 'node:path';
import type { ArtifactStore } from '../artifacts/artifacts.ts';
import { measureLocal } from '../artifacts/local-file.ts';
import { maxManifest, parseManifest } from '../artifacts/manifest.ts';
import { publishGiven, type PublishFile, type Published } from '../artifacts/publish.ts';
import { manifestRef } from '../artifacts/refs.ts';
import { verifyResult, type Checked } from '../artifacts/verify.ts';
import { AppError, messageOf } from '../errors.ts';
import { agentLabels, type AgentLabel } from '../queues/queue.ts';
import type { Role } from '../roles/role.ts';
import type { Store, Tables } from '../store/store.ts';
import { withBroker, type Task } from '../store/tasks.ts';
import { tellWorkers } from './cancel.ts';
import { begin, holder, lost, orThrow, shellQueues, whyNotNow, type Held } from './from-shell.ts';
import * as say from './messages.ts';
import { tellRequester } from './tell-requester.ts';
import { signature } from './thread.ts';

/** Bytes of the file that is the result. */
export const maxResultFile = 10_000_000;
const maxSummary = 4000;
/** How long a command may publish before another may try, ms. */
const publishMs = 5 * 60_000;

export interface Ending {
  taskId: string;
  role: Role;
  /** The attempt this is about; undefined: whichever is live. */
  attempt: string | undefined;
}

export interface Completion extends Ending {
  resultFile: string;
  files: readonly string[];
  summary: string;
}

/** Yields the task as it is now. Throws BAD_INPUT, UNVERIFIED, CONFLICT, CLAIM_LOST, and the store's errors. */
export async function complete(
  store: Store,
  artifacts: ArtifactStore,
  completion: Completion,
): Promise<{ task: Task; repeated: boolean }> {
  const summary = textOf('--summary', completion.summary);
  const result = await given(completion.resultFile, maxResultFile);
  const files = await Promise.all(completion.files.map((file) => given(file)));
  const taken = orThrow(await store.transaction((tables) => take(tables, completion, store.now())));
  if ('done' in taken) {
    await assertSame(artifacts, taken.done, result.sha256);
    return { task: taken.done, repeated: true };
  }
  let outcome: Task | AppError;
  try {
    const published = await publish(artifacts, taken, { result, files, role: completion.role.name });
    outcome = await store.transaction((tables) => finish(tables, store, taken, { ...published, summary }));
  } catch (error) {
    await store.transaction((tables) => giveUp(tables, taken, store.now(), messageOf(error)));
    throw error;
  }
  return { task: orThrow(outcome), repeated: false };
}

interface Taken extends Held {
  /** As it was when the command began. */
  before: Task;
  /** The mark under which this command publishes. */
  by: string;
}

async function take(tables: Tables, ending: Ending, now: number): Promise<Taken | { done: Task } | AppError> {
  const task = await tables.tasks.get(ending.taskId);
  const wrong = task && misplaced(task, ending.role);
  if (wrong) return wrong;
  if (task?.state === 'completed') return { done: task };
  const held = await holdOrBegin(tables, task, ending, publishMs, now);
  if (held instanceof AppError) return held;
  const { publishing } = held.task.meta;
  if (publishing !== undefined && publishing.until > now)
    return new AppError('CONFLICT', `another command is completing ${ending.taskId} right now`, {
      hints: [`agentq status ${ending.taskId}   (tells when it has)`],
    });
  const by = randomUUID();
  const meta = { ...held.task.meta, publishing: { by, until: now + publishMs } };
  const left = (held.task.leaseUntil ?? 0) - now;
  await tables.tasks.patch(held.task.id, { meta }, now);
  if (left < publishMs) await tables.workers.prolong(held.attempt.workerId, now, publishMs);
  return { ...held, task: { ...held.task, meta }, before: task ?? held.task, by };
}

function misplaced(task: Task, role: Role): AppError | undefined {
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
async function holdOrBegin(
  tables: Tables,
  task: Task | undefined,
  { taskId, role, attempt }: Ending,
  leaseMs: number,
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
  const begun = await begin(tables, task, leaseMs, now);
  const started = await tables.attempts.get(begun.attemptId);
  return started ? { task: begun.task, attempt: started } : lost(task);
}

/** This store has handed it to a broker, and does it itself after all. */
const isWithBroker = (task: Task): boolean => task.availableAt === withBroker;
const elsewhere = 'it was done from a shell where it was submitted';

/** Throws BAD_INPUT for what is no regular file, or too large. */
async function given(file: string, maxBytes = Infinity): Promise<PublishFile> {
  const path = resolve(file);
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size > maxBytes)
    throw new AppError('BAD_INPUT', `expected a file of at most ${maxBytes} bytes, got: ${file} (${size})`, {
      hints: ['hand large files over with --artifact, and name them in the result'],
    });
  const way = relative(process.cwd(), path);
  return { path, name: way.startsWith('..') ? basename(path) : way, ...(await measureLocal(path)) };
}

interface Evidence {
  published: Published;
  checked: Checked[];
}

async function publish(
  artifacts: ArtifactStore,
  { task, attempt }: Taken,
  { result, files, role }: { result: PublishFile; files: PublishFile[]; role: string },
): Promise<Evidence> {
  const expected = task.meta.envelope?.expected_output;
  const published = await publishGiven(artifacts, {
    taskId: task.id,
    attempt: attempt.number,
    producer: role,
    now: attempt.startedAt,
    format: expected?.format ?? 'markdown',
    files,
    result: result.path,
  });
  const { manifestSha256 } = published;
  const found = await verifyResult(artifacts, { taskId: task.id, manifestSha256, expected });
  if (found.ok) return { published, checked: found.checked };
  throw new AppError('UNVERIFIED', `this is not what ${task.id} asked for: ${found.problems.join('; ')}`, {
    hints: ['add what is missing with --artifact, or as a section of the result, and complete it again'],
  });
}

async function finish(
  tables: Tables,
  store: Store,
  taken: Taken,
  { published, checked, summary }: Evidence & { summary: string },
): Promise<Task | AppError> {
  const now = store.now();
  const task = await tables.tasks.get(taken.task.id);
  const held = await holder(tables, task, taken.task.id, taken.attempt.id, now);
  if (held instanceof AppError) return held;
  if (held.task.meta.publishing?.by !== taken.by) return lost(held.task);
  const { ref, manifestSha256 } = published;
  const { publishing: _, ...meta } = held.task.meta;
  const files = checked.map((file) => ({ path: file.ref, size: file.size, sha256: file.sha256 }));
  await tables.attempts.finish(held.attempt.id, {
    ...ended(now),
    result: 'done',
    message: summary,
    artifacts: files,
  });
  await tables.tasks.move(
    held.task,
    'completed',
    {
      note: summary.slice(0, 1000),
      failureKind: null,
      availableAt: 0,
      meta: { ...meta, result: { ref, manifestSha256, summary } },
    },
    now,
  );
  if (isWithBroker(taken.before)) await tables.reports.dropUnsent(held.task.id, elsewhere);
  if (isWithBroker(taken.before)) await tellWorkers(tables, held.task, elsewhere, now);
  const text = say.done({ status: 'done', summary, artifacts: [] }, closing(held, files, now));
  await report(tables, store, held, { text, label: agentLabels.completed }, now);
  return (await tables.tasks.get(held.task.id)) ?? held.task;
}

/** Nothing was completed: the claim goes on, and a task that only this command had begun waits again. */
async function giveUp(
  tables: Tables,
  { task, attempt, before, by }: Taken,
  now: number,
  why: string,
): Promise<void> {
  const current = await tables.tasks.get(task.id);
  if (current?.attemptId !== attempt.id || current.meta.publishing?.by !== by) return;
  const { publishing: _, ...meta } = current.meta;
  if (before.state !== 'queued') {
    await tables.tasks.patch(task.id, { meta }, now);
    return;
  }
  await tables.attempts.finish(attempt.id, {
    ...ended(now),
    result: 'parked',
    failureKind: 'no_evidence',
    failureCode: 'not_delivered',
    message: why.slice(0, 4000),
  });
  const { availableAt, note } = before;
  await tables.tasks.move(current, 'queued', { meta, availableAt, note }, now);
  await tables.workers.remove(attempt.workerId);
}

/** Throws CONFLICT: it was completed with something else. */
async function assertSame(artifacts: ArtifactStore, task: Task, sha256: string): Promise<void> {
  const bytes = task.meta.result && (await artifacts.read(manifestRef(task.id), maxManifest));
  if (bytes && parseManifest(bytes).result.sha256 === sha256) return;
  throw new AppError('CONFLICT', `${task.id} is completed already, with another result`, {
    hints: [`agentq result ${task.id}`, `agentq verify ${task.id}`],
  });
}

/** Ends the task as failed for good. Yields it as it is now. Throws CONFLICT or CLAIM_LOST. */
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
      const held = await holdOrBegin(tables, task, ending, publishMs, now);
      if (held instanceof AppError) return held;
      const withdrawn = task !== undefined && isWithBroker(task);
      if (withdrawn) await tables.reports.dropUnsent(task.id, reason);
      if (withdrawn) await tellWorkers(tables, task, reason, now);
      await bury(tables, store, held, reason, now);
      return { task: (await tables.tasks.get(held.task.id)) ?? held.task, repeated: false, withdrawn };
    }),
  );
}

async function bury(tables: Tables, store: Store, held: Held, reason: string, now: number): Promise<void> {
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
      availableAt: 0,
      meta,
    },
    now,
  );
  const text = say.failed({ failure, attempts: 1, history: [] }, closing(held, [], now));
  await report(tables, store, held, { text, label: agentLabels.failed }, now);
}

function ended(now: number): Parameters<Tables['attempts']['finish']>[1] {
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

function closing({ task, attempt }: Held, artifacts: say.Ending['artifacts'], now: number): say.Ending {
  return {
    durationMs: now - attempt.startedAt,
    costUsd: task.cost,
    artifacts,
    draft: undefined,
    denials: [],
  };
}

async function report(
  tables: Tables,
  store: Store,
  { task, attempt }: Held,
  said: { text: string; label: AgentLabel },
  now: number,
): Promise<void> {
  const about = { taskId: task.id, attemptId: attempt.id, queue: task.queue };
  const text = said.text + signature(store.id);
  await tables.reports.add({ ...about, id: `${attempt.id}:outcome`, body: { kind: 'comment', text } }, now);
  const label = { kind: 'label', label: said.label } as const;
  await tables.reports.add({ ...about, id: `${attempt.id}:label`, body: label }, now);
  await tellRequester(tables, task.id, now);
  await tables.workers.remove(attempt.workerId);
}

function textOf(flag: string, text: string): string {
  const trimmed = text.trim().toWellFormed();
  if (trimmed !== '' && trimmed.length <= maxSummary) return trimmed;
  throw new AppError(
    'BAD_USAGE',
    `expected ${flag} to have 1 to ${maxSummary} characters, got: ${trimmed.length}`,
    { hints: ['the details belong into the result file'] },
  );
}
