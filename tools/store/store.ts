/**
 * The store: everything that must survive a crash. `transaction` gives all tables at once and makes all of it true
 * or none; callers compose what belongs together and never hold a transaction across anything but the store.
 */
import { randomBytes } from 'node:crypto';
import { watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { actionsOf } from './actions.ts';
import { attemptsOf } from './attempts.ts';
import { eventsOf } from './events.ts';
import { isCurrent, migrate } from './migrations.ts';
import { mirrorOf } from './mirror.ts';
import { reportsOf } from './reports.ts';
import type { Isolation, Query, Sql } from './sql.ts';
import { openSqlite } from './sqlite.ts';
import { taskNumbersOf } from './task-numbers.ts';
import { taskQueriesOf } from './task-queries.ts';
import { tasksOf } from './tasks.ts';
import { grantsOf, pausesOf, settingsOf, workersOf } from './workers.ts';

export function tablesOf(query: Query) {
  return {
    tasks: { ...tasksOf(query), ...taskQueriesOf(query), ...taskNumbersOf(query) },
    attempts: attemptsOf(query),
    events: eventsOf(query),
    reports: reportsOf(query),
    mirror: mirrorOf(query),
    workers: workersOf(query),
    pauses: pausesOf(query),
    grants: grantsOf(query),
    actions: actionsOf(query),
    settings: settingsOf(query),
    /** Waits until no other transaction holds this name, then holds it to the end of this one. */
    lock: (name: string) => query.lock(name),
  };
}
export type Tables = ReturnType<typeof tablesOf>;

export interface Store {
  /** Eight hex digits, made with the store: tells our comments from those of a worker with another store. */
  readonly id: string;
  /** Can workers on other machines be on this store? */
  readonly shared: boolean;
  /** The store's clock, epoch ms. */
  now(): number;
  transaction<T>(work: (tables: Tables) => Promise<T>, isolation?: Isolation): Promise<T>;
  read<T>(work: (tables: Tables) => Promise<T>): Promise<T>;
  /** Tells other processes on this store that something changed. */
  ring(): void;
  /** Calls back when another process rings; the result stops listening. */
  onRing(callback: () => void): () => void;
  verify(): Promise<void>;
  close(): Promise<void>;
}

export const storeFile = 'store.sqlite';

/** Opens, and brings up to date, the store at `databaseUrl` (`postgres://…`), or else in `dataDir`. Throws STORE_*. */
export async function openStore(dataDir: string, databaseUrl?: string): Promise<Store> {
  if (databaseUrl === undefined) {
    const sql = openSqlite(join(dataDir, storeFile));
    await migrate(sql);
    return { ...(await storeOn(sql)), ...doorbell(join(dataDir, 'store.bell')) };
  }
  // Loaded only where it is used: it would slow down every command.
  const { openPostgres } = await import('./postgres.ts');
  const sql = await openPostgres(databaseUrl);
  try {
    if (!(await isCurrent(sql))) {
      const patient = await openPostgres(databaseUrl, { statementMs: 10 * 60_000 });
      try {
        await migrate(patient);
      } finally {
        await patient.close();
      }
    }
    return { ...(await storeOn(sql)), ring: sql.ring, onRing: sql.onRing };
  } catch (error) {
    await sql.close();
    throw error;
  }
}

/** A store on a migrated database, without a doorbell. */
export async function storeOn(sql: Sql): Promise<Store> {
  const bound = new WeakMap<Query, Tables>();
  const tables = (query: Query): Tables => {
    const known = bound.get(query) ?? tablesOf(query);
    bound.set(query, known);
    return known;
  };
  const transaction: Store['transaction'] = (work, isolation) =>
    sql.transaction((query) => work(tables(query)), isolation);
  const read: Store['read'] = (work) => sql.read((query) => work(tables(query)));
  const id = (await read(({ settings }) => settings.get('store_id'))) ?? (await transaction(giveId));
  return {
    id,
    shared: sql.dialect === 'postgres',
    now: () => sql.now(),
    transaction,
    read,
    ring: () => undefined,
    onRing: () => () => undefined,
    verify: () => sql.verify(),
    close: () => sql.close(),
  };
}

async function giveId({ settings }: Tables): Promise<string> {
  const known = await settings.get('store_id');
  if (known !== undefined) return known;
  const fresh = randomBytes(4).toString('hex');
  await settings.set('store_id', fresh);
  return fresh;
}

/** A file written after a commit and watched by the others: measured 2 ms, against 500 ms of polling each second. */
function doorbell(path: string): Pick<Store, 'ring' | 'onRing'> {
  return {
    ring: () => {
      try {
        writeFileSync(path, '.');
      } catch {
        // A full or read-only disk: the others poll anyway, and the store itself has said what is wrong.
      }
    },
    onRing: (callback) => {
      try {
        writeFileSync(path, '.', { flag: 'a' });
        const watcher = watch(path, () => callback());
        watcher.on('error', () => watcher.close());
        return () => watcher.close();
      } catch {
        // No file notifications on this system: polling remains.
        return () => undefined;
      }
    },
  };
}
