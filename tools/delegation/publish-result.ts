/**
 * What a delegated task has produced goes below the artifact root before its end is stored: whoever reads "completed"
 * finds the result. What was asked for and is not there is a lack of evidence, like a file that was only declared.
 */
import { resolve, relative } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ArtifactStore } from '../artifacts/artifacts.ts';
import { publishResult, type PublishFile } from '../artifacts/publish.ts';
import { verifyResult } from '../artifacts/verify.ts';
import { AppError, hasCode, isRetryable } from '../errors.ts';
import { brokerQueueName } from '../queues/queue.ts';
import type { TaskMeta } from '../store/tasks.ts';
import type { Evidence } from '../workspaces/evidence.ts';
import type { EndedAttempt } from '../worker/settle-attempt.ts';
import { resultThere } from './finished-before.ts';

/** How long an artifact root that cannot be written is waited for, ms. */
const patienceMs = 30 * 60_000;

export interface Delivered {
  evidence: Evidence;
  /** For the task's row, in the transaction that completes it. */
  result: TaskMeta['result'];
}

/** Of other tasks, and of attempts that have nothing to deliver, the evidence stays as it is. */
export async function deliverResult(attempt: EndedAttempt, evidence: Evidence): Promise<Delivered> {
  const { worker, claim, result } = attempt;
  const { task } = claim;
  const known = { evidence, result: task.meta.result };
  if (!task.meta.envelope || result.failure || result.outcome?.status !== 'done') return known;
  if (evidence.problems.length > 0) return known;
  // A follow-up that changed nothing: what was delivered before still stands.
  if (evidence.artifacts.length === 0 && task.meta.result && task.round > 1) return known;
  const publishedAt = worker.now();
  for (;;) {
    try {
      return await publish(attempt, evidence, publishedAt);
    } catch (error) {
      if (hasCode(error, 'CLAIM_LOST')) return known;
      const lasting = !isRetryable(error) && !hasCode(error, 'WORKSPACE');
      if (lasting && error instanceof AppError)
        return { evidence: { ...evidence, problems: [error.message] }, result: undefined };
      if (lasting || !(error instanceof AppError) || worker.now() > publishedAt + patienceMs) throw error;
      worker.log({
        type: 'warning',
        text: `a result cannot be written yet: ${error.message}`,
        hints: error.hints,
      });
      await delay(5000 * worker.options.patience);
    }
  }
}

/** An attempt that has lost its task must not write over what came after it. */
async function stillOurs({ worker, claim }: EndedAttempt): Promise<boolean> {
  const task = await worker.store.read(({ tasks }) => tasks.get(claim.task.id));
  return task?.attemptId === claim.attemptId;
}

/** Longer than a file takes: a process that was stopped in between, or a machine that slept, asks anew. */
const sureForMs = 1000;

/** Writes only as long as the task is ours: between two files its lease may have run out. Throws CLAIM_LOST. */
function whileOurs(attempt: EndedAttempt, artifacts: ArtifactStore): ArtifactStore {
  let sureAt = Number.NEGATIVE_INFINITY;
  const makeSure = async (): Promise<void> => {
    // An answer that was long under way is old: we may have slept while it was.
    while (performance.now() - sureAt >= sureForMs) {
      const askedAt = performance.now();
      if (!(await stillOurs(attempt)))
        throw new AppError(
          'CLAIM_LOST',
          `task ${attempt.claim.task.id} was taken away while its result was written`,
        );
      sureAt = askedAt;
    }
  };
  return {
    description: artifacts.description,
    write: (ref, bytes) => artifacts.write(ref, bytes, makeSure),
    writeFile: (ref, path) => artifacts.writeFile(ref, path, makeSure),
    read: (ref, maxBytes) => artifacts.read(ref, maxBytes),
    measure: (ref, maxBytes) => artifacts.measure(ref, maxBytes),
    list: (folder) => artifacts.list(folder),
    remove: (ref) => artifacts.remove(ref),
    close: () => artifacts.close(),
  };
}

/** How often a result is written anew that another machine has written over meanwhile. */
const mostRaces = 5;

async function publish(attempt: EndedAttempt, evidence: Evidence, now: number): Promise<Delivered> {
  for (let race = 1; ; race += 1) {
    const delivered = (await deliveredElsewhere(attempt, evidence)) ?? (await write(attempt, evidence, now));
    if (delivered.result || !mayRunElsewhere(attempt) || race === mostRaces) return delivered;
    await delay(200 * attempt.worker.random());
  }
}

/** Where stores are not shared, a broker that has lost its connection to us hands the task to somebody else as well. */
function mayRunElsewhere({ worker, claim: { task } }: EndedAttempt): boolean {
  return task.queue === brokerQueueName && task.round === 1 && !worker.store.shared;
}

/** Who was faster may have told the asker already: that result stands, ours is not written over it. */
async function deliveredElsewhere(attempt: EndedAttempt, evidence: Evidence): Promise<Delivered | undefined> {
  const { envelope } = attempt.claim.task.meta;
  if (!envelope || !mayRunElsewhere(attempt)) return undefined;
  const there = await resultThere(await attempt.worker.artifacts(), envelope);
  const summary = attempt.result.outcome?.summary ?? '';
  return (
    there && { evidence, result: { ref: there.manifest.result.ref, manifestSha256: there.sha256, summary } }
  );
}

async function write(attempt: EndedAttempt, evidence: Evidence, now: number): Promise<Delivered> {
  const { worker, claim, result, ready } = attempt;
  const { task } = claim;
  const artifacts = whileOurs(attempt, await worker.artifacts());
  const summary = result.outcome?.summary ?? '';
  const expected = task.meta.envelope?.expected_output;
  const published = await publishResult(artifacts, {
    taskId: task.id,
    title: task.title,
    attempt: claim.attemptNumber,
    producer: claim.role.name,
    now,
    format: expected?.format ?? 'markdown',
    summary,
    files: evidence.artifacts.map((file): PublishFile => {
      const path = resolve(worker.workspace.root, file.path);
      return { ...file, path, name: relative(ready?.places.outputDir ?? worker.workspace.root, path) };
    }),
  });
  const { ref, manifestSha256 } = published;
  const check = await verifyResult(artifacts, {
    taskId: task.id,
    manifestSha256,
    ...(expected ? { expected } : {}),
  });
  return {
    evidence: { ...evidence, problems: check.problems },
    result: check.ok ? { ref, manifestSha256, summary } : undefined,
  };
}
