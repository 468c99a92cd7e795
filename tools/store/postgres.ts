/**
 * PostgreSQL through `pg`: a store that workers on several machines share. Transactions are serializable and run again
 * by themselves when the database asks for it; a claim runs beside others and passes over the rows they have taken.
 * Every wait ends. The tables lie in the first schema of the connection's search_path.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Client, Pool, types, type PoolClient, type QueryResult } from 'pg';

import { AppError } from '../errors.ts';
import { createRinger, listen } from './postgres-bell.ts';
import { isBroken, sqlState, toStoreError } from './postgres-errors.ts';
import type { Isolation, Query, Row, Sql } from './sql.ts';

const lockPatienceMs = 10_000;
const connections = 4;
const clockEveryMs = 10_000;

/** Passed at the start of each connection; a pooler in between has to let them through. */
const timeouts = {
  connectionTimeoutMillis: 10_000,
  lock_timeout: lockPatienceMs,
  statement_timeout: 30_000,
  idle_in_transaction_session_timeout: 30_000,
  // Of a network that has fallen silent the server cannot tell us.
  query_timeout: 40_000,
};

export interface PostgresOptions {
  /** This machine's clock, epoch ms. It must not jump: what is measured is how far it is from the database's. */
  clock?: () => number;
}

export interface SharedSql extends Sql {
  readonly ring: () => void;
  /** Also calls back once when it has begun to listen, or does so again: something may have been missed. */
  readonly onRing: (callback: () => void) => () => void;
}

interface Session {
  client: PoolClient;
  /** What a statement of the transaction under way has met first. */
  failure: unknown;
  queries: Record<Isolation, Query>;
}

/** Throws STORE_DISCONNECTED when there is no database, STORE_UNAVAILABLE when it does not let us in. */
export async function openPostgres(url: string, options: PostgresOptions = {}): Promise<SharedSql> {
  const database = connectTo(url);
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

interface Database {
  /** Lends a connection; one that broke meanwhile is thrown away. */
  use<T>(work: (session: Session) => Promise<T>): Promise<T>;
  /** A connection beside the pool, not yet connected. */
  readonly single: () => Client;
  close(): Promise<void>;
}

function connectTo(url: string): Database {
  const { where, redact } = addressOf(url);
  const config = {
    connectionString: url,
    application_name: 'background-agents',
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    ...timeouts,
  };
  const pool = new Pool({ ...config, max: connections, idleTimeoutMillis: 30_000, pipeline: true });
  const translate = (error: unknown): unknown => toStoreError(error, where, redact);
  const sessions = new WeakMap<PoolClient, Session>();
  // A connection that dies while nobody uses it is replaced by the pool; without a listener it would end the process.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => {
    client.on('error', () => undefined);
  });
  const line = createLine(connections);
  let closed = false;

  async function borrow(): Promise<Session> {
    if (closed) throw new AppError('STORE_UNAVAILABLE', `the store is closed: ${where}`);
    const client = await pool.connect().catch((error: unknown) => {
      throw translate(error);
    });
    const session = sessions.get(client) ?? openSession(client, translate);
    sessions.set(client, session);
    session.failure = undefined;
    return session;
  }

  return {
    single: () => new Client(config),
    use: (work) =>
      line(async () => {
        const session = await borrow();
        try {
          return await work(session);
        } finally {
          session.client.release(session.failure !== undefined && isBroken(session.failure));
        }
      }),
    async close() {
      closed = true;
      // A server that has fallen silent does not keep us from ending.
      await Promise.race([pool.end(), delay(5000, undefined, { ref: false })]);
    },
  };
}

/** At most `places` at a time, the others in the order they came. */
function createLine(places: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let free = places;
  return async (work) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    }
  };
}

function openSession(client: PoolClient, translate: (error: unknown) => unknown): Session {
  const send = async (sql: string, params: readonly unknown[]): Promise<QueryResult<Row>> => {
    try {
      return await client.query<Row>({ ...prepared(sql), values: params.map(storable) });
    } catch (error) {
      session.failure ??= error;
      throw translate(error);
    }
  };
  const query = (skipLocked: Query['skipLocked']): Query => ({
    all: async (sql, ...params) => (await send(sql, params)).rows,
    run: async (sql, ...params) => (await send(sql, params)).rowCount ?? 0,
    skipLocked,
    lock: async (name) => void (await send(lockStatement, [name])),
  });
  const session: Session = {
    client,
    failure: undefined,
    queries: { serial: query(''), claim: query(' FOR UPDATE SKIP LOCKED') },
  };
  return session;
}

/** Locks belong to the whole database: stores in two schemas of one do not wait for each other. */
const lockStatement = `SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || '/' || CAST(? AS text), 0))`;

const statements = new Map<string, { name: string; text: string }>();
const mostNamed = 500;

/** Statements are named, so that each connection has the database parse and plan them once. */
function prepared(sql: string): { name?: string; text: string } {
  const known = statements.get(sql);
  if (known) return known;
  let count = 0;
  const text = sql.replaceAll('?', () => `$${(count += 1)}`);
  if (statements.size >= mostNamed || /^(NOTIFY|BEGIN|COMMIT|ROLLBACK)\b/.test(sql)) return { text };
  const fresh = { name: `s${statements.size}`, text };
  statements.set(sql, fresh);
  return fresh;
}

/** PostgreSQL's text has no NUL. */
function storable(value: unknown): unknown {
  return typeof value === 'string' && value.includes('\0') ? value.replaceAll('\0', '\u{FFFD}') : value;
}

// Counts, sums and times come as text, since not every one of them fits a number; all of ours do.
for (const type of [types.builtins.INT8, types.builtins.NUMERIC]) types.setTypeParser(type, Number);

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

/** Names the database for a message; `redact` takes the password out of any text. */
function addressOf(url: string): { where: string; redact: (text: string) => string } {
  if (!URL.canParse(url))
    throw new AppError('STORE_UNAVAILABLE', 'expected DATABASE_URL to be a URL of a PostgreSQL database', {
      hints: [
        'DATABASE_URL=postgres://user:password@host:5432/database',
        'percent-encode special characters',
      ],
    });
  const parsed = new URL(url);
  const secrets = [parsed.password, safeDecode(parsed.password), parsed.searchParams.get('password') ?? '']
    .filter((secret) => secret !== '')
    .toSorted((one, two) => two.length - one.length);
  const user = parsed.username === '' ? '' : `${parsed.username}@`;
  return {
    where: `${parsed.protocol}//${user}${parsed.host}${parsed.pathname}`,
    redact: (text) => secrets.reduce((left, secret) => left.replaceAll(secret, '***'), text),
  };
}

function safeDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
