/** Publishing with confirms: persistent, and with the answer whether any queue took it. */
import type { Message, Options } from 'amqplib';
import type { Connection, Link } from './connection.ts';
import { explained, unavailable, within } from './failures.ts';

export interface Outgoing {
  exchange: string;
  routingKey: string;
  content: Buffer;
  /** Tells whether no queue wanted it; such a message is gone. */
  mandatory: boolean;
  messageId: string;
  headers?: Record<string, unknown>;
  /** Ms from now. */
  expiresInMs?: number | undefined;
  /** As AMQP says it: 0 … 9. Only for show: each priority has a queue of its own. */
  priority?: number | undefined;
}

export type Published = 'stored' | 'unroutable';

/**
 * Resolves when the broker has stored the message. Throws QUEUE_UNAVAILABLE where that is unknown: publishing again may
 * make a second message, which receivers know by its task_id.
 */
export type Publish = (message: Outgoing) => Promise<Published>;

export function publisherOn(connection: Connection, patienceMs: number): Publish {
  const returned = new WeakMap<Link, string[]>();
  connection.onUp((link) => void watchReturns(link, returned));
  return async (message) => {
    const link = await connection.link();
    // The callbacks of onUp come a moment later than the link.
    const list = watchReturns(link, returned);
    await within(patienceMs, 'a publisher confirm', confirmed(link, message));
    // The broker returns a message before it confirms it.
    const at = list.indexOf(keyOf(message.routingKey, message.messageId));
    if (at < 0) return 'stored';
    list.splice(at, 1);
    return 'unroutable';
  };
}

function confirmed(link: Link, message: Outgoing): Promise<void> {
  const options: Options.Publish = {
    persistent: true,
    mandatory: message.mandatory,
    messageId: message.messageId,
    contentType: 'application/json',
    timestamp: Math.floor(Date.now() / 1000),
    ...(message.headers && { headers: message.headers }),
    ...(message.expiresInMs !== undefined && { expiration: String(Math.max(1, message.expiresInMs)) }),
    ...(message.priority !== undefined && { priority: message.priority }),
  };
  return new Promise((resolve, reject) => {
    const done = (error: unknown): void => {
      if (error === null || error === undefined) resolve();
      else reject(unavailable('no confirm came, it may have the message or not', error));
    };
    try {
      link.publisher.publish(message.exchange, message.routingKey, message.content, options, done);
    } catch (error) {
      reject(explained(error));
    }
  });
}

function watchReturns(link: Link, returned: WeakMap<Link, string[]>): string[] {
  const known = returned.get(link);
  if (known) return known;
  const list: string[] = [];
  returned.set(link, list);
  link.publisher.on('return', (message: Message) => {
    list.push(keyOf(message.fields.routingKey, String(message.properties.messageId)));
  });
  return list;
}

const keyOf = (routingKey: string, messageId: string): string => `${routingKey} ${messageId}`;
