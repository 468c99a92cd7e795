/** BullMQ on a Redis of its own, whose append-only file is written as the row says. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { NotHere, type Contender } from '../contender.ts';
import { load, versions } from './install.ts';

interface Bullmq {
  Queue: new (
    name: string,
    options: object,
  ) => {
    add(name: string, data: unknown): Promise<unknown>;
    addBulk(jobs: object[]): Promise<unknown>;
    waitUntilReady(): Promise<unknown>;
    close(): Promise<void>;
  };
  Worker: new (
    name: string,
    run: () => Promise<void>,
    options: object,
  ) => {
    on(event: 'completed' | 'error', callback: (error?: unknown) => void): void;
    close(): Promise<void>;
  };
}

export function bullmq(fsync: 'everysec' | 'always'): Contender {
  return {
    name: 'BullMQ',
    version: versions.bullmq,
    durability: fsync === 'always' ? 'each commit' : 'each second',
    note: `its own Redis, appendfsync ${fsync}`,
    async open() {
      const { Queue, Worker } = await load<Bullmq>('bullmq');
      const redis = await startRedis(fsync);
      const connection = { host: '127.0.0.1', port: redis.port, maxRetriesPerRequest: null };
      const queue = new Queue('jobs', { connection });
      await queue.waitUntilReady();
      const run = async (): Promise<void> => void (await queue.add('job', { title: 'Another' }));
      return {
        async fill(count) {
          await queue.addBulk(
            Array.from({ length: count }, () => ({ name: 'job', data: { title: 'Waits' } })),
          );
        },
        async work(atOnce, done) {
          const worker = new Worker('jobs', run, { connection, concurrency: atOnce });
          worker.on('completed', () => done());
          worker.on('error', (error) => process.stderr.write(`BullMQ: ${String(error)}\n`));
          return () => worker.close();
        },
        async close() {
          await queue.close();
          await redis.stop();
        },
      };
    },
  };
}

/** Throws NotHere where there is no Redis to start. */
async function startRedis(fsync: string): Promise<{ port: number; stop: () => Promise<void> }> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'bench-redis-'));
  const settings = {
    port,
    bind: '127.0.0.1',
    dir: folder,
    appendonly: 'yes',
    appendfsync: fsync,
    save: '""',
  };
  const args = Object.entries(settings).flatMap(([key, value]) => [`--${key}`, String(value)]);
  const server = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<string>((resolve) => {
    server.on('error', (error) => resolve(error.message));
    server.on('exit', (code) => resolve(`it ended with ${code}`));
  });
  const ready = new Promise<undefined>((resolve) => {
    server.stdout.on('data', (text: Buffer) => {
      if (text.includes('Ready to accept connections')) resolve(undefined);
    });
  });
  const problem = await Promise.race([
    ended,
    ready,
    sleep(10_000, 'it was not ready within 10 s', { ref: false }),
  ]);
  const stop = async (): Promise<void> => {
    server.kill('SIGKILL');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  if (problem === undefined) return { port, stop };
  await stop();
  throw new NotHere(`no redis-server could be started (${problem})`);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
