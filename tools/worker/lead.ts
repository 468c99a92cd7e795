/** One worker of a store polls a queue and tells it what there is to tell. The duty is renewed before it runs out. */
import type { Worker } from './worker.ts';

/** The result says whether the duty is ours now. */
export function openLead(worker: Worker, queue: string): () => Promise<boolean> {
  let ledAt = Number.NEGATIVE_INFINITY;
  return async () => {
    const now = worker.now();
    const { leaseMs } = worker.options;
    if (now < ledAt + leaseMs / 3 && now >= ledAt) return true;
    const leader = await worker.store.read(({ workers }) => workers.leader(queue));
    const others = leader !== undefined && leader.workerId !== worker.id && leader.until >= now;
    // Nothing to write, so nobody is made to wait for us.
    if (others) return false;
    const mine = await worker.store.transaction(({ workers }) =>
      workers.lead(queue, worker.id, now, leaseMs),
    );
    ledAt = mine ? now : Number.NEGATIVE_INFINITY;
    return mine;
  };
}
