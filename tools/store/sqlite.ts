/**
 * SQLite through Node's own `node:sqlite`: WAL, every commit on disk (synchronous FULL). One connection a process;
 * transactions queue up behind each other, and those that were asked for at the same time share one commit, since it is
 * the wait for the disk that costs. A lock held by another process is waited for without blocking the event
 * loop: `busy_timeout` would stop heartbeats and time-outs (measured: 3 s of lock, 3 s of standstill).
 */
import { mkdirSync, statSync, existsSync, chmodSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { setImmediate as endOfTurn, setTimeout as delay } from 'node:timers/promises';
import { AppError, messageOf, type ErrorCode } from '../errors.ts';
import type { Query, Sql, Value, Row } from './sql.ts';

const lockPatienceMs = 10_000;
/** Transactions that share a commit at most: nobody waits for more of others than that. */
const mostShared = 50;

export function openSqlite(path: string): Sql {
  const database = path === ':memory:' ? new DatabaseSync(path) : connect(path);
  const identity = path === ':memory:' ? undefined : statSync(path).ino;
  const query = cachedQuery(database);
  let tail: Promise<unknown> = Promise.resolve();

  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = tail.then(work, work);
    tail = turn.catch(() => undefined);
    return turn;
  }

  const share = sharedCommits(database, query, inTurn);

  return {
    dialect: 'sqlite',
    now: Date.now,
    transaction: (work) => share(work),
    read: (work) => inTurn(() => translated(() => work(query))),
    async verify() {
      if (identity !== undefined && statSync(path, { throwIfNoEntry: false })?.ino !== identity) {
        throw new AppError('STORE_UNAVAILABLE', `the store was deleted or replaced while in use: ${path}`, {
          hints: ['stop every worker, put the file back, then start again'],
        });
      }
    },
    close: () =>
      inTurn(async () => {
        if (database.isOpen) database.close();
      }),
  };
}

function connect(path: string): DatabaseSync {
  try {
    if (!existsSync(dirname(path))) mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const database = new DatabaseSync(path, { timeout: 0 });
    retryNow(() => database.exec('PRAGMA journal_mode = WAL'));
    database.exec(
      'PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA wal_autocheckpoint = 4000; PRAGMA busy_timeout = 0',
    );
    chmodSync(path, 0o600);
    return database;
  } catch (error) {
    throw toAppError(error, path);
  }
}

/** Opening happens before the loop runs, so a short blocking retry is fine here. */
function retryNow(action: () => void): void {
  const end = Date.now() + 2000;
  for (;;) {
    try {
      action();
      return;
    } catch (error) {
      if (!isBusy(error) || Date.now() > end) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    }
  }
}

interface Job {
  work(query: Query): Promise<unknown>;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

function sharedCommits(
  database: DatabaseSync,
  query: Query,
  inTurn: (work: () => Promise<void>) => Promise<void>,
): Sql['transaction'] {
  const waiting: Job[] = [];

  async function flush(): Promise<void> {
    // Whatever else this turn of the event loop asks for comes along.
    await endOfTurn();
    const batch = waiting.splice(0, mostShared);
    if (batch.length > 0) await commitTogether(database, query, batch);
  }

  return <T>(work: (query: Query) => Promise<T>) =>
    new Promise<T>((resolve, reject) => {
      waiting.push({ work, resolve: (value) => resolve(value as T), reject });
      // One commit for each fifty that wait, in line with the reads and the closing that were asked for meanwhile.
      if (waiting.length % mostShared === 1) void inTurn(flush);
    });
}

/** One BEGIN and one COMMIT for all. One that throws is undone alone; nobody hears of success before the commit. */
async function commitTogether(database: DatabaseSync, query: Query, batch: readonly Job[]): Promise<void> {
  const answers: (() => void)[] = [];
  try {
    await begin(database);
    for (const job of batch) answers.push(await inSavepoint(database, query, job, batch.length > 1));
    database.exec('COMMIT');
  } catch (error) {
    if (database.isOpen && database.isTransaction) database.exec('ROLLBACK');
    const failure = error instanceof RolledBack ? error.cause : error;
    for (const job of batch) job.reject(toAppError(failure));
    return;
  }
  for (const answer of answers) answer();
}

/** Thrown when nothing is left of the whole transaction; `cause` says why. */
class RolledBack extends Error {}

/** Yields what to tell the one who asked, once all of it is on disk. */
async function inSavepoint(
  database: DatabaseSync,
  query: Query,
  job: Job,
  isShared: boolean,
): Promise<() => void> {
  if (isShared) database.exec('SAVEPOINT job');
  try {
    const value = await job.work(query);
    if (isShared) database.exec('RELEASE job');
    return () => job.resolve(value);
  } catch (error) {
    // Alone, or SQLite has undone everything by itself (a full disk): nothing is left to go on with.
    if (!isShared || !database.isTransaction) throw new RolledBack('rolled back', { cause: error });
    database.exec('ROLLBACK TO job; RELEASE job');
    job.reject(toAppError(error));
    return () => undefined;
  }
}

async function begin(database: DatabaseSync): Promise<void> {
  const start = performance.now();
  for (;;) {
    try {
      database.exec('BEGIN IMMEDIATE');
      return;
    } catch (error) {
      if (!isBusy(error) || performance.now() - start > lockPatienceMs) throw toAppError(error);
      await delay(2 + Math.random() * 25);
    }
  }
}

async function translated<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toAppError(error);
  }
}

