/**
 * What a delegated task has produced goes below the artifact root before its end is stored: whoever reads "completed"
 * finds the result. What was asked for and is not there is a lack of evidence, like a file that was only declared.
 */
import { resolve, relative } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { publishResult, type PublishFile } from '../artifacts/publish.ts';
import { verifyResult } from '../artifacts/verify.ts';
import { AppError, hasCode, isRetryable } from '../errors.ts';
import type { TaskMeta } from '../store/tasks.ts';
import type { Evidence } from '../workspaces/evidence.ts';
import type { EndedAttempt } from '../worker/settle-attempt.ts';

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
    if (!(await stillOurs(attempt))) return known;
    try {
      return await publish(attempt, evidence, publishedAt);
    } catch (error) {
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

async function publish(
  { worker, claim, result, ready }: EndedAttempt,
  evidence: Evidence,
  now: number,
): Promise<Delivered> {
  const { task } = claim;
  const artifacts = await worker.artifacts();
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
