/**
 * A process of its own on a store, for tests: `node other-process.ts <verb> <folder> …`. It says what it did on
 * standard output, one JSON object a line, and does what is next when a line arrives on standard input.
 */
import { once } from 'node:events';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { AppError } from '../../tools/errors.ts';
import { openStore, storeFile, type Store } from '../../tools/store/store.ts';
import { exampleTask, noon } from '../worker/examples.ts';

const [verb, folder = '', prefix = ''] = process.argv.slice(2);

function say(fact: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify(fact)}\n`);
}

async function insert(store: Store, id: string, size = 0): Promise<void> {
  const task = exampleTask({ id, nativeId: id, description: 'x'.repeat(size) });
  await store.transaction(({ tasks }) => tasks.insert(task, noon));
}

async function migrate(): Promise<void> {
  say({ ready: true });
  await once(process.stdin, 'data');
  // In place of the prefix: the URL of a database.
  const store = await openStore(folder, prefix === '' ? undefined : prefix);
  say({ id: store.id });
  await store.close();
}

async function insertMany(): Promise<void> {
  const store = await openStore(folder);
  say({ ready: true });
  await once(process.stdin, 'data');
  for (let index = 0; index < 60; index += 1) await insert(store, `${prefix}-${index}`);
  await store.close();
  say({ done: true });
}

/** Holds the write lock until it is told to let go. */
async function lock(): Promise<void> {
  const database = new DatabaseSync(join(folder, storeFile));
  database.exec('BEGIN IMMEDIATE');
  say({ locked: true });
  await once(process.stdin, 'data');
  database.exec('COMMIT');
  database.close();
  say({ released: true });
}

/** Inserts until it is refused, says why, and goes on when there is room again. */
async function fill(): Promise<void> {
  const ballast = join(folder, 'ballast');
  writeFileSync(ballast, Buffer.alloc(200_000, 1));
  const store = await openStore(folder);
  let inserted = 0;
  let code: string | undefined;
  while (code === undefined && inserted < 2000) {
    try {
      await insert(store, `${prefix}-${inserted}`, 5000);
      inserted += 1;
    } catch (error) {
      code = error instanceof AppError ? error.code : String(error);
    }
  }
  say({ inserted, code });
  rmSync(ballast);
  const kept = await store.read(({ tasks }) => tasks.list({ limit: 5000 }));
  say({ kept: kept.length });
  await insert(store, 'after', 5000).then(
    () => say({ after: 'inserted' }),
    (error: unknown) => say({ after: error instanceof AppError ? error.code : String(error) }),
  );
  await store.close();
  const database = new DatabaseSync(join(folder, storeFile));
  say({
    check: database.prepare('PRAGMA integrity_check').get()?.['integrity_check'],
    files: readdirSync(folder).length,
  });
  database.close();
}

const verbs: Record<string, () => Promise<void>> = { migrate, insert: insertMany, lock, fill };
await verbs[verb ?? '']?.();
process.exit();
