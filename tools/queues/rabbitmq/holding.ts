/**
 * Holding a message for hours. Brokers close a channel whose delivery is unacknowledged for too long (30 minutes by
 * default), and everything it held comes back. So a delivery that was held half that long is handed over: copied into
 * this worker's own holding queue, acknowledged, and taken again from there. If we die, the copy lies in the holding
 * queue; we take it again when we start, or it goes back to the role's queue when its time there is over. Between copy
 * and acknowledgement there are two messages: receivers know them by their task_id.
 */
import { randomUUID } from 'node:crypto';
import type { GetMessage } from 'amqplib';
import { hasCode } from '../../errors.ts';
import type { Connection, Link } from './connection.ts';
import { holdingQueues } from './holding-queues.ts';
import { acknowledge } from './messages.ts';
import { type Held, heldMessages } from './held-messages.ts';
import { header, type Names, priorityIn, taskKey } from './names.ts';
import type { Outgoing, Publish } from './publish.ts';
import { redeliveriesOf } from './redeliveries.ts';
import { declareHolding } from './topology.ts';

export interface Holding {
  hold: (held: Omit<Held, 'since' | 'ours'>) => void;
  /** Acknowledges what is held for a task, if anything. */
  release: (taskId: string) => void;
  /** Ids of tasks whose messages are held by a living connection. */
  held: () => string[];
  /** What this holder had when it died or lost its connection: at most `free` messages of a role. */
  leftovers: (role: string, free: number) => Promise<{ link: Link; message: GetMessage }[]>;
  /** Hands over what is old enough, and takes back what a lost connection held. */
  tend: () => Promise<void>;
}

export interface HoldingOptions {
  connection: Connection;
  publish: Publish;
  names: Names;
  holder: string;
  /** After which the broker closes a channel with an unacknowledged delivery. */
  ackTimeoutMs: number;
  log: (text: string) => void;
}

/** A broker may need this long to notice that a connection of before is dead (three heartbeats). */
const noticedDeadMs = 60_000;

export function openHolding(options: HoldingOptions): Holding {
  const { connection, names, holder, ackTimeoutMs } = options;
  const { pick, exists } = holdingQueues(connection, (role) => names.holdingQueue(holder, role));
  const messages = heldMessages();
  let heldAtMostMs = ackTimeoutMs / 2;
  connection.onDown((link, why) => {
    messages.lose(link);
    heldAtMostMs = Math.min(heldAtMostMs, (ackTimeoutIn(why.message) ?? ackTimeoutMs) / 2);
  });

  /** One after the other: what is returned to the queue on the way must not be taken by another pass. */
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const next = last.then(work);
    last = next.catch(() => undefined);
    return next;
  };

  const declare = async (role: string): Promise<void> => {
    try {
      const queue = { holder, role, ttlMs: ackTimeoutMs };
      await connection.scratch((channel) => declareHolding(channel, names, queue));
    } catch (error) {
      // It was made when the time-out was another; it does as well.
      if (!hasCode(error, 'CONFLICT')) throw error;
    }
  };

  const handOver = async (entry: Held): Promise<void> => {
    const { link, message, role, taskId } = entry;
    await declare(role);
    const copy = randomUUID();
    if ((await options.publish(copyOf(entry, options, copy))) !== 'stored') return;
    entry.ours = true;
    if (!link.alive) {
      messages.markLost(entry);
      return;
    }
    acknowledge(link.deliveries, message);
    await pick(link, role, (found) => {
      if (found.properties.headers?.[header.copy] !== copy) return 'back';
      // Released while the copy was under way: it is done with, and so is the copy.
      if (messages.isHeld(entry)) messages.hold({ ...entry, message: found, since: Date.now() });
      else acknowledge(link.deliveries, found);
      return 'last';
    });
    options.log(`the message of task ${taskId} was handed over to our own queue and is held there`);
  };

  const takeBack = async (link: Link): Promise<void> => {
    for (const role of messages.lostRoles()) {
      if (!(await exists(link, role))) continue;
      await pick(link, role, (message) => {
        const taskId = String(message.properties.headers?.[header.task]);
        if (!messages.isLost(taskId)) return 'back';
        const priority = priorityIn(message.fields.routingKey);
        messages.hold({ taskId, role, priority, link, message, since: Date.now(), ours: true });
        return 'keep';
      });
    }
  };

  return {
    hold: (entry) =>
      messages.hold({ ...entry, since: Date.now(), ours: entry.message.fields.exchange === names.held }),
    release: messages.release,
    held: () => messages.all().map(({ taskId }) => taskId),
    leftovers: async (role, free) => {
      const link = await connection.link();
      if (Date.now() - link.since > noticedDeadMs || free <= 0) return [];
      return inTurn(async () => {
        if (!(await exists(link, role))) return [];
        const found: GetMessage[] = [];
        await pick(link, role, (message) => (found.push(message) < free ? 'keep' : 'last'));
        return found.map((message) => ({ link, message }));
      });
    },
    tend: () =>
      inTurn(async () => {
        const link = connection.current();
        if (!link) return;
        await takeBack(link);
        for (const entry of messages.all())
          if (Date.now() - entry.since >= heldAtMostMs && messages.isHeld(entry)) await handOver(entry);
      }),
  };
}

/** The broker's own words when a delivery was held too long: what it is set to, which nobody told us. */
function ackTimeoutIn(text: string): number | undefined {
  const [, ms] = /delivery acknowledgement .* timed out\. Timeout value used: (\d+) ms/.exec(text) ?? [];
  return ms === undefined ? undefined : Number(ms);
}

/** Under the routing key it had, so that it goes back where it came from. */
function copyOf({ taskId, role, priority, message }: Held, options: HoldingOptions, copy: string): Outgoing {
  return {
    exchange: options.names.held,
    routingKey: taskKey(role, priority),
    content: message.content,
    messageId: taskId,
    mandatory: true,
    headers: {
      [header.holder]: options.holder,
      [header.role]: role,
      [header.task]: taskId,
      [header.copy]: copy,
      [header.redeliveries]: redeliveriesOf(message),
    },
  };
}
