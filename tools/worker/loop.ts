/**
 * The loop: read the queues, put the store in order, start what may start, tell what is to be told; then wait for
 * whatever comes first. Everything it knows is in the store, so it can end anywhere.
 */
import { AppError, isRetryable, messageOf } from '../errors.ts';
import { createBell, type Bell } from './bell.ts';
import { hasFreeSlot } from './claim.ts';
import { dispatch } from './dispatch.ts';
import { watchPauses } from './pauses.ts';
import { createProgress } from './progress.ts';
import { openQueueLine, type QueueLine } from './queue-line.ts';
import { startHeart } from './heart.ts';
import { heedBroker } from '../delegation/heed-broker.ts';
import { reconcile, stopLost, takeBack, thisProcess } from './reconcile.ts';
import { park } from './shutdown.ts';
import type { Worker } from './worker.ts';

export interface LoopOptions {
  mode: 'once' | 'watch';
  /** Aborted by the first signal: finish or park. */
  stop: AbortSignal;
  /** Aborted by the second: stop now. */
  stopNow: AbortSignal;
}

/** Throws, before anything was started, what keeps the worker from doing its job. */
export async function work(worker: Worker, options: LoopOptions): Promise<void> {
  const bell = createBell();
  const lines = [...worker.queues.values()].map((queue) => openQueueLine(worker, queue));
  const progress = createProgress(worker, bell.ring);
  const pauses = watchPauses(worker);
  const guarded = guard(worker, options.mode);
  await worker.store.transaction(({ workers }) => workers.register(thisProcess(worker)));
  const stopHeart = startHeart(worker, bell);
  const unwatch = listen(worker, bell);
  options.stop.addEventListener('abort', bell.ring);
  try {
    // Before the first look at the queues: the duty to poll them may still be a dead worker's.
    await takeBack(worker);
    for (const line of lines) await line.open(options.mode === 'watch');
    announce(worker);
    while (!options.stop.aborted) {
      await guarded(async () => {
        for (const line of lines) await line.turn();
        await reconcile(worker);
        await pauses.turn();
        await dispatch(worker, lines, progress, bell);
      });
      if (options.mode === 'once' && (await atRest(worker, lines))) break;
      await bell.wait(await untilNext(worker, lines));
    }
    if (options.stop.aborted) await park(worker, options.stopNow);
    await progress.idle();
    if (!options.stopNow.aborted) for (const line of lines) await line.turn();
    if (options.mode === 'once') await assertDelivered(worker, lines);
  } catch (error) {
    await park(worker, AbortSignal.abort());
    throw error;
  } finally {
    unwatch();
    stopHeart();
    await worker.store.transaction(({ workers }) => workers.remove(worker.id)).catch(() => undefined);
    worker.log({ type: 'worker_stopped' });
  }
}

/** What wakes the loop before its time: other processes on the store, and brokers that have something for us. */
function listen(worker: Worker, bell: Bell): () => void {
  const look = oneAtATime(() => stopLost(worker));
  const onRing = (): void => {
    bell.ring();
    // A cancelled agent does not run on for as long as the loop waits for a queue.
    look();
  };
  const stops = [worker.store.onRing(onRing)];
  for (const { broker } of worker.queues.values())
    if (broker) stops.push(broker.onArrival(bell.ring), broker.onCancellation(heedBroker(worker, bell)));
  return () => stops.forEach((stop) => stop());
}

/** Asked for while it runs, it runs once more. What it throws the loop will meet as well. */
function oneAtATime(look: () => Promise<void>): () => void {
  let running = false;
  let again = false;
  async function run(): Promise<void> {
    running = true;
    do {
      again = false;
      await look().catch(() => undefined);
    } while (again);
    running = false;
  }
  return () => {
    if (running) again = true;
    else void run();
  };
}

/** A store that is locked or a disk that is full passes; a loop that watches says so once and goes on. */
function guard(worker: Worker, mode: LoopOptions['mode']): (turn: () => Promise<void>) => Promise<void> {
  let said: string | undefined;
  return async (turn) => {
    try {
      await worker.store.verify();
      await turn();
      said = undefined;
    } catch (error) {
      if (mode === 'once' || !isRetryable(error)) throw error;
      const text = messageOf(error);
      if (text !== said)
        worker.log({ type: 'warning', text, hints: error instanceof AppError ? error.hints : [] });
      said = text;
    }
  };
}

/** Nothing runs, and nothing is ready that may run now. */
async function atRest(worker: Worker, lines: readonly QueueLine[]): Promise<boolean> {
  if (worker.running.size > 0) return false;
  const due = await worker.store.read(async ({ reports }) => {
    for (const line of lines)
      if (line.trouble() === undefined && (await reports.due(line.queue.name, worker.now())).length > 0)
        return true;
    return false;
  });
  return !due;
}

/** How long the loop may sleep, ms. */
export async function untilNext(worker: Worker, lines: readonly QueueLine[]): Promise<number> {
  const now = worker.now();
  // Where nothing can start, what becomes ready meanwhile is no reason to wake: an ended attempt is.
  const delayed = hasFreeSlot(worker, [])
    ? await worker.store.read(({ tasks }) => tasks.nextAvailableAt()).catch(() => undefined)
    : undefined;
  const next = Math.min(
    now + 5000,
    delayed ?? Number.POSITIVE_INFINITY,
    ...lines.map((line) => line.nextAt()),
  );
  return Math.max(20, next - now);
}

async function assertDelivered(worker: Worker, lines: readonly QueueLine[]): Promise<void> {
  const left = await worker.store.read(({ reports }) => reports.pending());
  const why = lines.map((line) => line.trouble()).find((text) => text !== undefined);
  if (left === 0 || why === undefined) return;
  throw new AppError(
    'QUEUE_UNAVAILABLE',
    `${left} report${left === 1 ? '' : 's'} could not be delivered: ${why}`,
    {
      hints: ['nothing is lost: they are stored, and the next run delivers them'],
    },
  );
}

function announce(worker: Worker): void {
  worker.log({
    type: 'worker_started',
    workerId: worker.id,
    roles: worker.roles().map((role) => role.name),
    queues: [...worker.queues.keys()],
    agent: worker.agent.name,
  });
}
