/** A corner of the real broker for one test: own names, any number of clients, and nothing left behind. */
import { randomUUID } from 'node:crypto';
import { type Channel, type ChannelModel, connect } from 'amqplib';
import type { CompletionEnvelope, TaskEnvelope } from '../../../tools/queues/envelope.ts';
import type { Receipt, ReportBody } from '../../../tools/queues/queue.ts';
import { type Names, namesFor } from '../../../tools/queues/rabbitmq/names.ts';
import {
  openRabbitQueue,
  type RabbitOptions,
  type RabbitQueue,
} from '../../../tools/queues/rabbitmq/rabbitmq.ts';

export const serverUrl = process.env['TEST_AMQP_URL'] ?? 'amqp://guest:guest@127.0.0.1:5672/';

export const role = 'coder';
export const coordinator = 'boss';

/** Whether tests are to be skipped: there is no broker, and nobody said that there must be one. */
export async function noBroker(): Promise<boolean> {
  if (process.env['REQUIRE_SERVERS']) return false;
  return connect(serverUrl, { timeout: 5000 }).then(
    async (model) => {
      await model.close();
      return false;
    },
    () => true,
  );
}

export interface Desk {
  prefix: string;
  names: Names;
  /** Another worker or coordinator. */
  open: (options?: Partial<RabbitOptions>) => RabbitQueue;
  /** A plain channel of another program; an error on it is thrown by the call that caused it. */
  channel: () => Promise<Channel>;
  /** How many messages are ready in a queue. */
  ready: (queue: string) => Promise<number>;
  /** What clients of this desk had to say. */
  said: string[];
  tidy: () => Promise<void>;
}

export function openDesk(): Desk {
  const prefix = `agentq-test-${randomUUID()}`;
  const names = namesFor(prefix);
  const queues: RabbitQueue[] = [];
  const holders = new Set<string>();
  const said: string[] = [];
  let model: Promise<ChannelModel> | undefined;
  const channel = async (): Promise<Channel> => {
    model ??= connect(serverUrl);
    const opened = await (await model).createChannel();
    opened.on('error', () => undefined);
    return opened;
  };
  return {
    prefix,
    names,
    said,
    channel,
    open: (options = {}) => {
      const holder = options.holder ?? randomUUID();
      holders.add(holder);
      const queue = openRabbitQueue({
        url: serverUrl,
        prefix,
        roles: () => [role],
        log: (text) => said.push(text),
        // What wakes a worker in these tests is a bell.
        sweepMs: 3_600_000,
        ...options,
        holder,
      });
      queues.push(queue);
      return queue;
    },
    ready: async (queue) => {
      const opened = await channel();
      const { messageCount } = await opened.checkQueue(queue);
      await opened.close();
      return messageCount;
    },
    tidy: async () => {
      for (const queue of queues) await queue.close();
      const opened = await channel();
      const holding = [...holders].map((holder) => names.holdingQueue(holder, role));
      for (const queue of [
        ...names.taskQueues(role),
        ...holding,
        names.resultsQueue(coordinator),
        names.dead,
      ])
        await opened.deleteQueue(queue);
      for (const exchange of [names.exchange, names.held, names.dead]) await opened.deleteExchange(exchange);
      await (await model)?.close();
    },
  };
}

export function task(patch: Partial<TaskEnvelope> = {}): TaskEnvelope {
  return {
    schema: 'agentq/task/1',
    task_id: randomUUID(),
    from: coordinator,
    to: role,
    type: 'task',
    priority: 'normal',
    instructions: 'Say hello.',
    created_at: new Date().toISOString(),
    ...patch,
  };
}

export function completion(taskId: string): CompletionEnvelope {
  return {
    schema: 'agentq/completion/1',
    task_id: taskId,
    from: role,
    to: coordinator,
    status: 'completed',
    summary: 'Said hello.',
    created_at: new Date().toISOString(),
  };
}

/** Prepares and sends; the command goes through JSON on the way, as it does in the store. */
export async function report(queue: RabbitQueue, body: ReportBody): Promise<Receipt> {
  const told = { id: randomUUID(), nativeTaskId: 'task-1', uuid: randomUUID(), body };
  const prepared = await queue.prepare(told, undefined);
  if ('done' in prepared) return prepared.done;
  return queue.send(JSON.parse(JSON.stringify(prepared.command)));
}

export const submit = (queue: RabbitQueue, patch: Partial<TaskEnvelope> = {}): Promise<Receipt> =>
  report(queue, { kind: 'task', envelope: task(patch) });

export const complete = (queue: RabbitQueue, taskId: string): Promise<Receipt> =>
  report(queue, { kind: 'completion', envelope: completion(taskId), replyTo: `results.${coordinator}` });

export function idOf(delivery: { body: Buffer } | undefined): string | undefined {
  return delivery && (JSON.parse(delivery.body.toString('utf8')) as TaskEnvelope).task_id;
}
