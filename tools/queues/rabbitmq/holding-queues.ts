/** Taking from a worker's own holding queues. */
import type { GetMessage } from 'amqplib';
import { hasCode } from '../../errors.ts';
import type { Connection, Link } from './connection.ts';
import { getOne, giveBack } from './messages.ts';

/** `keep`: ours now; `last`: ours, and no more are needed; `back`: it goes back when all is done. */
export type Verdict = 'keep' | 'last' | 'back';

export interface HoldingQueues {
  pick: (link: Link, role: string, judge: (message: GetMessage) => Verdict) => Promise<void>;
  exists: (link: Link, role: string) => Promise<boolean>;
}

const mostAtOnce = 1000;

export function holdingQueues(connection: Connection, queueOf: (role: string) => string): HoldingQueues {
  const absent = new WeakMap<Link, Set<string>>();
  return {
    pick: async (link, role, judge) => {
      const back: GetMessage[] = [];
      try {
        for (let seen = 0; seen < mostAtOnce; seen += 1) {
          const message = await getOne(connection, link, queueOf(role));
          if (!message) return;
          const verdict = judge(message);
          if (verdict === 'back') back.push(message);
          if (verdict === 'last') return;
        }
      } finally {
        for (const message of back) giveBack(link.deliveries, message);
      }
    },
    // A queue that is not there must not be asked: the broker would close the channel and all it holds.
    exists: async (link, role) => {
      if (absent.get(link)?.has(role)) return false;
      try {
        await connection.scratch((channel) => channel.checkQueue(queueOf(role)));
        return true;
      } catch (error) {
        if (!hasCode(error, 'QUEUE_REJECTED')) throw error;
        absent.set(link, (absent.get(link) ?? new Set()).add(role));
        return false;
      }
    },
  };
}
