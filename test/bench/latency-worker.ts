/** The worker of the latency benchmark: the real loop on a store that another process submits to. */
import { setImmediate as turn } from 'node:timers/promises';
import { openStore } from '../../tools/store/store.ts';
import { work } from '../../tools/worker/loop.ts';
import { agentThat, workerOn } from './queues/our-worker.ts';
import { join } from 'node:path';

const [folder = '.', databaseUrl] = process.argv.slice(2);
const stop = new AbortController();
process.on('SIGTERM', () => stop.abort());
const store = await openStore(join(folder, 'data'), databaseUrl);
const worker = workerOn(
  { folder, store, remove: () => store.close() },
  agentThat(() => turn()),
  10,
  (event) => {
    if (event.type === 'warning') process.stderr.write(`${event.text}\n`);
    if (event.type === 'attempt_started')
      process.send?.({ id: event.taskId, at: Date.now() + sinceLastMs() });
    if (event.type === 'worker_started') process.send?.({ id: 'ready', at: 0 });
  },
);
await work(worker, { mode: 'watch', stop: stop.signal, stopNow: new AbortController().signal });
await store.close();
process.disconnect();

/** Both processes read the same clock; this is what Date.now() cuts off. */
function sinceLastMs(): number {
  return performance.timeOrigin + performance.now() - Date.now();
}
