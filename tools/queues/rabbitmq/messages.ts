/** Taking and settling single messages. A message is settled once: doing it twice would close the channel. */
import type { Channel, GetMessage } from 'amqplib';
import type { Connection, Link } from './connection.ts';

const settled = new WeakSet<GetMessage>();

/** The next message of a queue, which must exist. Throws QUEUE_*. */
export async function getOne(
  connection: Connection,
  link: Link,
  queue: string,
): Promise<GetMessage | undefined> {
  const coming = link.deliveries.get(queue, { noAck: false });
  try {
    const message = await connection.answer(link, coming);
    return message === false ? undefined : message;
  } catch (error) {
    // An answer that comes after all must not stay with us unnoticed.
    coming.then(
      (late) => late && giveBack(link.deliveries, late),
      () => undefined,
    );
    throw error;
  }
}

/** Nothing happens where it is settled already, or its channel is gone: then it comes back and is known. */
export function acknowledge(channel: Channel, message: GetMessage): void {
  settle(message, () => channel.ack(message));
}

export function giveBack(channel: Channel, message: GetMessage): void {
  settle(message, () => channel.nack(message, false, true));
}

function settle(message: GetMessage, act: () => void): void {
  if (settled.has(message)) return;
  settled.add(message);
  try {
    act();
  } catch (error) {
    // amqplib throws this where the channel is closed; everything else is a bug.
    if (!(error instanceof Error) || error.name !== 'IllegalOperationError') throw error;
  }
}
