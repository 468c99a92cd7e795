/** Chooses how the worker's events are shown: JSON lines, a live view on a terminal, or plain lines. */
import { messageOf } from '../errors.ts';
import { startOfDay } from '../worker/claim.ts';
import type { Worker } from '../worker/worker.ts';
import type { Log } from '../worker/worker-event.ts';
import { startLiveView, type Standing } from './live-view.ts';
import { plainLine, timeOf } from './render-worker.ts';

export interface OutputFlags {
  json: boolean;
  verbose: boolean;
  watch: boolean;
}

export interface Output {
  log: Log;
  stop(): void;
}

export function startOutput(
  worker: Worker,
  flags: OutputFlags,
  out: NodeJS.WriteStream = process.stdout,
): Output {
  const live =
    flags.watch && !flags.json && out.isTTY
      ? startLiveView(out, () => standing(worker), worker.now)
      : undefined;
  const print = live ? live.print : (line: string): void => void out.write(`${line}\n`);
  return {
    log(event) {
      const stamped = { ...event, at: worker.now() };
      if (flags.json) return print(JSON.stringify(stamped));
      const line = plainLine(stamped, flags.verbose);
      if (line !== undefined) print(`${timeOf(stamped.at)}  ${line}`);
      return undefined;
    },
    stop: () => live?.stop(),
  };
}

async function standing(worker: Worker): Promise<Standing> {
  return worker.store
    .read(async ({ tasks, attempts, pauses }) => {
      const counts = await tasks.counts();
      const served = new Set(worker.roles().map((role) => role.name));
      const count = (state: string): number =>
        counts
          .filter((row) => row.state === state && served.has(row.role))
          .reduce((sum, row) => sum + row.count, 0);
      const spent = await attempts.costSince(startOfDay(worker.now()));
      return {
        running: [...worker.running.values()].map((attempt) => ({ ...attempt, role: attempt.role.name })),
        waiting: count('queued'),
        review: count('input_required'),
        costToday: spent,
        trouble: (await pauses.list())[0]?.message,
      };
    })
    .catch((error: unknown) => ({
      running: [],
      waiting: 0,
      review: 0,
      costToday: 0,
      trouble: messageOf(error),
    }));
}
