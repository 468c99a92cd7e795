/**
 * The line to one queue: when to poll it, and what to do while it cannot be reached. A queue that is down delays
 * polls and reports; it never stops running work and never loses a report.
 */
import { AppError, isRetryable } from '../errors.ts';
import type { Queue } from '../queues/queue.ts';
import { backoff, queueBackoff } from './backoff.ts';
import { deliver } from './deliver.ts';
import { openDesks } from './open-desks.ts';
import { openLead } from './lead.ts';
import { intake } from './intake.ts';
import { receive } from '../delegation/receive.ts';
import type { Worker } from './worker.ts';

export interface QueueLine {
  readonly queue: Queue;
  /** Resolves projects and reads for the first time. Throws what a person must mend; `patient`: only that. */
  open(patient: boolean): Promise<void>;
  /** One turn: poll if it is time, deliver what is due. Never throws for a queue that is down. */
  turn(): Promise<void>;
  /** Deliver, then poll, whatever the time: what others do on our tasks is seen before an agent starts. */
  look(): Promise<void>;
  /** Epoch ms of the next poll. */
  nextAt(): number;
  /** Why it cannot be read or told now. */
  trouble(): string | undefined;
}

export function openQueueLine(worker: Worker, queue: Queue): QueueLine {
  const desks = openDesks(worker, queue);
  const leads = openLead(worker, queue.name);
  const teller = openTeller(worker, queue);
  let nextPollAt = 0;
  let askAgainAt = 0;
  let seenAt = 0;
  let failures = 0;
  let problem: string | undefined;
  /** Until it has been read for the first time, by whoever leads when we begin. */
  let starting = true;

  function down(error: unknown): void {
    if (!(error instanceof AppError) || !error.code.startsWith('QUEUE_') || error.code === 'QUEUE_TAKEN')
      throw error;
    failures += 1;
    const wait = backoff(failures, queueBackoff, worker.random()) * worker.options.patience;
    nextPollAt = Math.max(worker.now() + wait, error.retryAt ?? 0);
    if (problem === undefined)
      worker.log({ type: 'queue_down', queue: queue.name, text: error.message, retryAt: nextPollAt });
    problem = error.message;
  }

  function up(): void {
    if (problem !== undefined) worker.log({ type: 'queue_up', queue: queue.name });
    failures = 0;
    problem = undefined;
  }

  /** A clock that was put back must not stop the polls until it has caught up. */
  function readClock(): number {
    const now = worker.now();
    if (now < seenAt) nextPollAt = Math.min(nextPollAt, now + worker.options.pollIntervalMs);
    seenAt = now;
    return now;
  }

  async function poll(): Promise<void> {
    if (!queue.supports.poll) return;
    const found = await desks(starting);
    starting = false;
    await intake(worker, queue, found);
    nextPollAt = worker.now() + worker.options.pollIntervalMs;
  }

  return {
    queue,
    async open(patient) {
      if (!queue.supports.poll) return;
      if (!(await leads())) {
        starting = false;
        return;
      }
      try {
        await poll();
      } catch (error) {
        if (!patient || !isRetryable(error)) throw error;
        down(error);
      }
    },
    async turn() {
      const now = readClock();
      if (now < nextPollAt && problem !== undefined) return;
      try {
        if (queue.broker) await receive(worker, queue.broker);
        if (!(await leads())) {
          // Another worker reads this queue; asking after the duty without a pause would only wear out the store.
          askAgainAt = now + worker.options.pollIntervalMs;
          return;
        }
        askAgainAt = 0;
        if (now >= nextPollAt) await poll();
        up();
      } catch (error) {
        down(error);
        return;
      }
      await teller.tell();
    },
    async look() {
      if (problem !== undefined || !queue.supports.poll) return;
      try {
        if (!(await leads())) return;
        await teller.tell();
        await poll();
      } catch (error) {
        down(error);
      }
    },
    nextAt() {
      if (teller.hasMore()) return worker.now();
      return queue.supports.poll ? Math.max(nextPollAt, askAgainAt) : Number.POSITIVE_INFINITY;
    },
    trouble: () => problem ?? teller.trouble(),
  };
}

/** How long one turn may tell, ms: a cancelled agent is not to run on until an outage's reports are all out. */
const tellMs = 1000;

interface Teller {
  /** Tells for a while. Never throws for a queue that is down. */
  tell(): Promise<void>;
  /** Was there more to tell than time? */
  hasMore(): boolean;
  trouble(): string | undefined;
}

/** A report that does not go through waits by itself; it delays neither polls nor the reports of other tasks. */
function openTeller(worker: Worker, queue: Queue): Teller {
  let undelivered: string | undefined;
  let more = false;
  return {
    async tell() {
      more = false;
      try {
        more = await deliver(worker, queue, tellMs);
      } catch (error) {
        if (!(error instanceof AppError) || !error.code.startsWith('QUEUE_')) throw error;
        const { message: text, retryAt = worker.now() } = error;
        if (undelivered === undefined) worker.log({ type: 'queue_down', queue: queue.name, text, retryAt });
        undelivered = text;
        return;
      }
      if (undelivered === undefined) return;
      if ((await worker.store.read(({ reports }) => reports.pending(queue.name))) > 0) return;
      undelivered = undefined;
      worker.log({ type: 'queue_up', queue: queue.name });
    },
    hasMore: () => more,
    trouble: () => undelivered,
  };
}
