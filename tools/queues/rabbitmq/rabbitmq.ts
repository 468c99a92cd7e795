/**
 * RabbitMQ as a queue: tasks are handed over one by one, to whoever has room for them, and come back when their taker is
 * gone. Everything is at least once: a message may come twice, and receivers know it by its task_id.
 */
import { AppError } from '../../errors.ts';
import { type Broker, brokerQueueName, type Queue } from '../queue.ts';
import { openBells } from './bells.ts';
import { takeCompletions, type TakenCompletion, waitForCompletion } from './completions.ts';
import { openConnection } from './connection.ts';
import { type DeadLetter, deadLetters, removeDeadLetter } from './dead-letters.ts';
import { take } from './deliveries.ts';
import { ensureOn } from './ensure.ts';
import { openHolding } from './holding.ts';
import { defaultPrefix, type Names, namesFor } from './names.ts';
import { publisherOn } from './publish.ts';
import { assertCommand, prepared, send } from './reports.ts';
import { declareTopology } from './topology.ts';

/** RabbitMQ's own `consumer_timeout`: https://www.rabbitmq.com/docs/consumers#acknowledgement-timeout */
const defaultAckTimeoutMs = 30 * 60_000;

export interface RabbitOptions {
  /** amqp://user:password@host:5672/vhost, or amqps://… */
  url: string;
  /** Before all names at the broker; keeps installations apart. */
  prefix?: string;
  /** Whose arrivals wake us. */
  roles?: () => string[];
  /** The broker's consumer_timeout, ms; a delivery is held for half of it at most. */
  ackTimeoutMs?: number;
  /** The store's id: who comes back under the same name finds what it held. */
  holder?: string;
  log?: (text: string) => void;
  /** Longest wait for one answer of the broker, ms. */
  patienceMs?: number;
  /** Between two looks at the queues without a bell, ms. */
  sweepMs?: number;
}

export interface RabbitQueue extends Queue {
  readonly broker: Broker;
  readonly names: Names;
  /** Declares everything; harmless to repeat. Throws CONFLICT where something exists with other arguments. */
  init(roles: readonly string[], coordinators: readonly string[]): Promise<void>;
  /** Connects, or throws QUEUE_AUTH or QUEUE_UNAVAILABLE. */
  check(): Promise<void>;
  /** At most `max`, which nobody else gets until each is settled or this queue is closed. */
  takeCompletions(coordinator: string, max: number): Promise<TakenCompletion[]>;
  /** True when there is one, false after `timeoutMs`. Somebody else may be faster to take it. */
  waitForCompletion(coordinator: string, timeoutMs: number): Promise<boolean>;
  deadLetters(max: number): Promise<DeadLetter[]>;
  /** How many messages of this task were removed from the dead letters. */
  removeDeadLetter(taskId: string): Promise<number>;
}

/** Connects when it is first needed. */
export function openRabbitQueue(options: RabbitOptions): RabbitQueue {
  const { prefix = defaultPrefix, patienceMs = 15_000, log = () => undefined } = options;
  const ackTimeoutMs = options.ackTimeoutMs ?? defaultAckTimeoutMs;
  const names = namesFor(prefix);
  const connection = openConnection({ url: options.url, log, patienceMs });
  const publish = publisherOn(connection, patienceMs);
  const ensure = ensureOn(connection, names);
  const holder = options.holder ?? 'worker';
  const holding = openHolding({ connection, publish, names, holder, ackTimeoutMs, log });
  const bells = openBells({
    connection,
    names,
    prefix,
    roles: options.roles ?? (() => []),
    ensureRole: ensure.role,
    log,
    sweepMs: options.sweepMs ?? 5000,
  });
  const tending = tend(holding.tend, Math.min(10_000, ackTimeoutMs / 8), log);
  const sending = {
    publish,
    base: ensure.base,
    declareResults: ensure.results,
    now: () => Date.now(),
  };
  return {
    name: brokerQueueName,
    names,
    supports: { poll: false, editComments: false },
    projects: async () => [],
    watch: () => undefined,
    poll: async () => {
      throw new AppError('BAD_USAGE', 'a broker is not polled: it hands tasks over');
    },
    comments: async () => [],
    prepare: async (report) => prepared(names, report.body),
    send: async (stored) => {
      const command = assertCommand(stored);
      const receipt = await send(sending, command);
      if (command.kind === 'completion') holding.release(command.messageId);
      return receipt;
    },
    editComment: async () => false,
    broker: {
      take: (role, free) =>
        take({ connection, names, publish, holding, ensureRole: ensure.role }, role, free),
      held: holding.held,
      release: async (taskId) => holding.release(taskId),
      onArrival: bells.onArrival,
      onCancellation: bells.onCancellation,
    },
    init: (roles, coordinators) =>
      connection.scratch((channel) => declareTopology(channel, names, { roles, coordinators })),
    check: async () => void (await connection.link()),
    takeCompletions: async (coordinator, max) => {
      await ensure.results(coordinator);
      return takeCompletions(connection, names.resultsQueue(coordinator), max);
    },
    waitForCompletion: async (coordinator, timeoutMs) => {
      await ensure.results(coordinator);
      return waitForCompletion(connection, names, coordinator, timeoutMs);
    },
    deadLetters: async (max) => {
      await ensure.base();
      return deadLetters(connection, names, max);
    },
    removeDeadLetter: async (taskId) => {
      await ensure.base();
      return removeDeadLetter(connection, names, taskId, 10_000);
    },
    close: async () => {
      clearInterval(tending);
      bells.close();
      await connection.close();
    },
  };
}

function tend(work: () => Promise<void>, everyMs: number, log: (text: string) => void): NodeJS.Timeout {
  const timer = setInterval(() => {
    // What fails now is tried again at the next turn.
    work().catch((error: unknown) => log(error instanceof Error ? error.message : String(error)));
  }, everyMs);
  return timer.unref();
}
