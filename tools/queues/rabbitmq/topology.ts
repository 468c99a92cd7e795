/**
 * Exchanges and queues as they are declared at the broker: durable, quorum queues, one per role and priority (quorum
 * queues have no priorities before RabbitMQ 4). What dies in a role's queue goes to the dead letters at least once.
 * Declaring is idempotent; what exists and differs is explained and left alone.
 */
import type { Channel } from 'amqplib';
import { priorities } from '../priority.ts';
import { header, type Names, resultsKey, taskKey } from './names.ts';

/** A message that was handed over this often and once more without an end is a dead letter. */
export const deliveryLimit = 5;

/** Looking at dead letters and results counts as a delivery; newer brokers drop after 20 where no limit is given. */
const noLimit = 1_000_000;

const dayMs = 24 * 60 * 60_000;

/** At-least-once dead-lettering needs `reject-publish`: https://www.rabbitmq.com/docs/quorum-queues#dead-lettering */
const lettersSurvive = {
  'x-queue-type': 'quorum',
  'x-overflow': 'reject-publish',
  'x-dead-letter-strategy': 'at-least-once',
};

/** Exchanges, and the queue of dead letters. Throws what amqplib throws: see `explained`. */
export async function declareBase(channel: Channel, names: Names): Promise<void> {
  await channel.assertExchange(names.exchange, 'topic', { durable: true });
  await channel.assertExchange(names.held, 'headers', { durable: true });
  await channel.assertExchange(names.dead, 'topic', { durable: true });
  await channel.assertQueue(names.dead, {
    durable: true,
    arguments: { 'x-queue-type': 'quorum', 'x-delivery-limit': noLimit },
  });
  await channel.bindQueue(names.dead, names.dead, '#');
}

export const roleArguments = (names: Names): Record<string, unknown> => ({
  ...lettersSurvive,
  'x-delivery-limit': deliveryLimit,
  'x-dead-letter-exchange': names.dead,
});

export async function declareRole(channel: Channel, names: Names, role: string): Promise<void> {
  for (const priority of priorities) {
    const queue = names.taskQueue(role, priority);
    await channel.assertQueue(queue, {
      durable: true,
      arguments: roleArguments(names),
    });
    await channel.bindQueue(queue, names.exchange, taskKey(role, priority));
    if (priority === 'normal') await channel.bindQueue(queue, names.exchange, taskKey(role));
  }
}

export async function declareResults(channel: Channel, names: Names, coordinator: string): Promise<void> {
  const queue = names.resultsQueue(coordinator);
  await channel.assertQueue(queue, {
    durable: true,
    arguments: { 'x-queue-type': 'quorum', 'x-delivery-limit': noLimit },
  });
  await channel.bindQueue(queue, names.exchange, resultsKey(coordinator));
}

/**
 * A worker's own queue for what it holds for long. What lies in it longer than `ttlMs` goes back, under the routing key
 * it has, to the queue it came from. It is deleted when nobody has used it for a day.
 */
export async function declareHolding(
  channel: Channel,
  names: Names,
  { holder, role, ttlMs }: { holder: string; role: string; ttlMs: number },
): Promise<string> {
  const queue = names.holdingQueue(holder, role);
  await channel.assertQueue(queue, {
    durable: true,
    arguments: {
      ...lettersSurvive,
      'x-dead-letter-exchange': names.exchange,
      'x-message-ttl': ttlMs,
      'x-expires': dayMs + ttlMs,
    },
  });
  await channel.bindQueue(queue, names.held, '', {
    'x-match': 'all',
    [header.holder]: holder,
    [header.role]: role,
  });
  return queue;
}

export async function declareTopology(
  channel: Channel,
  names: Names,
  { roles, coordinators }: { roles: readonly string[]; coordinators: readonly string[] },
): Promise<void> {
  await declareBase(channel, names);
  for (const role of roles) await declareRole(channel, names, role);
  for (const coordinator of coordinators) await declareResults(channel, names, coordinator);
}
