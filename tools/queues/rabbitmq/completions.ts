/** Completions, as a coordinator reads them. */
import { randomUUID } from 'node:crypto';
import type { Channel, GetMessage } from 'amqplib';
import { AppError } from '../../errors.ts';
import type { CompletionEnvelope } from '../envelope.ts';
import type { Connection } from './connection.ts';
import { unavailable } from './failures.ts';
import { acknowledge } from './messages.ts';
import { type Names, resultsKey } from './names.ts';

export interface TakenCompletion {
  /** The completion, or what is wrong with the message. */
  body: CompletionEnvelope | AppError;
  raw: Buffer;
  /** The broker forgets it. */
  accept: () => Promise<void>;
  /** It goes back to the queue when all that were taken with it are settled, so that it is not taken again at once. */
  back: () => Promise<void>;
}

/** At most `max`, which nobody else gets until each is settled or the connection ends. The queue must exist. */
export async function takeCompletions(
  connection: Connection,
  queue: string,
  max: number,
): Promise<TakenCompletion[]> {
  const { parseCompletion } = await import('../envelope.ts');
  const items = Promise.withResolvers<TakenCompletion[]>();
  const settled = Promise.withResolvers<void>();
  // Closing the channel gives back what was not acknowledged, after all that was.
  const working = connection.keep(async (channel) => {
    const messages = await getMany(channel, queue, max);
    channel.on('close', () => settled.resolve());
    let left = messages.length;
    if (left === 0) settled.resolve();
    const settle = async (): Promise<void> => {
      left -= 1;
      if (left > 0) return;
      settled.resolve();
      await working;
    };
    items.resolve(
      messages.map((message) => ({
        body: bodyOf(message, parseCompletion),
        raw: message.content,
        accept: () => {
          acknowledge(channel, message);
          return settle();
        },
        back: settle,
      })),
    );
    await settled.promise;
  });
  working.catch(items.reject);
  return items.promise;
}

function bodyOf(
  message: GetMessage,
  parse: (bytes: Uint8Array) => CompletionEnvelope,
): TakenCompletion['body'] {
  try {
    return parse(message.content);
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
}

export async function getMany(channel: Channel, queue: string, max: number): Promise<GetMessage[]> {
  const found: GetMessage[] = [];
  while (found.length < max) {
    const message = await channel.get(queue, { noAck: false });
    if (message === false) break;
    found.push(message);
  }
  return found;
}

/** The copy may ring before the message can be taken, and a bell may be missed. */
const lookMs = 500;

/** True when the queue has something, false after `timeoutMs`. The queue must exist. Throws QUEUE_UNAVAILABLE. */
export async function waitForCompletion(
  connection: Connection,
  names: Names,
  coordinator: string,
  timeoutMs: number,
): Promise<boolean> {
  const queue = names.resultsQueue(coordinator);
  const until = Date.now() + timeoutMs;
  return connection.keep(async (channel) => {
    let ring: (() => void) | undefined;
    let gone = false;
    const bell = `${queue}.bell.${randomUUID()}`;
    channel.on('close', () => {
      gone = true;
      ring?.();
    });
    await channel.assertQueue(bell, {
      exclusive: true,
      autoDelete: true,
      durable: false,
      arguments: { 'x-max-length': 1 },
    });
    await channel.bindQueue(bell, names.exchange, resultsKey(coordinator));
    await channel.consume(bell, () => ring?.(), { noAck: true });
    for (;;) {
      if (gone) throw unavailable('the connection was lost while waiting');
      if ((await channel.checkQueue(queue)).messageCount > 0) return true;
      const left = until - Date.now();
      if (left <= 0) return false;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(lookMs, left));
        ring = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  });
}
