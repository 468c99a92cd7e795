/**
 * `agentq complete`: a worker in a shell delivers. The result is published before the transaction that makes it count, and
 * checked as whoever asked for it will; while that goes on nobody else may publish for the task. A task that still waits
 * is begun and ended at once. Said again with the same result it changes nothing and is no error.
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
import { agentLabels } from '../queues/queue.ts';
import type { Store, Tables } from '../store/store.ts';
import type { Task } from '../store/tasks.ts';
import { closing, ended, endMs, holdOrBegin, isWithBroker, misplaced } from './end-from-shell.ts';
import { report, takeFromBroker, textOf, type Ending } from './end-from-shell.ts';
import { holder, lost, orThrow, type Held } from './from-shell.ts';
import * as say from '../worker/messages.ts';

/** Bytes of the file that is the result. */
const maxResultFile = 10_000_000;

export interface Completion extends Ending {
  resultFile: string;
  files: readonly string[];
  summary: string;
}

/** Yields the task as it is now; `withdrawn`: a broker had it. Throws BAD_INPUT, UNVERIFIED, CONFLICT, CLAIM_LOST, and the store's errors. */
export async function complete(
  store: Store,
  artifacts: ArtifactStore,
  completion: Completion,
): Promise<{ task: Task; repeated: boolean; withdrawn: boolean }> {
  const summary = textOf('--summary', completion.summary);
  const result = await given(completion.resultFile, maxResultFile);
  const files = await Promise.all(completion.files.map((file) => given(file)));
  const taken = orThrow(await store.transaction((tables) => take(tables, completion, store.now())));
  if ('done' in taken) {
    await assertSame(artifacts, taken.done, result.sha256);
    return { task: taken.done, repeated: true, withdrawn: false };
  }
  let outcome: Task | AppError;
  try {
    const published = await publish(artifacts, taken, { result, files, role: completion.role.name });
    outcome = await store.transaction((tables) => finish(tables, store, taken, { ...published, summary }));
  } catch (error) {
    // Where even that fails, the claim ends with its lease.
    await store
      .transaction((tables) => giveUp(tables, taken, store.now(), messageOf(error)))
      .catch(() => undefined);
    throw error;
  }
  return { task: orThrow(outcome), repeated: false, withdrawn: isWithBroker(taken.before) };
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
  const held = await holdOrBegin(tables, task, ending, now);
  if (held instanceof AppError) return held;
  const { publishing } = held.task.meta;
  if (publishing !== undefined && publishing.until > now)
    return new AppError('CONFLICT', `another command is completing ${ending.taskId} right now`, {
      hints: [`agentq status ${ending.taskId}   (tells when it has)`],
    });
  const by = randomUUID();
  const meta = { ...held.task.meta, publishing: { by, until: now + endMs } };
  const left = (held.task.leaseUntil ?? 0) - now;
  await tables.tasks.patch(held.task.id, { meta }, now);
  if (left < endMs) await tables.workers.prolong(held.attempt.workerId, now, endMs);
  return { ...held, task: { ...held.task, meta }, before: task ?? held.task, by };
}

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
  /** The manifest itself first. */
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
  const files = checked.slice(1).map((file) => ({ path: file.ref, size: file.size, sha256: file.sha256 }));
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
  if (isWithBroker(taken.before)) await takeFromBroker(tables, held.task, 'it is completed', now);
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
