/** How long to wait before the next attempt: exponential with full jitter, so that many tasks do not return at once. */
export interface BackoffLimits {
  baseMs: number;
  maxMs: number;
}

export const attemptBackoff: BackoffLimits = { baseMs: 30_000, maxMs: 30 * 60_000 };
export const queueBackoff: BackoffLimits = { baseMs: 2_000, maxMs: 5 * 60_000 };
export const pauseBackoff: BackoffLimits = { baseMs: 60_000, maxMs: 60 * 60_000 };

/** `failures` is 1 after the first failure; `random` is in [0, 1). Yields ms, never below a tenth of the full wait. */
export function backoff(failures: number, limits: BackoffLimits, random: number): number {
  const full = Math.min(limits.maxMs, limits.baseMs * 2 ** Math.min(30, Math.max(0, failures - 1)));
  return Math.round(full * (0.1 + 0.9 * random));
}
