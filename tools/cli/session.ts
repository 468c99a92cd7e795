/** What a verb of `agentq` gets: settings, the opened store, and how to answer. Opens only what the verb uses. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ArtifactStore } from '../artifacts/artifacts.ts';
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
  /** The store's clock when the verb began, epoch ms. */
  now: number;
  /** Opened at the first call. */
  artifacts: () => Promise<ArtifactStore>;
  /** Hands over to the broker what waits for it, and takes what it has for us. Does nothing without a broker. */
  sync: () => Promise<void>;
}

export interface SessionOptions {
  /** False: says so when there is no store yet. */
  create: boolean;
  /** Exchange with the broker before the verb looks at anything. */
  sync?: boolean;
}

/** Opens the store for one verb and closes it afterwards. */
export async function withStore<T>(
  options: SessionOptions,
  body: (session: Session) => Promise<T>,
): Promise<T> {
  const settings = readSettings();
  const isNew = settings.databaseUrl === undefined && !existsSync(join(settings.dataDir, storeFile));
  if (!options.create && isNew)
    throw new AppError('NOT_FOUND', `there is no store yet in ${settings.dataDir}`, {
      hints: [
        'agentq submit "…" --to ROLE   makes the first task',
        'or start the worker: npm run worker -- --watch',
      ],
    });
  const store = await openStore(settings.dataDir, settings.databaseUrl);
  const closing: (() => Promise<void>)[] = [() => store.close()];
  let artifacts: Promise<ArtifactStore> | undefined;
  let exchange: Promise<() => Promise<void>> | undefined;
  const session: Session = {
    settings,
    store,
    now: store.now(),
    artifacts: () => (artifacts ??= openFiles(settings, closing)),
    async sync() {
      if (settings.amqpUrl === undefined) return;
      exchange ??= import('./broker-exchange.ts').then(({ openExchange }) => openExchange(session, closing));
      await (
        await exchange
      )();
    },
  };
  try {
    if (options.sync) await session.sync();
    return await body(session);
  } finally {
    for (const close of closing.toReversed()) await close().catch(() => undefined);
  }
}

async function openFiles(settings: Settings, closing: (() => Promise<void>)[]): Promise<ArtifactStore> {
  const { openArtifacts } = await import('../artifacts/open-artifacts.ts');
  const opened = await openArtifacts(settings.artifacts, settings.env);
  closing.push(() => opened.close());
  return opened;
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
