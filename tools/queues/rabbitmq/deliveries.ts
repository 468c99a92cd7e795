/** Taking tasks: as many as are asked for, the most urgent first, and what becomes of each. */
import type { GetMessage } from 'amqplib';
import { AppError } from '../../errors.ts';
import { type Priority, priorities } from '../priority.ts';
import type { Delivery } from '../queue.ts';
import type { Connection, Link } from './connection.ts';
import type { Holding } from './holding.ts';
import { acknowledge, getOne, giveBack } from './messages.ts';
import { header, type Names, priorityIn, taskKey } from './names.ts';
import type { Publish } from './publish.ts';
import { redeliveriesOf } from './redeliveries.ts';
import { deliveryLimit } from './topology.ts';

export interface DeliveriesOptions {
  connection: Connection;
  names: Names;
  publish: Publish;
  holding: Holding;
  /** Makes sure of the role's queues. */
  ensureRole: (role: string) => Promise<void>;
}

interface Taken {
  role: string;
  priority: Priority;
  link: Link;
  message: GetMessage;
}

/** `Broker.take`. */
export async function take(options: DeliveriesOptions, role: string, free: number): Promise<Delivery[]> {
  if (free <= 0) return [];
  const { connection, names, holding } = options;
  await options.ensureRole(role);
  const taken: Delivery[] = [];
  const add = async (link: Link, message: GetMessage, priority: Priority): Promise<void> => {
    const delivery = deliveryOf(options, { role, link, message, priority });
    if (delivery.redeliveries <= deliveryLimit) taken.push(delivery);
    else await delivery.bury(`handed over ${delivery.redeliveries + 1} times without an end`);
  };
  try {
    for (const { link, message } of await holding.leftovers(role, free))
      await add(link, message, priorityIn(message.fields.routingKey));
    const link = await connection.link();
    for (const priority of priorities)
      while (taken.length < free) {
        const message = await getOne(connection, link, names.taskQueue(role, priority));
        if (!message) break;
        await add(link, message, priority);
      }
  } catch (error) {
    // What is in our hands already must not be forgotten there.
    if (taken.length === 0) throw error;
  }
  return taken;
}

function deliveryOf(options: DeliveriesOptions, taken: Taken): Delivery {
  const { role, link, message } = taken;
  let heldAs: string | undefined;
  const settle = (): void => {
    if (heldAs === undefined) acknowledge(link.deliveries, message);
    else options.holding.release(heldAs);
  };
  return {
    role,
    body: message.content,
    redeliveries: redeliveriesOf(message),
    accept: async () => settle(),
    holdFor: (taskId) => {
      heldAs = taskId;
      options.holding.hold({ ...taken, taskId });
    },
    giveBack: async () => {
      if (await putBack(options, taken)) settle();
      else giveBack(link.deliveries, message);
    },
    bury: async (reason) => {
      await bury(options, taken, reason);
      settle();
    },
  };
}

/**
 * Straight into its queue, past the bells, so that nobody is woken to try again at once; and as a new message, since the
 * broker counts a rejected one as a failed delivery. False: that did not work.
 */
async function putBack({ names, publish }: DeliveriesOptions, taken: Taken): Promise<boolean> {
  const { role, priority, message } = taken;
  const stored = await publish({
    exchange: '',
    routingKey: names.taskQueue(role, priority),
    content: message.content,
    messageId: String(message.properties.messageId ?? ''),
    mandatory: true,
    expiresInMs: Number(message.properties.expiration ?? Number.NaN) || undefined,
    headers: { [header.redeliveries]: redeliveriesOf(message) },
  }).catch((error: unknown) => {
    if (error instanceof AppError) return 'unroutable';
    throw error;
  });
  return stored === 'stored';
}

async function bury(
  { names, publish }: DeliveriesOptions,
  { role, priority, message }: Taken,
  reason: string,
): Promise<void> {
  const stored = await publish({
    exchange: names.dead,
    routingKey: taskKey(role, priority),
    content: message.content,
    messageId: String(message.properties.messageId ?? ''),
    mandatory: true,
    headers: {
      [header.reason]: reason.slice(0, 2000),
      [header.queue]: names.taskQueue(role, priority),
      [header.redeliveries]: redeliveriesOf(message),
    },
  });
  if (stored === 'unroutable')
    throw new AppError('QUEUE_UNAVAILABLE', `the broker has no queue for dead letters (${names.dead})`, {
      hints: ['agentq init   (declares it)'],
    });
}
