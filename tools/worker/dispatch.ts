/**
 * Dispatching: claim all that may run, say so, look once more at the queue, start. The look is what makes a second
 * worker with another store give way before its agent has begun, and costs one small request.
 */
import type { Bell } from './bell.ts';
import { claim, hasFreeSlot, type Claim } from './claim.ts';
import { closeAttempt } from './close-attempt.ts';
import { crashPoint } from './crash-point.ts';
import type { Progress } from './progress.ts';
import type { QueueLine } from './queue-line.ts';
import { sayWorking, startAttempt } from './run-attempt.ts';
import type { Worker } from './worker.ts';

export async function dispatch(
  worker: Worker,
  lines: readonly QueueLine[],
  progress: Progress,
  bell: Bell,
): Promise<void> {
  const claims = await claimAll(worker);
  await Promise.all(claims.map((claimed) => sayWorking(worker, claimed, progress)));
  const shown = lines.filter(
    ({ queue }) => queue.supports.poll && claims.some(({ task }) => task.queue === queue.name),
  );
  for (const line of shown) await line.look();
  // A machine that slept after the claim may have lost it to another; on one machine only a look can bring news.
  const mayBeLost = shown.length > 0 || worker.store.shared;
  for (const claimed of mayBeLost ? await stillOurs(worker, claims) : claims)
    void startAttempt(worker, claimed, progress).ended.then(bell.ring);
}

/** A human may have closed a task meanwhile, or another machine have taken it: its agent need not start at all. */
async function stillOurs(worker: Worker, claims: readonly Claim[]): Promise<Claim[]> {
  if (claims.length === 0) return [];
  return worker.store.transaction(async (tables) => {
    const kept: Claim[] = [];
    for (const claimed of claims) {
      const task = await tables.tasks.get(claimed.task.id);
      if (task?.attemptId === claimed.attemptId) kept.push(claimed);
      else await closeAttempt(tables, claimed, undefined, worker.now());
    }
    return kept;
  });
}

async function claimAll(worker: Worker): Promise<Claim[]> {
  const claims: Claim[] = [];
  for (;;) {
    const claimed = hasFreeSlot(worker, claims) ? await claim(worker, claims) : undefined;
    if (!claimed) return claims;
    crashPoint('claimed');
    claims.push(claimed);
  }
}
