/** better-queue on its SQLite store. */
import type { Contender } from '../contender.ts';
import { load, versions } from './install.ts';
import { temporaryFile } from './temporary-file.ts';

interface BetterQueue {
  push(
    job: unknown,
    callback?: (error: unknown) => void,
  ): { on(event: 'queued', callback: () => void): void };
  resume(): void;
  pause(): void;
  destroy(callback: () => void): void;
  on(event: 'task_finish', callback: () => void): void;
  off(event: 'task_finish', callback: () => void): void;
}
type Run = (job: unknown, callback: (error: null) => void) => void;

/** How many at a time is a matter of its construction: each measurement has a queue of its own on the same file. */
export function betterQueue(): Contender {
  return {
    name: 'better-queue, SQLite store',
    version: versions['better-queue'],
    durability: 'none',
    note: 'as it comes: synchronous = OFF, journal in memory, writes in batches; afterProcessDelay 0',
    async open() {
      const { default: Queue } = await load<{ default: new (run: Run, options: object) => BetterQueue }>(
        'better-queue',
      );
      const { default: Store } = await load<{ default: new (options: object) => object }>(
        'better-queue-sqlite',
      );
      const file = temporaryFile();
      const open = (run: Run, atOnce: number): BetterQueue =>
        new Queue(run, { store: new Store({ path: file.path }), concurrent: atOnce, afterProcessDelay: 0 });
      return {
        async fill(count) {
          const queue = open((_, callback) => callback(null), 1);
          queue.pause();
          await Promise.all(Array.from({ length: count }, () => push(queue)));
          await new Promise<void>((resolve) => queue.destroy(resolve));
        },
        async work(atOnce, done) {
          const stop = new AbortController();
          const run: Run = (_, callback) => {
            if (stop.signal.aborted) return;
            queue.push({ title: 'Another' }).on('queued', () => callback(null));
          };
          const queue = open(run, atOnce);
          queue.on('task_finish', done);
          queue.resume();
          return async () => {
            stop.abort();
            await new Promise<void>((resolve) => queue.destroy(resolve));
          };
        },
        async close() {
          file.remove();
        },
      };
    },
  };
}

function push(queue: BetterQueue): Promise<void> {
  return new Promise((resolve) => {
    queue.push({ title: 'A job' }).on('queued', resolve);
  });
}
