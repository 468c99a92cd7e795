/** Says "I am alive" on a timer of its own, whatever the loop is busy with, and notices when nobody hears it. */
import { hasCode, messageOf } from '../errors.ts';
import type { Bell } from './bell.ts';
import { thisProcess } from './reconcile.ts';
import type { Worker } from './worker.ts';

/**
 * Where other machines share the store, a lease that cannot be renewed runs out there as well: before it does, our
 * agents are ended, so that none works beside its successor. Judged by a clock that no one can put back.
 */
const shareOfLease = 2 / 3;

export function startHeart(worker: Worker, bell: Bell): () => void {
  const { leaseMs, heartbeatMs } = worker.options;
  let heardAt = performance.now();
  let underWay = false;

  async function beat(): Promise<void> {
    const sentAt = performance.now();
    const known = await worker.store.transaction(({ workers }) =>
      workers.heartbeat(worker.id, worker.now(), leaseMs),
    );
    // Others took us for dead (a machine that slept): what they took back is theirs; we go on as a new worker.
    if (!known) {
      await worker.store.transaction(({ workers }) => workers.register(thisProcess(worker)));
      bell.ring();
    }
    heardAt = sentAt;
  }

  function giveUpUnheard(): void {
    if (!worker.store.shared || performance.now() - heardAt < leaseMs * shareOfLease) return;
    for (const attempt of worker.running.values()) attempt.abort('lost');
  }

  const timer = setInterval(() => {
    giveUpUnheard();
    if (underWay) return;
    underWay = true;
    beat()
      .catch((error: unknown) => {
        if (!hasCode(error, 'STORE_LOCKED'))
          worker.log({ type: 'warning', text: messageOf(error), hints: [] });
      })
      .finally(() => {
        underWay = false;
      });
  }, heartbeatMs);
  return () => clearInterval(timer);
}
