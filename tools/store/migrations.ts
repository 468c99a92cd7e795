/**
 * The schema, as numbered steps that are only ever appended to. Both databases run the same text; times are epoch
 * milliseconds, JSON is text. `available_at = 0` means ready now: delayed tasks stay out of the claim index, so a
 * long list of them costs a claim nothing.
 */
import { AppError } from '../errors.ts';
import type { Query, Sql } from './sql.ts';

const serial = (dialect: Sql['dialect']): string =>
  dialect === 'sqlite' ? 'INTEGER PRIMARY KEY AUTOINCREMENT' : 'BIGSERIAL PRIMARY KEY';

type Migration = (dialect: Sql['dialect']) => string[];

export const migrations: Migration[] = [
  (dialect) => [
    `CREATE TABLE tasks (
      id TEXT PRIMARY KEY, queue TEXT NOT NULL, native_id TEXT NOT NULL, role TEXT NOT NULL,
      title TEXT NOT NULL, description TEXT NOT NULL, priority BIGINT NOT NULL, due_at BIGINT NOT NULL,
      position BIGINT NOT NULL, ordinal BIGINT NOT NULL, state TEXT NOT NULL, available_at BIGINT NOT NULL,
      created_at BIGINT NOT NULL, enqueued_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, deadline_at BIGINT,
      round BIGINT NOT NULL, failures BIGINT NOT NULL, turn TEXT NOT NULL, attempt_id TEXT, worker_id TEXT,
      lease_until BIGINT, session_id TEXT, session_cost DOUBLE PRECISION NOT NULL, session_usable BIGINT NOT NULL,
      cost DOUBLE PRECISION NOT NULL, note TEXT, failure_kind TEXT, occurrence TEXT, content_hash TEXT NOT NULL,
      submit_key TEXT, meta TEXT NOT NULL)`,
    `CREATE UNIQUE INDEX tasks_native ON tasks (queue, native_id)`,
    `CREATE UNIQUE INDEX tasks_submit_key ON tasks (submit_key) WHERE submit_key IS NOT NULL`,
    `CREATE INDEX tasks_ready ON tasks (role, ordinal, priority, due_at, position, id)
      WHERE state = 'queued' AND available_at = 0`,
    `CREATE INDEX tasks_delayed ON tasks (available_at) WHERE state = 'queued' AND available_at > 0`,
    `CREATE INDEX tasks_running ON tasks (worker_id) WHERE state = 'running'`,
    `CREATE INDEX tasks_deadline ON tasks (deadline_at) WHERE deadline_at IS NOT NULL AND state IN ('queued', 'running', 'waiting')`,
    `CREATE INDEX tasks_state ON tasks (state, updated_at)`,
    `CREATE TABLE attempts (
      id TEXT PRIMARY KEY, task_id TEXT NOT NULL REFERENCES tasks (id), number BIGINT NOT NULL, round BIGINT NOT NULL,
      worker_id TEXT NOT NULL, agent TEXT NOT NULL, session_id TEXT NOT NULL, resumed BIGINT NOT NULL, pid BIGINT,
      pid_start TEXT, result TEXT, failure_kind TEXT, failure_code TEXT, message TEXT, spent BIGINT NOT NULL,
      cost DOUBLE PRECISION NOT NULL, budget DOUBLE PRECISION, turns BIGINT, denials TEXT NOT NULL, artifacts TEXT NOT NULL,
      started_at BIGINT NOT NULL, ended_at BIGINT)`,
    `CREATE INDEX attempts_task ON attempts (task_id, started_at)`,
    `CREATE INDEX attempts_started ON attempts (started_at)`,
    `CREATE TABLE events (
      seq ${serial(dialect)}, task_id TEXT NOT NULL, attempt_id TEXT, at BIGINT NOT NULL, type TEXT NOT NULL,
      data TEXT NOT NULL)`,
    `CREATE INDEX events_task ON events (task_id, seq)`,
    `CREATE TABLE reports (
      seq ${serial(dialect)}, id TEXT NOT NULL UNIQUE, task_id TEXT NOT NULL REFERENCES tasks (id), attempt_id TEXT,
      queue TEXT NOT NULL, uuid TEXT NOT NULL, body TEXT NOT NULL, command TEXT, state TEXT NOT NULL,
      tries BIGINT NOT NULL, next_at BIGINT NOT NULL, native_id TEXT, problem TEXT, created_at BIGINT NOT NULL,
      sent_at BIGINT)`,
    `CREATE INDEX reports_pending ON reports (queue, seq) WHERE state = 'pending'`,
    `CREATE INDEX reports_task ON reports (task_id, seq)`,
    `CREATE UNIQUE INDEX reports_native ON reports (queue, native_id) WHERE native_id IS NOT NULL`,
    `CREATE TABLE comments (
      queue TEXT NOT NULL, native_id TEXT NOT NULL, task_native_id TEXT NOT NULL, author TEXT NOT NULL,
      text TEXT NOT NULL, attachment TEXT, posted_at BIGINT NOT NULL, used BIGINT NOT NULL,
      PRIMARY KEY (queue, native_id))`,
    `CREATE INDEX comments_task ON comments (queue, task_native_id, posted_at)`,
    `CREATE TABLE items (
      queue TEXT NOT NULL, native_id TEXT NOT NULL, project_id TEXT NOT NULL, parent_id TEXT, snapshot TEXT NOT NULL,
      PRIMARY KEY (queue, native_id))`,
    `CREATE INDEX items_parent ON items (queue, parent_id)`,
    `CREATE TABLE cursors (queue TEXT PRIMARY KEY, value TEXT NOT NULL, at BIGINT NOT NULL)`,
    `CREATE TABLE workers (
      id TEXT PRIMARY KEY, host TEXT NOT NULL, boot_id TEXT NOT NULL, pid BIGINT NOT NULL, pid_start TEXT NOT NULL,
      started_at BIGINT NOT NULL, seen_at BIGINT NOT NULL, serves TEXT NOT NULL)`,
    `CREATE TABLE pauses (
      scope TEXT PRIMARY KEY, kind TEXT NOT NULL, message TEXT NOT NULL, since BIGINT NOT NULL, until BIGINT,
      tries BIGINT NOT NULL)`,
    `CREATE TABLE actions (
      key TEXT PRIMARY KEY, task_id TEXT, argv TEXT NOT NULL, argv_hash TEXT NOT NULL, state TEXT NOT NULL,
      host TEXT NOT NULL, boot_id TEXT NOT NULL, pid BIGINT NOT NULL, pid_start TEXT NOT NULL,
      started_at BIGINT NOT NULL, ended_at BIGINT, exit_code BIGINT, stdout TEXT, stderr TEXT)`,
    `CREATE TABLE grants (
      task_id TEXT NOT NULL, rule TEXT NOT NULL, content_hash TEXT NOT NULL, decision TEXT NOT NULL,
      decided_by TEXT NOT NULL, at BIGINT NOT NULL, PRIMARY KEY (task_id, rule))`,
    `CREATE TABLE leads (queue TEXT PRIMARY KEY, worker_id TEXT NOT NULL, until BIGINT NOT NULL)`,
    `CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL)`,
  ],
  () => [
    `ALTER TABLE tasks ADD COLUMN parent_id TEXT`,
    `CREATE INDEX tasks_parent ON tasks (parent_id) WHERE parent_id IS NOT NULL`,
    // How long a worker may be silent; one that works from a shell says so for each task.
    `ALTER TABLE workers ADD COLUMN lease_ms BIGINT NOT NULL DEFAULT 60000`,
    // What a broker has handed over; what it still holds has a time of its own (withBroker in tasks.ts).
    `CREATE INDEX tasks_handed_over ON tasks (role)
      WHERE state = 'queued' AND queue = 'rabbitmq' AND available_at < 9000000000000000`,
    // For each task that a claim looks at: has its last attempt ended?
    `CREATE INDEX attempts_open ON attempts (task_id) WHERE ended_at IS NULL`,
    `CREATE INDEX tasks_native_id ON tasks (native_id)`,
  ],
  // With the state in front SQLite takes these and not tasks_state, which leads through all that waits: of a million
  // waiting tasks each claim read every one.
  () => [
    `DROP INDEX tasks_delayed`,
    `CREATE INDEX tasks_delayed ON tasks (state, available_at) WHERE state = 'queued' AND available_at > 0`,
    `DROP INDEX tasks_deadline`,
    `CREATE INDEX tasks_deadline ON tasks (state, deadline_at)
      WHERE deadline_at IS NOT NULL AND state IN ('queued', 'running', 'waiting')`,
    `DROP INDEX tasks_handed_over`,
    `CREATE INDEX tasks_handed_over ON tasks (state, queue, role)
      WHERE state = 'queued' AND queue = 'rabbitmq' AND available_at < 9000000000000000`,
  ],
];

