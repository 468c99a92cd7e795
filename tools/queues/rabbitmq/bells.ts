/**
 * What wakes a worker: each has a queue of its own that gets a copy of every task for its roles and keeps only the last,
 * and one that gets what is said to all workers. Both live as long as the connection. A bell carries nothing and may be
 * missed: a look is due after each reconnection, and every few seconds, since what a dead worker gives back rings nowhere.
 */
import { randomUUID } from 'node:crypto';
import { messageOf } from '../../errors.ts';
import type { ControlEnvelope } from '../envelope.ts';
import type { Connection, Link } from './connection.ts';
import { cancelKey, type Names, taskKey } from './names.ts';

export interface Bells {
  onArrival: (callback: () => void) => () => void;
  onCancellation: (callback: (control: ControlEnvelope) => void) => () => void;
  close: () => void;
}

export interface BellsOptions {
  connection: Connection;
  names: Names;
  prefix: string;
  roles: () => string[];
  ensureRole: (role: string) => Promise<void>;
  log: (text: string) => void;
  /** Between two looks without a bell, ms. */
  sweepMs: number;
}

/** The copy may be here before the message itself can be taken: so it is looked for once more. */
const secondLookMs = 50;

export function openBells(options: BellsOptions): Bells {
  const { connection, log } = options;
  const arrivals = new Set<() => void>();
  const cancellations = new Set<(control: ControlEnvelope) => void>();
  const ring = (): void => arrivals.forEach((callback) => callback());
  const cancel = (control: ControlEnvelope): void => cancellations.forEach((callback) => callback(control));
  const bound = new WeakMap<Link, { queue: string; roles: Set<string> }>();
  let timer: NodeJS.Timeout | undefined;
  let lastTrouble = '';

  const bindRoles = async (link: Link): Promise<void> => {
    const bell = bound.get(link);
    if (!bell) return;
    for (const role of options.roles()) {
      if (bell.roles.has(role)) continue;
      try {
        // First the role's own queues: a bell alone would swallow a task that nobody keeps.
        await options.ensureRole(role);
        await connection.answer(
          link,
          link.bells.bindQueue(bell.queue, options.names.exchange, `${taskKey(role)}.#`),
        );
        bell.roles.add(role);
      } catch (error) {
        if (messageOf(error) !== lastTrouble) log(messageOf(error));
        lastTrouble = messageOf(error);
      }
    }
  };

  const settle = async (link: Link): Promise<void> => {
    if (!timer) return;
    const queue = await openBell(options, link, ring);
    bound.set(link, { queue, roles: new Set() });
    await openControl(options, link, cancel);
    await bindRoles(link);
    ring();
  };
  connection.onUp(settle);

  const sweep = async (): Promise<void> => {
    const link = connection.current();
    if (link) await bindRoles(link);
    ring();
  };

  const start = (): void => {
    if (timer) return;
    timer = setInterval(() => void sweep(), options.sweepMs);
    timer.unref();
    const link = connection.current();
    const opened = link ? settle(link) : connection.link();
    // It goes on by itself when the broker is there.
    opened.catch((error: unknown) => log(messageOf(error)));
  };

  return {
    onArrival: (callback) => {
      arrivals.add(callback);
      start();
      return () => arrivals.delete(callback);
    },
    onCancellation: (callback) => {
      cancellations.add(callback);
      start();
      return () => cancellations.delete(callback);
    },
    close: () => clearInterval(timer),
  };
}

const ownQueue = { exclusive: true, autoDelete: true, durable: false };

async function openBell({ connection, prefix }: BellsOptions, link: Link, ring: () => void): Promise<string> {
  const queue = `${prefix}.bell.${randomUUID()}`;
  const { bells } = link;
  await connection.answer(link, bells.assertQueue(queue, { ...ownQueue, arguments: { 'x-max-length': 1 } }));
  // One at a time: a thousand tasks at once are a few rings.
  const onMessage: Parameters<typeof bells.consume>[1] = (message) => {
    if (!message) return connection.drop(link, new Error('the bell queue was deleted'));
    ring();
    setTimeout(() => {
      if (!link.alive) return;
      ring();
      bells.ack(message);
    }, secondLookMs).unref();
  };
  await connection.answer(link, bells.consume(queue, onMessage));
  return queue;
}

async function openControl(
  { connection, names, prefix }: BellsOptions,
  link: Link,
  cancel: (control: ControlEnvelope) => void,
): Promise<void> {
  const { parseControl } = await import('../envelope.ts');
  const queue = `${prefix}.control.${randomUUID()}`;
  const { bells } = link;
  await connection.answer(link, bells.assertQueue(queue, ownQueue));
  await connection.answer(link, bells.bindQueue(queue, names.exchange, cancelKey.replace('cancel', '#')));
  const onMessage: Parameters<typeof bells.consume>[1] = (message) => {
    if (!message) return connection.drop(link, new Error('the control queue was deleted'));
    try {
      cancel(parseControl(message.content));
    } catch {
      // Whatever another program sent here: it is not for us.
    }
  };
  await connection.answer(link, bells.consume(queue, onMessage, { noAck: true }));
}
