/**
 * A task that is handed over although its end lies below the artifact root: it was done, or cancelled, where the message
 * could not be acknowledged any more. It is not run again; its asker is told once more.
 */
import type { ArtifactStore } from '../artifacts/artifacts.ts';
import { cancelledRef, manifestRef } from '../artifacts/refs.ts';
import { verifyResult } from '../artifacts/verify.ts';
import type { TaskEnvelope } from '../queues/envelope.ts';
import type { Tables } from '../store/store.ts';
import { withBroker, type Task } from '../store/tasks.ts';
import { applyCompletion } from './take-completions.ts';
import { tellRequester } from './tell-requester.ts';

export interface Earlier {
  /** Writes the end into the row that was just inserted. */
  record: (tables: Tables, task: Task, now: number) => Promise<void>;
}

export async function finishedBefore(
  artifacts: ArtifactStore,
  envelope: TaskEnvelope,
): Promise<Earlier | 'cancelled' | undefined> {
  // Put back by a person: what was there before is the reason, not the answer.
  if ((envelope.redrive ?? 0) > 0) return undefined;
  const taskId = envelope.task_id;
  if ((await artifacts.measure(cancelledRef(taskId))) !== undefined) return 'cancelled';
  const manifest = await artifacts.measure(manifestRef(taskId));
  if (manifest === undefined) return undefined;
  const expected = envelope.expected_output;
  const found = await verifyResult(artifacts, {
    taskId,
    manifestSha256: manifest.sha256,
    ...(expected ? { expected } : {}),
  });
  if (!found.ok || found.manifest === undefined) return undefined;
  const { result, attempt, producer } = found.manifest;
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
          manifest_sha256: manifest.sha256,
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
