/** A copy of a store in memory: what a dry run works on, so that nothing is written anywhere. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { migrate } from './migrations.ts';
import { openSqlite, toAppError } from './sqlite.ts';
import { storeFile, storeOn, type Store } from './store.ts';

export async function copyStore(dataDir: string, databaseUrl?: string): Promise<Store> {
  const sql = openSqlite(':memory:');
  await migrate(sql);
  const rows = databaseUrl === undefined ? readFileOf(dataDir) : await readShared(databaseUrl);
  if (rows.length > 0) {
    await sql.transaction(async (query) => {
      for (const { table, row } of rows) {
        const names = Object.keys(row);
        const marks = names.map(() => '?').join(', ');
        await query.run(
          `INSERT OR REPLACE INTO ${table} (${names.join(', ')}) VALUES (${marks})`,
          ...(Object.values(row) as (string | number | null)[]),
        );
      }
    });
  }
  return storeOn(sql);
}

/** What a plan depends on; events and old attempts stay behind. */
const tables = [
  'tasks',
  'reports',
  'comments',
  'items',
  'cursors',
  'pauses',
  'grants',
  'settings',
  'attempts',
];

/** A reader, too, would make a log beside the store; where none lies there nobody writes, and the file is all. */
function openToRead(path: string): DatabaseSync {
  const url = pathToFileURL(path);
  if (!existsSync(`${path}-wal`)) url.searchParams.set('immutable', '1');
  return new DatabaseSync(url, { readOnly: true });
}

interface Copied {
  table: string;
  row: Record<string, unknown>;
}

/** One snapshot of a database that others go on with. */
async function readShared(url: string): Promise<Copied[]> {
  const { openPostgres } = await import('./postgres.ts');
  const shared = await openPostgres(url);
  try {
    return await shared.read(async (query) => {
      const copied: Copied[] = [];
      for (const table of tables)
        copied.push(...(await query.all(`SELECT * FROM ${table}`)).map((row) => ({ table, row })));
      return copied;
    });
  } finally {
    await shared.close();
  }
}

function readFileOf(dataDir: string): Copied[] {
  const path = join(dataDir, storeFile);
  if (!existsSync(path)) return [];
  try {
    const database = openToRead(path);
    try {
      return tables.flatMap((table) =>
        database
          .prepare(`SELECT * FROM ${table}`)
          .all()
          .map((row) => ({ table, row })),
      );
    } finally {
      database.close();
    }
  } catch (error) {
    throw toAppError(error, path);
  }
}
