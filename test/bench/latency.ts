/**
 * Submitted in one process, started in another: how soon, one task after another on a worker that has nothing to do.
 * A worker that only looked each second would need half a second on average; that is printed beside it.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  coordinator,
  noBroker,
  openDesk,
  report,
  role as brokerRole,
  serverUrl,
  task as envelopeOf,
} from '../queues/rabbitmq/desk.ts';
import { NotHere } from './queues/contender.ts';
import { createBench } from './queues/databases.ts';
import { openPlace, plain, submit, type OurPlace } from './queues/our-worker.ts';
import { median, ratio, say } from './worker-program.ts';

const tasks = 100;
const polledMedianMs = 500;

export async function latency(): Promise<void> {
  say(`submitted here, started in another process: ${tasks} tasks, one at a time`);
  await shown('SQLite, doorbell file', onSqlite);
  await shown('PostgreSQL, NOTIFY', onPostgres);
  await shown('RabbitMQ, bell queue', onRabbit);
  say(
    `  ${'a look each second'.padEnd(24)} p50 ${polledMedianMs.toFixed(1).padStart(6)} ms  p99  990.0 ms  (reckoned, not measured)`,
  );
}

async function onSqlite(): Promise<number[]> {
  return overStore(await openPlace(), '');
}

async function onPostgres(): Promise<number[]> {
  const server = await createBench();
  try {
    return await overStore(await openPlace(server.url), server.url);
  } finally {
    await server.drop();
  }
}

async function overStore(place: OurPlace, databaseUrl: string): Promise<number[]> {
  try {
    return await measure([place.folder, databaseUrl], () => {
      const task = plain('Soon', place.store);
      return { id: task.id, send: () => submit(place.store, task) };
    });
  } finally {
    await place.remove();
  }
}

/** The worker has a store of its own and knows of tasks by the broker alone. */
async function onRabbit(): Promise<number[]> {
  if (await noBroker()) throw new NotHere(`no RabbitMQ at ${new URL(serverUrl).host}`);
  const desk = openDesk();
  const holder = randomUUID();
  const queue = desk.open({ holder, roles: () => [] });
  const place = await openPlace();
  try {
    await queue.init([brokerRole], [coordinator]);
    return await measure([place.folder, '', desk.prefix, holder], () => {
      const envelope = envelopeOf({ title: 'Soon' });
      return { id: envelope.task_id, send: () => report(queue, { kind: 'task', envelope }) };
    });
  } finally {
    await desk.tidy();
    await place.remove();
  }
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

interface Submission {
  id: string;
  send: () => Promise<unknown>;
}

async function measure(args: string[], next: () => Submission): Promise<number[]> {
  const worker = fork(join(import.meta.dirname, 'latency-worker.ts'), args);
  try {
    await started(worker, 'ready');
    const found: number[] = [];
    for (let index = 0; index < tasks; index += 1) {
      // It has settled and waits again; and not in step with anything it does by the clock.
      await sleep(20 + Math.random() * 20);
      const { id, send } = next();
      const at = started(worker, id);
      const submitted = performance.timeOrigin + performance.now();
      await send();
      found.push((await at) - submitted);
    }
    return found;
  } finally {
    const ended = worker.exitCode === null ? once(worker, 'exit') : undefined;
    worker.kill('SIGTERM');
    await ended;
  }
}

/** When the worker began this task, epoch ms with fractions. */
function started(worker: ChildProcess, wanted: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`expected ${wanted} to start within 30 s`)), 30_000);
    const listen = (message: { id: string; at: number }): void => {
      if (message.id !== wanted) return;
      clearTimeout(timer);
      worker.off('message', listen);
      resolve(message.at);
    };
    worker.on('message', listen);
  });
}
