/**
 * A task that is handed over although its end lies below the artifact root: it was done, or cancelled, where the message
 * could not be acknowledged any more. It is not run again; its asker is told once more.
 */
import { unlessUnusable, type ArtifactStore } from '../artifacts/artifacts.ts';
import { maxManifest, type Manifest } from '../artifacts/manifest.ts';
import { manifestRef } from '../artifacts/refs.ts';
import { verifyResult } from '../artifacts/verify.ts';
import type { TaskEnvelope } from '../queues/envelope.ts';
import type { Tables } from '../store/store.ts';
import { withBroker, type Task } from '../store/tasks.ts';
import { applyCompletion } from './take-completions.ts';
import { tellRequester } from './tell-requester.ts';
import { isWithdrawn } from './withdraw.ts';

export interface Earlier {
  /** Writes the end into the row that was just inserted. */
  record: (tables: Tables, task: Task, now: number) => Promise<void>;
}

export async function finishedBefore(
  artifacts: ArtifactStore,
  envelope: TaskEnvelope,
): Promise<Earlier | 'cancelled' | undefined> {
  const taskId = envelope.task_id;
  if (await isWithdrawn(artifacts, envelope)) return 'cancelled';
  const there = await resultThere(artifacts, envelope);
  if (there === undefined) return undefined;
  const { result, attempt, producer } = there.manifest;
  return {
    async record(tables, task, now) {
      await tables.tasks.patch(task.id, { availableAt: withBroker }, now);
      await applyCompletion(
        tables,
        {
          schema: 'agentq/completion/1',
          task_id: taskId,
          from: producer,
          to: envelope.from,
          status: 'completed',
          result_ref: result.ref,
          manifest_sha256: there.sha256,
          summary: 'It was done before; its completion had not been acknowledged.',
          attempt,
          created_at: new Date(now).toISOString(),
        },
        now,
      );
      await tables.tasks.patch(taskId, { availableAt: 0 }, now);
      await tellRequester(tables, taskId, now);
    },
  };
}

/** Put back by a person: what was there before is the reason, not the answer. */
const isPutBack = (envelope: TaskEnvelope): boolean => (envelope.redrive ?? 0) > 0;

/** The result of a task that was not put back, whoever delivered it: whole, and as it was asked for. */
export async function resultThere(
  artifacts: ArtifactStore,
  envelope: TaskEnvelope,
): Promise<{ manifest: Manifest; sha256: string } | undefined> {
  if (isPutBack(envelope)) return undefined;
  const taskId = envelope.task_id;
  const found = await unlessUnusable(artifacts.measure(manifestRef(taskId), maxManifest));
  if (found === undefined) return undefined;
  const expected = envelope.expected_output;
  const check = await verifyResult(artifacts, {
    taskId,
    manifestSha256: found.sha256,
    ...(expected ? { expected } : {}),
  });
  return check.ok && check.manifest ? { manifest: check.manifest, sha256: found.sha256 } : undefined;
}
