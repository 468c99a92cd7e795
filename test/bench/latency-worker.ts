/** The worker of the latency benchmark: the real loop, told of tasks by another process. */
import { setImmediate as turn } from 'node:timers/promises';
import { join } from 'node:path';
import { openRabbitQueue } from '../../tools/queues/rabbitmq/rabbitmq.ts';
import { openStore } from '../../tools/store/store.ts';
import { work } from '../../tools/worker/loop.ts';
import type { NewWorkerEvent } from '../../tools/worker/worker-event.ts';
import { role as brokerRole, serverUrl } from '../queues/rabbitmq/desk.ts';
import { agentThat, roleNamed, workerOn } from './queues/our-worker.ts';

const [folder = '.', databaseUrl, prefix, holder = ''] = process.argv.slice(2);
const stop = new AbortController();
process.on('SIGTERM', () => stop.abort());
const store = await openStore(join(folder, 'data'), databaseUrl === '' ? undefined : databaseUrl);
const broker =
  prefix === undefined
    ? undefined
    : openRabbitQueue({ url: serverUrl, prefix, holder, roles: () => [brokerRole] });
const worker = workerOn(
  { folder, store, remove: () => store.close() },
  agentThat(() => turn()),
  { atOnce: 10, log, ...(broker ? { queue: broker, serves: roleNamed(brokerRole) } : {}) },
);
await work(worker, { mode: 'watch', stop: stop.signal, stopNow: new AbortController().signal });
await broker?.close();
await store.close();
process.disconnect();

function log(event: NewWorkerEvent): void {
  // Both processes read the same clock, with fractions.
  const at = performance.timeOrigin + performance.now();
  if (event.type === 'warning') process.stderr.write(`${event.text}\n`);
  if (event.type === 'attempt_started') process.send?.({ id: event.taskId, at });
  if (event.type === 'worker_started') process.send?.({ id: 'ready', at });
}
