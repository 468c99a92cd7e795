/** The PostgreSQL server that tests use, and databases of their own on it. `TEST_DATABASE_URL` names another one. */
import { Client, type QueryResult } from 'pg';
import { randomUUID } from 'node:crypto';

const server = process.env['TEST_DATABASE_URL'] ?? 'postgres://postgres@127.0.0.1:5432/postgres';

async function once<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5000 });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

async function answers(): Promise<boolean> {
  try {
    await once(server, (client) => client.query('SELECT 1'));
    return true;
  } catch (error) {
    if (process.env['REQUIRE_SERVERS']) throw error;
    return false;
  }
}

/** Where it cannot be reached tests are passed over, or fail when REQUIRE_SERVERS is set. */
export const hasPostgres = await answers();
export const why = hasPostgres ? '' : ' (skipped: no PostgreSQL at TEST_DATABASE_URL or on this machine)';

/** As somebody who may do everything. */
export function asAdmin(url: string, statement: string, values: unknown[] = []): Promise<QueryResult> {
  return once(url, (client) => client.query(statement, values));
}

export interface TestDatabase {
  url: string;
  /** The same database, everything in a schema of its own, which is made. */
  schema(name: string): Promise<string>;
  drop(): Promise<void>;
}

/** Sorts text as English does, so that nobody relies on the order of bytes by accident. */
export async function createDatabase(): Promise<TestDatabase> {
  const name = `agentq_test_${randomUUID().replaceAll('-', '')}`;
  await asAdmin(
    server,
    `CREATE DATABASE ${name} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C.UTF-8'`,
  );
  const url = new URL(server);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    async schema(schemaName) {
      await asAdmin(url.href, `CREATE SCHEMA IF NOT EXISTS "${schemaName}"`);
      const own = new URL(url);
      own.searchParams.set('options', `-c search_path=${schemaName}`);
      return own.href.replaceAll('+', '%20');
    },
    drop: async () => void (await asAdmin(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)),
  };
}
