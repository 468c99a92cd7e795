/** What a verb of `agentq` gets: settings, the opened store, and how to answer. Opens only what the verb uses. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../errors.ts';
import { openStore, storeFile, type Store } from '../store/store.ts';
import type { Task } from '../store/tasks.ts';
import { readSettings, type Settings } from './environment.ts';

export interface Output {
  json: boolean;
  /** Ids alone. */
  quiet: boolean;
}

export interface Session {
  settings: Settings;
  store: Store;
  now: number;
}

/** Opens the store for one verb and closes it afterwards. `create: false` says so when there is none yet. */
export async function withStore<T>(
  options: { create: boolean },
  body: (session: Session) => Promise<T>,
): Promise<T> {
  const settings = readSettings();
  if (!options.create && !existsSync(join(settings.dataDir, storeFile)))
    throw new AppError('NOT_FOUND', `there is no store yet in ${settings.dataDir}`, {
      hints: [
        'agentq submit "…" --to ROLE   makes the first task',
        'or start the worker: npm run worker -- --watch',
      ],
    });
  const store = await openStore(settings.dataDir);
  try {
    return await body({ settings, store, now: Date.now() });
  } finally {
    await store.close();
  }
}

/** By id, by native id, or by a beginning that only one task has. */
export async function findTask(session: Session, ref: string): Promise<Task> {
  const found = await session.store.read(({ tasks }) => tasks.matching(ref));
  const [task, second] = found;
  if (task && !second) return task;
  if (!task)
    throw new AppError('NOT_FOUND', `expected the id of a task, got: "${ref}"`, { hints: ['agentq list'] });
  throw new AppError(
    'NOT_FOUND',
    `"${ref}" is the beginning of several ids: ${found.map(({ id }) => id).join(', ')}`,
    {
      hints: ['give more of the id'],
    },
  );
}

export function print(lines: string | readonly string[]): void {
  process.stdout.write(`${typeof lines === 'string' ? lines : lines.join('\n')}\n`);
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, undefined, process.stdout.isTTY ? 2 : 0));
}
