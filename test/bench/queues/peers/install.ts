/**
 * Fetches the other queues into `.cache/bench-peers/`, once, with pinned versions: they are no dependencies of the
 * project. Without a network the benchmark goes on with ours alone.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { NotHere } from '../contender.ts';

export const versions = {
  plainjob: '0.0.14',
  liteque: '0.8.0',
  'better-sqlite3': '13.2.0',
  'better-queue': '3.8.12',
  'better-queue-sqlite': '1.0.7',
  bullmq: '6.7.0',
  ioredis: '6.0.0',
  'pg-boss': '12.38.0',
  'graphile-worker': '0.18.0',
} as const;

const folder = fileURLToPath(new URL('../../../../.cache/bench-peers/', import.meta.url));
const complete = `${folder}installed-${Object.values(versions).join('-')}`;

/** Throws NotHere. */
export function installPeers(): void {
  if (existsSync(complete)) return;
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}package.json`, JSON.stringify({ private: true, dependencies: versions }));
  const npm = (...args: string[]): void => {
    execFileSync('npm', [...args, '--prefix', folder, '--no-audit', '--no-fund'], {
      stdio: ['ignore', 'ignore', 'inherit'],
      timeout: 300_000,
    });
  };
  try {
    npm('install', '--ignore-scripts');
  } catch {
    throw new NotHere('npm could not fetch the other queues (see above)');
  }
  try {
    // The only one that brings nothing built: a compiler needs some two minutes for it.
    npm('rebuild', 'sqlite3');
  } catch {
    process.stderr.write('sqlite3 could not be built: better-queue will be left out\n');
  }
  writeFileSync(complete, '');
}

/** What the package exports, in the shape that is used here. Throws NotHere. */
export async function load<T>(name: string): Promise<T> {
  try {
    const path = createRequire(`${folder}package.json`).resolve(name);
    return (await import(pathToFileURL(path).href)) as T;
  } catch (error) {
    throw new NotHere(`${name} cannot be loaded (${String(error)})`);
  }
}
