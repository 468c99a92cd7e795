/**
 * Making sure that what is needed exists, once for each connection. What is there is taken as it is; only `agentq init`
 * compares every argument. So a worker needs no right to configure where somebody else declared everything.
 */
import type { Channel } from 'amqplib';
import { AppError } from '../../errors.ts';
import type { Connection, Link } from './connection.ts';
import type { Names } from './names.ts';
import { declareBase, declareResults, declareRole } from './topology.ts';

export interface Ensure {
  base: () => Promise<void>;
  role: (role: string) => Promise<void>;
  results: (coordinator: string) => Promise<void>;
}

export function ensureOn(connection: Connection, names: Names): Ensure {
  const known = new WeakMap<Link, Map<string, Promise<void>>>();

  /** Asked for twice, done once; asked for again after it failed. */
  const once = async (what: string, work: () => Promise<void>): Promise<void> => {
    const link = await connection.link();
    const done = known.get(link) ?? new Map<string, Promise<void>>();
    known.set(link, done);
    const before = done.get(what);
    if (before) return before;
    const doing = work();
    done.set(what, doing);
    return doing.catch((error: unknown) => {
      done.delete(what);
      throw error;
    });
  };

  const unlessThere = async (
    look: (channel: Channel) => Promise<void>,
    declare: (channel: Channel) => Promise<void>,
  ): Promise<void> => {
    try {
      await connection.scratch(look);
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'QUEUE_REJECTED') throw error;
      await connection.scratch(declare);
    }
  };

  const base = (): Promise<void> =>
    once('base', () =>
      unlessThere(
        async (channel) => {
          for (const exchange of [names.exchange, names.held, names.dead])
            await channel.checkExchange(exchange);
          await lookFor([names.dead])(channel);
        },
        (channel) => declareBase(channel, names),
      ),
    );

  return {
    base,
    role: (role) =>
      once(`role ${role}`, async () => {
        await base();
        await unlessThere(lookFor(names.taskQueues(role)), (channel) => declareRole(channel, names, role));
      }),
    results: (coordinator) =>
      once(`results ${coordinator}`, async () => {
        await base();
        await unlessThere(lookFor([names.resultsQueue(coordinator)]), (channel) =>
          declareResults(channel, names, coordinator),
        );
      }),
  };
}

const lookFor =
  (queues: string[]) =>
  async (channel: Channel): Promise<void> => {
    for (const queue of queues) await channel.checkQueue(queue);
  };
