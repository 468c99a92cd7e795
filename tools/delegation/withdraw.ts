/**
 * Taking a task back from the broker that holds it: a mark beside its artifacts tells whoever gets the message later that
 * there is nothing to begin. A task that was completed needs none: its result is there.
 */
import { unlessUnusable, type ArtifactStore } from '../artifacts/artifacts.ts';
import { cancelledRef } from '../artifacts/refs.ts';
import type { TaskEnvelope } from '../queues/envelope.ts';

const maxMark = 64 * 1024;

export interface Withdrawal {
  taskId: string;
  reason: string;
  /** How often the task had been put back: being put back once more makes the mark void. */
  redrive: number | undefined;
}

export async function markWithdrawn(
  artifacts: ArtifactStore,
  { taskId, reason, redrive = 0 }: Withdrawal,
  now: number,
): Promise<void> {
  const mark = { task_id: taskId, reason, redrive, at: new Date(now).toISOString() };
  await artifacts.write(cancelledRef(taskId), `${JSON.stringify(mark)}\n`);
}

export async function isWithdrawn(
  artifacts: ArtifactStore,
  envelope: Pick<TaskEnvelope, 'task_id' | 'redrive'>,
): Promise<boolean> {
  const bytes = await unlessUnusable(artifacts.read(cancelledRef(envelope.task_id), maxMark));
  return bytes !== undefined && redriveIn(bytes.toString('utf8')) >= (envelope.redrive ?? 0);
}

function redriveIn(text: string): number {
  try {
    const mark: unknown = JSON.parse(text);
    const redrive = typeof mark === 'object' && mark !== null && 'redrive' in mark ? mark.redrive : 0;
    return typeof redrive === 'number' ? redrive : 0;
  } catch {
    return 0;
  }
}
