/** plainjob and liteque: queues in a file of SQLite, each with a worker in this process. */
import { setImmediate as turn } from 'node:timers/promises';
import type { Contender, Durability } from '../contender.ts';
import { load, versions } from './install.ts';
import { temporaryFile } from './temporary-file.ts';

interface Database {
  pragma(text: string): void;
  close(): void;
}

interface Plainjob {
  better: (database: Database) => unknown;
  defineQueue: (options: object) => PlainjobQueue;
  defineWorker: (
    type: string,
    run: () => Promise<void>,
    options: object,
  ) => { start(): Promise<void>; stop(): Promise<void> };
}
interface PlainjobQueue {
  add(type: string, data: unknown): void;
  addMany(type: string, data: unknown[]): void;
  close(): void;
}

const quiet = { error: console.error, warn: () => undefined, info: () => undefined, debug: () => undefined };

/** Full: as it never is by itself, for the same durability as ours. */
export function plainjob(durability: Durability): Contender {
  return {
    name: 'plainjob',
    version: versions.plainjob,
    durability,
    note: durability === 'checkpoints' ? 'as it comes' : 'synchronous = FULL set on its connection',
    async open() {
      const { better, defineQueue, defineWorker } = await load<Plainjob>('plainjob');
      const { default: Sqlite } = await load<{ default: new (path: string) => Database }>('better-sqlite3');
      const file = temporaryFile();
      const database = new Sqlite(file.path);
      const queue = defineQueue({ connection: better(database), logger: quiet });
      const job = async (): Promise<void> => {
        queue.add('job', { title: 'Another' });
        await turn();
      };
      if (durability === 'each commit') database.pragma('synchronous = FULL');
      return {
        async fill(count) {
          queue.addMany(
            'job',
            Array.from({ length: count }, () => ({ title: 'Waits' })),
          );
        },
        async work(atOnce, done) {
          const workers = Array.from({ length: atOnce }, () =>
            defineWorker('job', job, { queue, logger: quiet, onCompleted: done }),
          );
          const ended = workers.map((worker) => worker.start());
          return async () => {
            await Promise.all(workers.map((worker) => worker.stop()));
            await Promise.all(ended);
          };
        },
        async close() {
          queue.close();
          file.remove();
        },
      };
    },
  };
}

interface Liteque {
  buildDBClient: (path: string, options: object) => LitequeDatabase;
  SqliteQueue: new (
    name: string,
    database: unknown,
    options: object,
  ) => { enqueue(job: unknown): Promise<unknown> };
  Runner: new (queue: unknown, functions: object, options: object) => { run(): Promise<void>; stop(): void };
}
interface LitequeDatabase {
  session: { client: Database };
  transaction: (work: (database: LitequeDatabase) => Promise<unknown>) => Promise<unknown>;
}

export function liteque(durability: Durability): Contender {
  return {
    name: 'liteque',
    version: versions.liteque,
    durability,
    note: durability === 'checkpoints' ? 'as it comes' : 'synchronous = FULL set on its connection',
    async open() {
      const { buildDBClient, SqliteQueue, Runner } = await load<Liteque>('liteque');
      const file = temporaryFile();
      const database = buildDBClient(file.path, { runMigrations: true });
      // It hands an async function to a transaction: older versions of better-sqlite3 committed before its first
      // statement, the present one refuses. So it runs as it always has, without.
      database.transaction = async (work) => work(database);
      if (durability === 'each commit') database.session.client.pragma('synchronous = FULL');
      const queue = new SqliteQueue('jobs', database, {
        defaultJobArgs: { numRetries: 0 },
        keepFailedJobs: false,
      });
      return {
        async fill(count) {
          for (let index = 0; index < count; index += 1) await queue.enqueue({ title: 'Waits' });
        },
        async work(atOnce, done) {
          const run = async (): Promise<void> => {
            await queue.enqueue({ title: 'Another' });
            await turn();
          };
          const onComplete = async (): Promise<void> => done();
          const options = { pollIntervalMs: 100, timeoutSecs: 60, concurrency: atOnce };
          const runner = new Runner(queue, { run, onComplete }, options);
          const ended = runner.run();
          return async () => {
            runner.stop();
            await ended;
          };
        },
        async close() {
          database.session.client.close();
          file.remove();
        },
      };
    },
  };
}
