/**
 * Submitted in one process, started in another: how soon, one task after another on a worker that has nothing to do.
 * A worker that only looked each second would need half a second on average; that is printed beside it.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { NotHere } from './queues/contender.ts';
import { createBench } from './queues/databases.ts';
import { openPlace, plain, submit } from './queues/our-worker.ts';
import { median, ratio, say } from './worker-program.ts';

const tasks = 100;
const polledMedianMs = 500;

export async function latency(): Promise<void> {
  say(`submitted here, started in another process: ${tasks} tasks, one at a time`);
  await shown('SQLite, doorbell file', () => measure(undefined));
  await shown('PostgreSQL, NOTIFY', async () => {
    const server = await createBench();
    try {
      return await measure(server.url);
    } finally {
      await server.drop();
    }
  });
  say(
    `  ${'a look each second'.padEnd(24)} p50 ${polledMedianMs.toFixed(1).padStart(6)} ms  p99  990.0 ms  (reckoned, not measured)`,
  );
}

async function shown(name: string, run: () => Promise<number[]>): Promise<void> {
  try {
    const sorted = (await run()).toSorted((a, b) => a - b);
    const p99 = sorted[Math.ceil(sorted.length * 0.99) - 1] ?? Number.NaN;
    const p50 = median(sorted);
    say(
      `  ${name.padEnd(24)} p50 ${p50.toFixed(1).padStart(6)} ms  p99 ${p99.toFixed(1).padStart(6)} ms  ${ratio(p50, polledMedianMs)} of polling`,
    );
  } catch (error) {
    if (!(error instanceof NotHere)) throw error;
    say(`  ${name}: left out, ${error.message}`);
  }
}

async function measure(databaseUrl: string | undefined): Promise<number[]> {
  const place = await openPlace(databaseUrl);
  const program = join(import.meta.dirname, 'latency-worker.ts');
  const worker = fork(program, [place.folder, ...(databaseUrl === undefined ? [] : [databaseUrl])]);
  try {
    await started(worker, 'ready');
    const found: number[] = [];
    for (let index = 0; index < tasks; index += 1) {
      // It has settled and waits again; and not in step with anything it does by the clock.
      await sleep(20 + Math.random() * 20);
      const task = plain('Soon', place.store);
      const at = started(worker, task.id);
      const submitted = performance.timeOrigin + performance.now();
      await submit(place.store, task);
      found.push((await at) - submitted);
    }
    return found;
  } finally {
    const ended = worker.exitCode === null ? once(worker, 'exit') : undefined;
    worker.kill('SIGTERM');
    await ended;
    await place.remove();
  }
}

/** When the worker began this task, epoch ms with fractions. */
function started(worker: ChildProcess, id: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`expected ${id} to start within 30 s`)), 30_000);
    const listen = (message: { id: string; at: number }): void => {
      if (message.id !== id) return;
      clearTimeout(timer);
      worker.off('message', listen);
      resolve(message.at);
    };
    worker.on('message', listen);
  });
}
