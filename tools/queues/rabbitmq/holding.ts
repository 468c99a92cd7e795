/**
 * Holding a message for hours. Brokers close a channel whose delivery is unacknowledged for too long (30 minutes by
 * default), and everything it held comes back. So a delivery that was held half that long is handed over: copied into
 * this worker's own holding queue, acknowledged, and taken again from there. If we die, the copy lies in the holding
 * queue; we take it again when we start, or it goes back to the role's queue when its time there is over. Between copy
 * and acknowledgement there are two messages: receivers know them by their task_id.
 */
import { randomUUID } from 'node:crypto';
import type { GetMessage } from 'amqplib';
import type { Priority } from '../priority.ts';
import type { Connection, Link } from './connection.ts';
import { holdingQueues } from './holding-queues.ts';
import { acknowledge } from './messages.ts';
import { header, type Names, priorityIn, taskKey } from './names.ts';
import type { Publish } from './publish.ts';
import { redeliveriesOf } from './redeliveries.ts';
import { declareHolding } from './topology.ts';

export interface Held {
  taskId: string;
  role: string;
  priority: Priority;
  link: Link;
  message: GetMessage;
  /** Epoch ms of this delivery. */
  since: number;
}

export interface Holding {
  hold: (held: Held) => void;
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
}

/** A broker may need this long to notice that a connection of before is dead (three heartbeats). */
const noticedDeadMs = 60_000;

export function openHolding(options: HoldingOptions): Holding {
  const { connection, names, holder, ackTimeoutMs } = options;
  const held = new Map<string, Held>();
  /** Task → role, for messages that lie in a holding queue since a connection was lost. */
  const lost = new Map<string, string>();
  const inHolding = new WeakSet<Held>();
  const { pick, exists } = holdingQueues(connection, (role) => names.holdingQueue(holder, role));

  connection.onDown((link) => {
    for (const entry of held.values()) {
      if (entry.link !== link) continue;
      held.delete(entry.taskId);
      if (inHolding.has(entry)) lost.set(entry.taskId, entry.role);
    }
  });

  /** One after the other: what is returned to the queue on the way must not be taken by another pass. */
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const next = last.then(work);
    last = next.catch(() => undefined);
    return next;
  };

  const handOver = async (entry: Held): Promise<void> => {
    const { link, message, role, taskId } = entry;
    await connection.scratch((channel) =>
      declareHolding(channel, names, { holder, role, ttlMs: ackTimeoutMs }),
    );
    const copy = randomUUID();
    const stored = await options.publish({
      exchange: names.held,
      routingKey: taskKey(role, entry.priority),
      content: message.content,
      messageId: taskId,
      mandatory: true,
      headers: {
        [header.holder]: holder,
        [header.role]: role,
        [header.task]: taskId,
        [header.copy]: copy,
        [header.redeliveries]: redeliveriesOf(message),
      },
    });
    if (stored !== 'stored' || !link.alive) return;
    acknowledge(link.deliveries, message);
    await pick(link, role, (found) => {
      if (found.properties.headers?.[header.copy] !== copy) return 'back';
      // Released while the copy was under way: it is done with, and so is the copy.
      if (held.get(taskId) !== entry) acknowledge(link.deliveries, found);
      else keep({ ...entry, message: found, since: Date.now() });
      return 'last';
    });
  };

  const keep = (entry: Held): void => {
    held.set(entry.taskId, entry);
    inHolding.add(entry);
    lost.delete(entry.taskId);
  };

  const takeBack = async (link: Link): Promise<void> => {
    for (const role of new Set(lost.values())) {
      if (!(await exists(link, role))) continue;
      await pick(link, role, (message) => {
        const taskId = String(message.properties.headers?.[header.task]);
        if (!lost.has(taskId) || held.has(taskId)) return 'back';
        const priority = priorityIn(message.fields.routingKey);
        keep({ taskId, role, priority, link, message, since: Date.now() });
        return 'keep';
      });
    }
  };

  return {
    hold: (entry) => {
      if (!entry.link.alive) return;
      const before = held.get(entry.taskId);
      held.set(entry.taskId, entry);
      // The same task came twice: one message of it is enough.
      if (before && before.message !== entry.message) acknowledge(before.link.deliveries, before.message);
      if (entry.message.fields.exchange === names.held) keep(entry);
    },
    release: (taskId) => {
      const entry = held.get(taskId);
      held.delete(taskId);
      lost.delete(taskId);
      if (entry) acknowledge(entry.link.deliveries, entry.message);
    },
    held: () => [...held.keys()],
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
        if (lost.size > 0) await takeBack(link);
        for (const entry of held.values())
          if (Date.now() - entry.since >= ackTimeoutMs / 2 && held.get(entry.taskId) === entry)
            await handOver(entry);
      }),
  };
}