/**
 * On PostgreSQL texts are ordered by their bytes, as SQLite does it: the same order everywhere, whatever language the
 * database was made for, and an index serves prefixes.
 */
function forDialect(statement: string, dialect: Sql['dialect']): string {
  return dialect === 'postgres' ? statement.replaceAll(/\bTEXT\b/g, 'TEXT COLLATE "C"') : statement;
}

/** Brings the schema up to date in one transaction; several processes may do so at once. */
export async function migrate(sql: Sql): Promise<void> {
  // Nearly always there is nothing to do, and then nothing is locked. What cannot be read is told by the write below.
  if (await isCurrent(sql)) return;
  // One after the other by the lock alone: each statement must see what the process before us has done.
  await sql.transaction(async (query) => {
    await query.lock('migrate');
    await query.run('CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)');
    const current = await version(query);
    if (current > migrations.length) {
      throw new AppError(
        'STORE_TOO_NEW',
        `expected a store of version ${migrations.length} or older, got: ${current}`,
        { hints: ['update Background Agents: a newer version has written this store'] },
      );
    }
    for (const migration of migrations.slice(current))
      for (const statement of migration(sql.dialect)) await query.run(forDialect(statement, sql.dialect));
    if (current < migrations.length) {
      await query.run('DELETE FROM schema_version');
      await query.run('INSERT INTO schema_version (version) VALUES (?)', migrations.length);
    }
  }, 'claim');
}

export async function isCurrent(sql: Sql): Promise<boolean> {
  return (await sql.read(version).catch(() => undefined)) === migrations.length;
}

async function version(query: Query): Promise<number> {
  const rows = await query.all('SELECT version FROM schema_version');
  return Number(rows[0]?.['version'] ?? 0);
}
