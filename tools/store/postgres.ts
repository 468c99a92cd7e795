/**
 * PostgreSQL through `pg`: a store that workers on several machines share. Transactions are serializable and run again
 * by themselves when the database asks for it; a claim runs beside others and passes over the rows they have taken.
 * Every wait ends. The tables lie in the first schema of the connection's search_path.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { AppError } from '../errors.ts';
import { createRinger, listen } from './postgres-bell.ts';
import {
  connections,
  connectTo,
  createLine,
  lockPatienceMs,
  type Database,
  type Session,
} from './postgres-connections.ts';
import { isBroken, sqlState } from './postgres-errors.ts';
import type { Isolation, Query, Sql } from './sql.ts';

const clockEveryMs = 10_000;

export interface PostgresOptions {
  /** This machine's clock, epoch ms. It must not jump: what is measured is how far it is from the database's. */
  clock?: () => number;
  /** How long a statement may take, ms; changing the tables of a large store takes longer than anything else. */
  statementMs?: number;
}

export interface SharedSql extends Sql {
  readonly ring: () => void;
  /** Also calls back once when it has begun to listen, or does so again: something may have been missed. */
  readonly onRing: (callback: () => void) => () => void;
}

/** Throws STORE_DISCONNECTED when there is no database, STORE_UNAVAILABLE when it does not let us in. */
export async function openPostgres(url: string, options: PostgresOptions = {}): Promise<SharedSql> {
  const database = connectTo(url, options.statementMs);
  const transact = transactions(database);
  const local = options.clock ?? (() => performance.timeOrigin + performance.now());
  const clock = sharedClock(local, () => database.use(({ queries }) => compareClocks(local, queries.claim)));
  const ringer = createRinger((statement) => database.use(({ queries }) => queries.claim.run(statement)));
  const stops = new Set<() => void>();
  let closing: Promise<void> | undefined;
  try {
    await clock.measure();
  } catch (error) {
    await database.close();
    throw error;
  }
  return {
    dialect: 'postgres',
    now: clock.now,
    transaction: transact,
    read: (work) => database.use((session) => reading(session, work)),
    verify: clock.refresh,
    ring: ringer.ring,
    onRing: (callback) => {
      const stop = listen(database.single, callback);
      stops.add(stop);
      return () => {
        stops.delete(stop);
        stop();
      };
    },
    close: () =>
      (closing ??= (async () => {
        for (const stop of stops) stop();
        await ringer.settled();
        await database.close();
      })()),
  };
}

const begins: Record<Isolation, string> = {
  serial: 'BEGIN ISOLATION LEVEL SERIALIZABLE',
  claim: 'BEGIN ISOLATION LEVEL READ COMMITTED',
};

function transactions(database: Database): Sql['transaction'] {
  // What met somebody else once would meet its own kind next: from then on one after the other.
  const again = createLine(1);
  return async <T>(work: (query: Query) => Promise<T>, isolation: Isolation = 'serial'): Promise<T> => {
    const end = performance.now() + lockPatienceMs;
    const run = (): Promise<Outcome<T>> => database.use((session) => once(session, work, isolation));
    let lostRace = false;
    for (let tries = 0; ; tries += 1) {
      const outcome = tries === 0 ? await run() : await again(run);
      if (outcome.done) return outcome.value;
      const state = sqlState(outcome.failure);
      // The second run sees the row that was there first.
      const isRace = state === '23505' && !lostRace;
      if (isRace) lostRace = true;
      // A newer version has changed a table: each connection plans its statements anew, once.
      const isStale = state === '0A000' && tries < connections;
      const mayRunAgain = isRace || isStale || state === '40001' || state === '40P01';
      if (!mayRunAgain || performance.now() > end) throw outcome.error;
      await delay(Math.random() * Math.min(100, 2 * 2 ** tries));
    }
  };
}

type Outcome<T> = { done: true; value: T } | { done: false; error: unknown; failure: unknown };

async function once<T>(
  session: Session,
  work: (query: Query) => Promise<T>,
  isolation: Isolation,
): Promise<Outcome<T>> {
  const query = session.queries[isolation];
  try {
    // Sent together with the first statement: it costs no round trip of its own.
    const begun = query.run(begins[isolation]);
    begun.catch(() => undefined);
    const value = await work(query);
    await begun;
    await commit(session, query);
    return { done: true, value };
  } catch (error) {
    const failure = session.failure;
    if (failure === undefined || !isBroken(failure)) await query.run('ROLLBACK').catch(() => undefined);
    return { done: false, error, failure };
  }
}

/** A transaction in which a statement failed is rolled back by its COMMIT, which only says so. */
async function commit(session: Session, query: Query): Promise<void> {
  if (session.failure !== undefined)
    throw new AppError('STORE_UNAVAILABLE', 'a statement of this transaction failed; it was rolled back');
  await query.run('COMMIT');
}

/** One snapshot for all of it. */
async function reading<T>(session: Session, work: (query: Query) => Promise<T>): Promise<T> {
  const query = session.queries.serial;
  const begun = query.run('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  begun.catch(() => undefined);
  try {
    const value = await work(query);
    await begun;
    return value;
  } finally {
    // Nothing depends on its answer; what is sent next on this connection comes after it.
    if (session.failure === undefined || !isBroken(session.failure))
      query.run('ROLLBACK').catch(() => undefined);
  }
}

const clockStatement = `SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS DOUBLE PRECISION) AS at`;

interface SharedClock {
  readonly now: () => number;
  readonly measure: () => Promise<void>;
  /** Measures again when the last time is long ago. */
  readonly refresh: () => Promise<void>;
}

/** How far the database's clock is from ours, ms: what it said, and what ours said when half of the trip was over. */
async function compareClocks(local: () => number, query: Query): Promise<{ offset: number; tripMs: number }> {
  const sentAt = local();
  const rows = await query.all(clockStatement);
  const tripMs = local() - sentAt;
  return { offset: Number(rows[0]?.['at']) - (sentAt + tripMs / 2), tripMs };
}

/** Leases are judged by one clock, the database's. */
function sharedClock(local: () => number, compare: () => ReturnType<typeof compareClocks>): SharedClock {
  let offset = 0;
  let measuredAt = Number.NEGATIVE_INFINITY;
  async function measure(): Promise<void> {
    // A trip that took long says little; the shortest of three is as good as it gets.
    let best = await compare();
    for (let index = 0; index < 2 && best.tripMs > 5; index += 1) {
      const next = await compare();
      if (next.tripMs < best.tripMs) best = next;
    }
    offset = best.offset;
    measuredAt = performance.now();
  }
  return {
    now: () => Math.round(local() + offset),
    measure,
    refresh: async () => {
      if (performance.now() - measuredAt >= clockEveryMs) await measure();
    },
  };
}
