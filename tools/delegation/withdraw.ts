/**
 * Taking a task back from the broker that holds it: a mark beside its artifacts tells whoever gets the message later that
 * there is nothing to begin. A task that was completed needs none: its result is there.
 */
import type { ArtifactStore } from '../artifacts/artifacts.ts';
import { cancelledRef } from '../artifacts/refs.ts';

export async function markWithdrawn(
  artifacts: ArtifactStore,
  taskId: string,
  reason: string,
  now: number,
): Promise<void> {
  const mark = { task_id: taskId, reason, at: new Date(now).toISOString() };
  await artifacts.write(cancelledRef(taskId), `${JSON.stringify(mark)}\n`);
}
