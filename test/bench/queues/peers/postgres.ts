/** pg-boss and graphile-worker, each in a database of its own on the same server as ours. */
import { createBench } from '../databases.ts';
import type { Contender } from '../contender.ts';
import { load, versions } from './install.ts';

interface PgBoss {
  PgBoss: new (options: object) => {
    on(event: 'error', callback: (error: unknown) => void): void;
    start(): Promise<unknown>;
    stop(options: object): Promise<void>;
    createQueue(name: string, options: object): Promise<void>;
    send(name: string, data: object): Promise<unknown>;
    insert(name: string, jobs: object[]): Promise<unknown>;
    work(name: string, options: object, run: (jobs: unknown[]) => Promise<void>): Promise<unknown>;
    offWork(name: string, options?: object): Promise<void>;
  };
}

/**
 * As it comes it looks for one job every two seconds. Tuned: woken by NOTIFY, and in batches that go on while they are
 * full; its jobs count as done with their batch.
 */
export function pgBoss(tuned: boolean): Contender {
  return {
    name: tuned ? 'pg-boss, tuned' : 'pg-boss',
    version: versions['pg-boss'],
    durability: 'each commit',
    note: tuned
      ? 'useListenNotify, burstWhenBatchFull, batches of 2 or 10'
      : 'as it comes but polling each 0.5 s, its least',
    async open() {
      const { PgBoss: Boss } = await load<PgBoss>('pg-boss');
      const server = await createBench();
      const boss = new Boss({ connectionString: server.url, useListenNotify: tuned });
      boss.on('error', (error) => process.stderr.write(`pg-boss: ${String(error)}\n`));
      await boss.start();
      await boss.createQueue('jobs', { notify: tuned });
      const one = (): Promise<unknown> => boss.send('jobs', { title: 'Another' });
      return {
        async fill(count) {
          await boss.insert(
            'jobs',
            Array.from({ length: count }, () => ({ data: { title: 'Waits' } })),
          );
        },
        async work(atOnce, done) {
          const how = tuned
            ? { batchSize: Math.max(2, atOnce), burstWhenBatchFull: true }
            : { localConcurrency: atOnce, pollingIntervalSeconds: 0.5 };
          await boss.work('jobs', how, async (jobs) => {
            // One at a time is one at a time, also within a batch.
            if (atOnce === 1) for (let left = jobs.length; left > 0; left -= 1) await one();
            else await Promise.all(jobs.map(one));
            for (let left = jobs.length; left > 0; left -= 1) done();
          });
          return () => boss.offWork('jobs');
        },
        async close() {
          await boss.stop({ graceful: false });
          await server.drop();
        },
      };
    },
  };
}

interface Graphile {
  run: (options: object) => Promise<{
    stop(): Promise<void>;
    events: { on(event: string, callback: () => void): void };
  }>;
  makeWorkerUtils: (options: object) => Promise<GraphileUtils>;
  Logger: new (make: () => () => void) => object;
}
interface GraphileUtils {
  migrate(): Promise<void>;
  addJob(name: string, data: object): Promise<unknown>;
  addJobs(jobs: object[]): Promise<unknown>;
  release(): Promise<void>;
}

export function graphile(localQueue: boolean): Contender {
  return {
    name: localQueue ? 'graphile-worker, local queue' : 'graphile-worker',
    version: versions['graphile-worker'],
    durability: 'each commit',
    note: localQueue ? 'jobs fetched ahead, 50 at a time' : 'as it comes',
    async open() {
      const { run, makeWorkerUtils, Logger } = await load<Graphile>('graphile-worker');
      const server = await createBench();
      const logger = new Logger(() => () => undefined);
      const utils = await makeWorkerUtils({ connectionString: server.url, logger });
      await utils.migrate();
      return {
        async fill(count) {
          await utils.addJobs(
            Array.from({ length: count }, () => ({ identifier: 'job', payload: { title: 'Waits' } })),
          );
        },
        async work(atOnce, done) {
          const runner = await run({
            connectionString: server.url,
            logger,
            concurrency: atOnce,
            noHandleSignals: true,
            taskList: { job: () => utils.addJob('job', { title: 'Another' }) },
            ...(localQueue ? { preset: { worker: { localQueue: { size: 50 } } } } : {}),
          });
          runner.events.on('job:success', done);
          return () => runner.stop();
        },
        async close() {
          try {
            await utils.release();
          } finally {
            await server.drop();
          }
        },
      };
    },
  };
}
