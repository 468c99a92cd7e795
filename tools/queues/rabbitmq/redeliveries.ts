/** How often a message was handed over without an end. Pure. */
import type { GetMessage } from 'amqplib';
import { header } from './names.ts';

/**
 * What the broker counts in this queue, what was counted before the message was published anew, and each time it went
 * back from a holding queue: there only those lie whose holder is gone.
 */
export function redeliveriesOf({ properties }: GetMessage): number {
  const headers = properties.headers ?? {};
  const fromHolding = deathsOf(headers['x-death']).filter(
    ({ queue, reason }) => reason === 'expired' && /\.held\./.test(queue),
  );
  return (
    count(headers['x-delivery-count']) +
    count(headers[header.redeliveries]) +
    fromHolding.reduce((sum, death) => sum + count(death.count), 0)
  );
}

/** One death of a message in a queue, as RabbitMQ's `x-death` tells it. */
export interface Death {
  queue: string;
  /** rejected, expired, delivery_limit, maxlen */
  reason: string;
  count: number;
  /** Epoch seconds. */
  time?: { value: number };
}

/** The broker's own record of a message's deaths, the last one first. */
export function deathsOf(value: unknown): Death[] {
  if (!Array.isArray(value)) return [];
  const deaths: Partial<Death>[] = value;
  return deaths.filter((death): death is Death => typeof death?.queue === 'string');
}

const count = (value: unknown): number => (typeof value === 'number' && value > 0 ? value : 0);
