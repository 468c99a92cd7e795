/** Reports as messages: what is published for a task, a completion and a cancellation. */
import { AppError } from '../../errors.ts';
import { rankOf } from '../priority.ts';
import type { Prepared, Receipt, ReportBody } from '../queue.ts';
import { cancelKey, coordinatorOf, type Names, taskKey } from './names.ts';
import type { Publish } from './publish.ts';

/** A message as it is stored before it is sent; plain JSON. */
export interface Command {
  kind: 'task' | 'completion' | 'cancellation';
  exchange: string;
  routingKey: string;
  /** The task's id: by it receivers know a message that came twice. */
  messageId: string;
  /** Epoch ms after which nobody needs it. */
  expiresAt?: number;
  /** 1 most urgent … 4. */
  rank?: number;
  body: string;
}

export function prepared(names: Names, body: ReportBody): Prepared {
  switch (body.kind) {
    // What is for people is not for a broker.
    case 'comment':
    case 'progress':
    case 'label':
      return { done: { status: 'sent' } };
    case 'task':
      return { command: taskCommand(names, body.envelope) };
    case 'completion':
      return {
        command: {
          kind: 'completion',
          exchange: names.exchange,
          routingKey: body.replyTo,
          messageId: body.envelope.task_id,
          body: JSON.stringify(body.envelope),
        } satisfies Command,
      };
    case 'cancellation':
      return {
        command: {
          kind: 'cancellation',
          exchange: names.exchange,
          routingKey: cancelKey,
          messageId: body.envelope.task_id,
          body: JSON.stringify(body.envelope),
        } satisfies Command,
      };
  }
}

function taskCommand(names: Names, envelope: Extract<ReportBody, { kind: 'task' }>['envelope']): Command {
  const ttl = envelope.ttl_seconds;
  return {
    kind: 'task',
    exchange: names.exchange,
    routingKey: taskKey(envelope.to, envelope.priority),
    messageId: envelope.task_id,
    ...(ttl !== undefined && { expiresAt: Date.parse(envelope.created_at) + ttl * 1000 }),
    rank: rankOf(envelope.priority),
    body: JSON.stringify(envelope),
  };
}

export interface Sending {
  publish: Publish;
  /** Makes sure of the exchanges. */
  base: () => Promise<void>;
  declareResults: (coordinator: string) => Promise<void>;
  now: () => number;
}

/**
 * Resolves when the broker has it. A repeated send makes a second message, which does no harm: receivers know it by its
 * task_id. Throws QUEUE_REJECTED where no queue wants it or its time has passed, QUEUE_UNAVAILABLE where it is unknown
 * whether the broker has it.
 */
export async function send(sending: Sending, command: Command): Promise<Receipt> {
  const { publish, now } = sending;
  if (command.expiresAt !== undefined && command.expiresAt <= now())
    throw new AppError('QUEUE_REJECTED', `task ${command.messageId}: its time has passed (ttl_seconds)`, {
      hints: ['submit it again with a longer --ttl'],
    });
  await sending.base();
  const message = {
    exchange: command.exchange,
    routingKey: command.routingKey,
    content: Buffer.from(command.body),
    messageId: command.messageId,
    // A cancellation is for the workers there are, be it none.
    mandatory: command.kind !== 'cancellation',
    expiresInMs: command.expiresAt === undefined ? undefined : Math.ceil(command.expiresAt - now()),
    priority: command.rank === undefined ? undefined : 4 - command.rank,
  };
  if ((await publish(message)) === 'stored') return { status: 'sent' };
  const coordinator = command.kind === 'completion' ? coordinatorOf(command.routingKey) : undefined;
  if (coordinator !== undefined) {
    await sending.declareResults(coordinator);
    if ((await publish(message)) === 'stored') return { status: 'sent' };
  }
  throw new AppError('QUEUE_REJECTED', `the broker has no queue for "${command.routingKey}"`, {
    hints: ['agentq init   (declares the queues of all roles and coordinators)'],
  });
}

/** What the store gives back. Throws QUEUE_REJECTED. */
export function assertCommand(stored: unknown): Command {
  if (typeof stored === 'object' && stored !== null && 'routingKey' in stored && 'body' in stored)
    return stored as Command;
  throw new AppError('QUEUE_REJECTED', 'expected a message for the broker, got something else');
}
