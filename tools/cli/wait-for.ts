/** Waiting for something to be in the store: woken by its doorbell, and looking once a second where nobody rings. */
import { isRetryable } from '../errors.ts';
import { createBell } from '../worker/bell.ts';
import type { Session } from './session.ts';

const lookMs = 1000;

export interface Wait {
  /** Ms; 0: look once. */
  forMs: number;
  /** Aborts the wait; what has been found by then counts. */
  signal?: AbortSignal;
}

/** Yields what `look` finds first, or undefined when the time is up. */
export async function waitFor<T>(
  session: Session,
  { forMs, signal }: Wait,
  look: () => Promise<T | undefined>,
): Promise<T | undefined> {
  const end = performance.now() + forMs;
  const bell = createBell();
  const deaf = forMs > 0 ? session.store.onRing(bell.ring) : () => undefined;
  signal?.addEventListener('abort', bell.ring);
  try {
    for (;;) {
      const found = await look();
      const left = end - performance.now();
      if (found !== undefined || left <= 0 || signal?.aborted) return found;
      await bell.wait(Math.min(lookMs, left));
      await syncIfPossible(session);
    }
  } finally {
    deaf();
    signal?.removeEventListener('abort', bell.ring);
  }
}

/** A broker that is away for a moment is no reason to stop waiting. */
async function syncIfPossible(session: Session): Promise<void> {
  try {
    await session.sync();
  } catch (error) {
    if (!isRetryable(error)) throw error;
  }
}
