/** Databases of the benchmark on the machine's PostgreSQL; DATABASE_URL names another server. */
import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { NotHere } from './contender.ts';

const server = process.env['DATABASE_URL'] ?? 'postgres://postgres@127.0.0.1:5432/postgres';

export interface BenchDatabase {
  url: string;
  drop(): Promise<void>;
}

export async function createBench(): Promise<BenchDatabase> {
  const name = `background_agents_bench_${randomBytes(4).toString('hex')}`;
  await onServer(`CREATE DATABASE ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    drop: () => onServer(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`).then(() => undefined),
  };
}

/** Throws NotHere when there is none. */
export async function postgresVersion(): Promise<string> {
  const [row] = await onServer('SHOW server_version');
  return String(row?.['server_version']).replace(/ .*/, '');
}

async function onServer(statement: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: server, connectionTimeoutMillis: 15_000 });
  try {
    await client.connect();
  } catch (error) {
    throw new NotHere(`no PostgreSQL at ${new URL(server).host} (${String(error)})`);
  }
  try {
    return (await client.query<Record<string, unknown>>(statement)).rows;
  } finally {
    await client.end();
  }
}
