/** Asking the broker: every wait for an answer ends. */
import type { Channel } from 'amqplib';
import { hasCode } from '../../errors.ts';
import type { Connecting, Link } from './connection.ts';
import { explained, within } from './failures.ts';

export interface Calls {
  /** One answer of the broker; if it does not come the link is given up, since its state is unknown. */
  answer: <T>(link: Link, promise: Promise<T>) => Promise<T>;
  /** Short work on a channel of its own, which an error may close without harm to others. Errors are explained. */
  scratch: <T>(work: (channel: Channel) => Promise<T>) => Promise<T>;
  /** The same for work that takes its time. When the connection is lost, calls on the channel reject. */
  keep: <T>(work: (channel: Channel) => Promise<T>) => Promise<T>;
}

export function callsOn(connecting: Connecting, patienceMs: number): Calls {
  const answer: Calls['answer'] = async (link, promise) => {
    try {
      return await within(patienceMs, 'an answer of the broker', promise);
    } catch (error) {
      const why = explained(error);
      // A blocked connection is not read by the broker: it lives, and what it holds is to stay held.
      if (hasCode(why, 'QUEUE_UNAVAILABLE') && link.blocked === undefined) connecting.drop(link, why);
      throw why;
    }
  };
  const keep: Calls['keep'] = async (work) => {
    const link = await connecting.link();
    const channel = await answer(link, link.model.createChannel());
    // What closes the channel also rejects the call that caused it.
    channel.on('error', () => undefined);
    try {
      return await work(channel);
    } catch (error) {
      throw explained(error);
    } finally {
      await within(patienceMs, 'closing a channel', channel.close()).catch(() => undefined);
    }
  };
  const scratch: Calls['scratch'] = (work) =>
    keep((channel) => within(patienceMs * 4, 'the work on a channel', work(channel)));
  return { answer, scratch, keep };
}
