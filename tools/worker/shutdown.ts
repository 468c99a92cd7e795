/**
 * Leaving: what is about to end may end, everything else is parked. A parked task is queued again with its session
 * kept and nothing spent; the next worker goes on where this one stopped.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Worker } from './worker.ts';

const graceMs = 3000;

export async function park(worker: Worker, stopNow: AbortSignal): Promise<void> {
  const attempts = [...worker.running.values()];
  if (attempts.length === 0) return;
  worker.log({ type: 'worker_stopping', running: attempts.length });
  const ended = Promise.all(attempts.map((attempt) => attempt.ended));
  const grace = new AbortController();
  const impatient = AbortSignal.any([stopNow, grace.signal]);
  await Promise.race([ended, delay(graceMs, undefined, { signal: impatient }).catch(() => undefined)]);
  grace.abort();
  for (const attempt of worker.running.values()) attempt.abort('shutdown');
  await ended;
}
