/** Dead letters: looking at them leaves them where they are. */
import type { GetMessage } from 'amqplib';
import { getMany } from './completions.ts';
import type { Connection } from './connection.ts';
import { acknowledge } from './messages.ts';
import { header, type Names } from './names.ts';
import { deathsOf } from './redeliveries.ts';
import { deliveryLimit } from './topology.ts';

export interface DeadLetter {
  /** The message as it came. */
  body: Buffer;
  /** A worker's own words, or the broker's: rejected, expired, delivery_limit, maxlen. */
  reason: string;
  /** Where it was before. */
  queue: string | undefined;
  /** How often it was handed over, as far as that was counted. */
  deliveries: number;
  /** Epoch ms, where the broker says so. */
  at: number | undefined;
}

/** At most `max`, the oldest first. Others see none of them while this looks. The queue must exist. */
export async function deadLetters(connection: Connection, names: Names, max: number): Promise<DeadLetter[]> {
  // Closing the channel gives them all back.
  return connection.keep(async (channel) => (await getMany(channel, names.dead, max)).map(letterOf));
}

/** Yields how many messages of this task there were among the first `max`. */
export async function removeDeadLetter(
  connection: Connection,
  names: Names,
  taskId: string,
  max: number,
): Promise<number> {
  return connection.keep(async (channel) => {
    const found = (await getMany(channel, names.dead, max)).filter((message) => taskIdOf(message) === taskId);
    for (const message of found) acknowledge(channel, message);
    return found.length;
  });
}

function letterOf(message: GetMessage): DeadLetter {
  const headers = message.properties.headers ?? {};
  const [death] = deathsOf(headers['x-death']);
  const ours: unknown = headers[header.reason];
  const before = Number(headers[header.redeliveries] ?? 0);
  const byUs = typeof ours === 'string';
  return {
    body: message.content,
    reason: byUs ? ours : (death?.reason ?? 'unknown'),
    queue: byUs ? String(headers[header.queue]) : death?.queue,
    deliveries: byUs ? before + 1 : before + (death?.reason === 'delivery_limit' ? deliveryLimit + 1 : 0),
    at: secondsToMs(byUs ? message.properties.timestamp : death?.time?.value),
  };
}

const secondsToMs = (value: unknown): number | undefined =>
  typeof value === 'number' ? value * 1000 : undefined;

/** By the message's own words: other programs need not set a message id. */
function taskIdOf(message: GetMessage): string | undefined {
  try {
    const body: unknown = JSON.parse(message.content.toString('utf8'));
    if (typeof body === 'object' && body !== null && 'task_id' in body) return String(body.task_id);
  } catch {
    // Not even JSON: then the message id is all there is.
  }
  return message.properties.messageId === undefined ? undefined : String(message.properties.messageId);
}