function cachedQuery(database: DatabaseSync): Query {
  const statements = new Map<string, StatementSync>();
  const prepare = (sql: string): StatementSync => {
    const known = statements.get(sql);
    if (known) return known;
    const fresh = database.prepare(sql);
    statements.set(sql, fresh);
    return fresh;
  };
  return {
    all: async (sql, ...params: Value[]) => prepare(sql).all(...params) as Row[],
    run: async (sql, ...params: Value[]) => Number(prepare(sql).run(...params).changes),
    skipLocked: '',
    lock: async () => undefined,
  };
}

function errcode(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('errcode' in error)) return undefined;
  return Number(error.errcode) & 0xff;
}

function isBusy(error: unknown): boolean {
  const code = errcode(error);
  return code === 5 || code === 6;
}

/** SQLite's primary result codes (sqlite.org/rescode.html) as ours. */
const codes: Record<number, [ErrorCode, string, string]> = {
  5: [
    'STORE_LOCKED',
    'the store is locked by another process',
    'agentq doctor   (shows who works on this store)',
  ],
  6: ['STORE_LOCKED', 'the store is locked', 'agentq doctor   (shows who works on this store)'],
  8: ['STORE_UNAVAILABLE', 'the store cannot be written', 'make the AGENT_DATA_DIR folder writable'],
  10: [
    'STORE_UNAVAILABLE',
    'the store could not be read or written',
    'check the disk that AGENT_DATA_DIR is on',
  ],
  11: ['STORE_CORRUPT', 'the store file is damaged', 'agentq doctor --repair   (the damaged file is kept)'],
  13: ['STORE_FULL', 'the disk is full', 'free some space; nothing was lost, the worker goes on by itself'],
  14: ['STORE_UNAVAILABLE', 'the store cannot be opened', 'check that AGENT_DATA_DIR exists and is writable'],
  26: [
    'STORE_CORRUPT',
    'the store file is not a database',
    'agentq doctor --repair   (the damaged file is kept)',
  ],
};

export function toAppError(error: unknown, path?: string): unknown {
  if (error instanceof AppError) return error;
  const where = path === undefined ? '' : `: ${path}`;
  const known = codes[errcode(error) ?? -1];
  if (known)
    return new AppError(known[0], `${known[1]}${where} (${messageOf(error)})`, {
      hints: [known[2]],
      cause: error,
    });
  const system = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
  if (['EACCES', 'EROFS', 'ENOTDIR', 'EPERM'].includes(system))
    return new AppError('STORE_UNAVAILABLE', `the store cannot be opened${where} (${messageOf(error)})`, {
      hints: ['check that AGENT_DATA_DIR exists and is writable'],
      cause: error,
    });
  if (system === 'ENOSPC')
    return new AppError('STORE_FULL', `the disk is full${where}`, {
      hints: ['free some space'],
      cause: error,
    });
  return error;
}
