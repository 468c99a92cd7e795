/**
 * The word that a task is cancelled reaches the workers that listen just then. Whoever was away looks, before an agent
 * starts, for the mark that was left below the artifact root.
 */
import { AppError } from '../errors.ts';
import { brokerQueueName } from '../queues/queue.ts';
import type { TaskEnvelope } from '../queues/envelope.ts';
import { cancelById } from '../worker/cancel.ts';
import type { Claim } from '../worker/claim.ts';
import { closeAttempt } from '../worker/close-attempt.ts';
import type { Worker } from '../worker/worker.ts';
import { isWithdrawn } from './withdraw.ts';

/** True: the attempt has ended, and its task with it. */
export async function dropWithdrawn(worker: Worker, claim: Claim): Promise<boolean> {
  const { id, queue, meta } = claim.task;
  if (queue !== brokerQueueName || meta.envelope === undefined) return false;
  if (!(await isMarked(worker, meta.envelope))) return false;
  const dropped = await worker.store.transaction(async (tables) => {
    const now = worker.now();
    const event = await cancelById(tables, id, 'it was cancelled by whoever asked for it', now);
    await closeAttempt(tables, claim, undefined, now);
    return event;
  });
  if (dropped) worker.log(dropped);
  worker.store.ring();
  return true;
}

/** An artifact root that is away says nothing; it is missed when the result is to be written. */
async function isMarked(worker: Worker, envelope: TaskEnvelope): Promise<boolean> {
  try {
    return await isWithdrawn(await worker.artifacts(), envelope);
  } catch (error) {
    if (error instanceof AppError) return false;
    throw error;
  }
}
