/**
 * Looking into a store file, and saving what can be read out of a damaged one. The damaged file is always kept beside
 * the new one; what could not be read is said in numbers.
 */
import { existsSync, renameSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { messageOf } from '../errors.ts';
import { migrations } from './migrations.ts';

/** What is wrong with it, or undefined. A flipped bit is only seen by reading every page, so every page is read. */
export function inspectStore(path: string): string | undefined {
  try {
    const database = new DatabaseSync(path, { readOnly: true });
    try {
      const rows = database.prepare('PRAGMA quick_check(5)').all();
      const problems = rows.map((row) => String(row['quick_check'])).filter((text) => text !== 'ok');
      if (problems.length > 0) return problems.join('; ');
      database.prepare('SELECT version FROM schema_version').all();
      return undefined;
    } finally {
      database.close();
    }
  } catch (error) {
    return messageOf(error);
  }
}

/** Yields a sentence on what was saved. No process may have the store open. */
export function repairStore(path: string): string {
  const kept = `${path}.damaged-${new Date().toISOString().replaceAll(/[:.]/g, '-')}`;
  const fresh = `${path}.repaired`;
  rmSync(fresh, { force: true });
  const target = new DatabaseSync(fresh);
  for (const migration of migrations) for (const statement of migration('sqlite')) target.exec(statement);
  target.exec(
    `CREATE TABLE schema_version (version BIGINT NOT NULL); INSERT INTO schema_version VALUES (${migrations.length})`,
  );
  const saved = copyRows(path, target);
  target.close();
  for (const suffix of ['', '-wal', '-shm'])
    if (existsSync(path + suffix)) renameSync(path + suffix, kept + suffix);
  renameSync(fresh, path);
  return `repaired: ${saved}; the damaged file is kept as ${kept}`;
}

function copyRows(path: string, target: DatabaseSync): string {
  const names = target
    .prepare(`SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`)
    .all();
  target.exec('PRAGMA foreign_keys = OFF');
  const counts: string[] = [];
  for (const { name } of names) {
    if (name === 'schema_version') continue;
    const count = copyTable(path, target, String(name));
    if (count > 0) counts.push(`${count} ${String(name)}`);
  }
  return counts.length === 0 ? 'nothing could be read' : counts.join(', ');
}

/** Row by row, so that one unreadable page costs its rows and no others. */
function copyTable(path: string, target: DatabaseSync, table: string): number {
  let count = 0;
  try {
    const source = new DatabaseSync(path, { readOnly: true });
    try {
      for (const row of source.prepare(`SELECT * FROM ${table}`).iterate()) {
        const columns = Object.keys(row);
        const marks = columns.map(() => '?').join(', ');
        target
          .prepare(`INSERT OR IGNORE INTO ${table} (${columns.join(', ')}) VALUES (${marks})`)
          .run(...Object.values(row));
        count += 1;
      }
    } finally {
      source.close();
    }
  } catch {
    // The rest of this table cannot be read; the counts tell how far it went.
  }
  return count;
}
