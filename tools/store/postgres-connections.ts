/**
 * Connections to PostgreSQL: lent for one transaction each, replaced when they break, with statements that are prepared
 * once. Whatever goes wrong leaves here as STORE_*, and no message has the password in it.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Client, Pool, types, type PoolClient, type QueryResult } from 'pg';
import { AppError } from '../errors.ts';
import { isBroken, sqlState, toStoreError } from './postgres-errors.ts';
import type { Isolation, Query, Row } from './sql.ts';

/** As many transactions of one process run at once. */
export const connections = 4;
export const lockPatienceMs = 10_000;

/**
 * How long a statement may take, ms. Well below a lease: a heartbeat that meets a connection which has fallen silent
 * must be given up and sent again on a new one before the lease is half over.
 */
const answerMs = 12_000;

/** Passed at the start of each connection; a pooler in between has to let them through. */
const timeoutsFor = (statementMs: number) => ({
  connectionTimeoutMillis: 10_000,
  lock_timeout: lockPatienceMs,
  statement_timeout: statementMs,
  idle_in_transaction_session_timeout: 30_000,
  // Of a network that has fallen silent the server cannot tell us.
  query_timeout: statementMs + 3000,
});

export interface Session {
  client: PoolClient;
  /** What a statement of the transaction under way has met first. */
  failure: unknown;
  queries: Record<Isolation, Query>;
}

export interface Database {
  /** Lends a connection; one that broke meanwhile is thrown away. */
  use<T>(work: (session: Session) => Promise<T>): Promise<T>;
  /** A connection beside the pool, not yet connected. */
  readonly single: () => Client;
  close(): Promise<void>;
}

export function connectTo(url: string, statementMs = answerMs): Database {
  const { where, redact } = addressOf(url);
  const config = {
    connectionString: url,
    application_name: 'background-agents',
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    ...timeoutsFor(statementMs),
  };
  const pool = new Pool({ ...config, max: connections, idleTimeoutMillis: 30_000, pipeline: true });
  const translate = (error: unknown): unknown => toStoreError(error, where, redact);
  const sessions = new WeakMap<PoolClient, Session>();
  // A connection that dies while nobody uses it is replaced by the pool; without a listener it would end the process.
  pool.on('error', () => undefined);
  const bornAt = new WeakMap<PoolClient, number>();
  // Where one connection has fallen silent, those made before it are likely to have.
  let distrustedBefore = 0;
  pool.on('connect', (client) => {
    bornAt.set(client, performance.now());
    client.on('error', () => undefined);
  });
  const line = createLine(connections);
  let closed = false;

  async function trusted(): Promise<PoolClient> {
    for (;;) {
      const client = await pool.connect();
      if ((bornAt.get(client) ?? 0) >= distrustedBefore) return client;
      client.release(true);
    }
  }

  async function borrow(): Promise<Session> {
    if (closed) throw new AppError('STORE_UNAVAILABLE', `the store is closed: ${where}`);
    const client = await trusted().catch((error: unknown) => {
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
          const broken = session.failure !== undefined && isBroken(session.failure);
          if (broken && sqlState(session.failure) === undefined) distrustedBefore = performance.now();
          session.client.release(broken);
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
export function createLine(places: number): <T>(work: () => Promise<T>) => Promise<T> {
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
