/**
 * Machines that share nothing but RabbitMQ and the artifact root (or, with `shared`, a PostgreSQL as well). Whoever asks
 * has a store of its own and does with the broker what `agentq` does. All go through a network that can be cut.
 */
import { connect } from 'amqplib';
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { AppError, isRetryable } from '../../../tools/errors.ts';
import type { CompletionEnvelope } from '../../../tools/queues/envelope.ts';
import { brokerQueueName } from '../../../tools/queues/queue.ts';
import { openRabbitQueue, type RabbitQueue } from '../../../tools/queues/rabbitmq/rabbitmq.ts';
import { openStore, type Store } from '../../../tools/store/store.ts';
import { withBroker } from '../../../tools/store/tasks.ts';
import { delegatedTask } from '../../../tools/delegation/delegated.ts';
import { deliver } from '../../../tools/worker/deliver.ts';
import { sendTask } from '../../../tools/delegation/put-back.ts';
import { applyCompletion } from '../../../tools/delegation/take-completions.ts';
import { tcpProxy } from '../../fakes/tcp-proxy.ts';
import { envelopeOf, type Ground } from './ground.ts';
import { leadsIn, openPostgresGround, resultsIn } from './postgres-ground.ts';
import { onMachine } from './machine.ts';
import { coordinator, roleName } from './role.ts';

const run = promisify(execFile);
export const amqpUrl = process.env['TEST_AMQP_URL'] ?? 'amqp://guest:guest@127.0.0.1:5672/';
/** Short, so that what is held for long is handed over and taken again. */
const ackTimeoutMs = 4000;

export interface BrokerGroundOptions {
  root: string;
  shared: boolean;
  /** Stop and start the broker itself, which others may use as well. */
  mayRestart: boolean;
}

export async function openBrokerGround({ root, shared, mayRestart }: BrokerGroundOptions): Promise<Ground> {
  const prefix = `agentq-chaos-${randomUUID().slice(0, 8)}`;
  const target = new URL(amqpUrl);
  const proxy = await tcpProxy({ host: target.hostname, port: Number(target.port || 5672) });
  const throughProxy = new URL(amqpUrl);
  throughProxy.host = `127.0.0.1:${proxy.port}`;
  const postgres = shared ? await openPostgresGround() : undefined;
  const machines = postgres?.machines ?? ['a', 'b'];
  const names = [...new Set(machines)];
  const open = async (machine: string): Promise<Store> =>
    onMachine(await openStore(join(root, machine, 'data')), machine);
  const asker = await openAsker(root, throughProxy.href, prefix);
  const figures = { connectionsCut: 0, answersLost: 0, brokerRestarts: 0 };
  const opened: Store[] = [];
  const stores = async (): ReturnType<Ground['stores']> => {
    if (postgres) return postgres.stores();
    if (opened.length === 0) opened.push(...(await Promise.all(names.map(open))));
    return opened.map((store, index) => ({ machine: names[index], store }));
  };
  return {
    databaseUrl: postgres?.databaseUrl,
    amqp: { url: throughProxy.href, prefix, ackTimeoutMs },
    machines,
    submit: asker.submit,
    ended: asker.ended,
    faults: {
      ...postgres?.faults,
      connectionsCut: async () => {
        figures.connectionsCut += 1;
        proxy.cut();
        await Promise.resolve();
      },
      answersLost: async () => {
        figures.answersLost += 1;
        proxy.loseAnswers();
        await sleep(150);
        proxy.cut();
      },
      ...(mayRestart && {
        brokerRestarts: async () => {
          figures.brokerRestarts += 1;
          await run('rabbitmqctl', ['stop_app']);
          await run('rabbitmqctl', ['start_app']);
          await run('rabbitmqctl', ['await_startup']);
        },
      }),
    },
    leftovers: async () => messagesIn(prefix, await stores()),
    stores,
    results: async () => resultsIn(asker.store),
    trouble: async () => ({
      disagreeingCompletions: asker.disagreements(),
      leftMessages: await messagesIn(prefix, await stores()),
      ...(postgres?.databaseUrl && { leftLeads: await leadsIn(postgres.databaseUrl) }),
    }),
    figures: () => ({ ...postgres?.figures(), ...figures, ...asker.figures() }),
    close: async () => {
      await asker.close();
      await removeAll(prefix, await stores());
      for (const store of opened) await store.close();
      await postgres?.close();
      await proxy.close();
    },
  };
}

/** The asker's side: what `agentq submit`, `status` and `result` do, again and again. */
async function openAsker(root: string, url: string, prefix: string) {
  const store = await openStore(join(root, 'asker'));
  const queue = openRabbitQueue({ url, prefix, holder: store.id, roles: () => [] });
  await queue.init([roleName], [coordinator]);
  const told = new Map<string, Set<string>>();
  const results = new Map<string, Set<string>>();
  let completions = 0;
  const stop = new AbortController();
  const teller = { store, now: () => store.now(), random: Math.random, options: { patience: 0.01 } };
  const exchange = async (): Promise<void> => {
    await deliver({ ...teller, log: () => undefined }, queue);
    for (const { body, accept } of await queue.takeCompletions(coordinator, 200)) {
      if (body instanceof AppError) throw body;
      completions += 1;
      told.set(body.task_id, (told.get(body.task_id) ?? new Set()).add(said(body)));
      results.set(body.task_id, (results.get(body.task_id) ?? new Set()).add(body.manifest_sha256 ?? ''));
      await store.transaction((tables) => applyCompletion(tables, body, store.now()));
      await accept();
    }
  };
  const working = (async () => {
    while (!stop.signal.aborted) {
      await exchange().catch((error: unknown) => {
        if (!isRetryable(error)) throw error;
      });
      await sleep(100, undefined, { signal: stop.signal }).catch(() => undefined);
    }
  })();
  return {
    store,
    figures: () => ({
      completions,
      toldOfTwoResults: [...results.values()].filter((each) => each.size > 1).length,
    }),
    disagreements: () =>
      [...told]
        .filter(([, texts]) => texts.size > 1)
        .map(([id, texts]) => `${id}: ${[...texts].join(' / ')}`),
    submit: (ids: readonly string[]) => submitFrom(store, ids),
    ended: async () => {
      const counts = await store.read(({ tasks }) => tasks.counts());
      const rested = counts.filter(({ state }) => state === 'completed' || state === 'failed');
      return rested.reduce((sum, { count }) => sum + count, 0);
    },
    close: async () => {
      stop.abort();
      await working;
      await queue.close();
      await store.close();
    },
  };
}

/** What all completions of a task have to agree in. */
function said({ status, result_ref: ref }: CompletionEnvelope): string {
  return `${status} ${ref ?? ''}`;
}

async function submitFrom(store: Store, ids: readonly string[]): Promise<void> {
  await store.transaction(async (tables) => {
    for (const id of ids) {
      const envelope = envelopeOf(id);
      const task = delegatedTask(
        {
          envelope,
          context: undefined,
          queue: brokerQueueName,
          role: { name: roleName, deadlineMs: undefined },
          availableAt: withBroker,
          submittedBy: 'the test',
        },
        store.now(),
      );
      await tables.tasks.insert(task, store.now());
      await sendTask(tables, task, envelope, store.now());
    }
  });
}

type Names = RabbitQueue['names'];

function queuesOf(names: Names, stores: readonly { store: Store }[]): string[] {
  const holding = stores.map(({ store }) => names.holdingQueue(store.id, roleName));
  return [...names.taskQueues(roleName), ...holding, names.resultsQueue(coordinator), names.dead];
}

/** With nobody connected everything that is not acknowledged is ready again. */
async function messagesIn(prefix: string, stores: readonly { store: Store }[]): Promise<string[]> {
  return withNames(prefix, async (names, model) => {
    const found: string[] = [];
    for (const queue of queuesOf(names, stores)) {
      const channel = await model.createChannel();
      channel.on('error', () => undefined);
      // A holding queue is only there where something was held for long.
      const facts = await channel.checkQueue(queue).catch(() => undefined);
      if (facts && facts.messageCount > 0) found.push(`${facts.messageCount} in ${queue}`);
    }
    return found;
  });
}

async function removeAll(prefix: string, stores: readonly { store: Store }[]): Promise<void> {
  await withNames(prefix, async (names, model) => {
    const channel = await model.createChannel();
    for (const queue of queuesOf(names, stores)) await channel.deleteQueue(queue);
    for (const exchange of [names.exchange, names.held, names.dead]) await channel.deleteExchange(exchange);
  });
}

async function withNames<T>(
  prefix: string,
  work: (names: Names, model: Awaited<ReturnType<typeof connect>>) => Promise<T>,
): Promise<T> {
  const { namesFor } = await import('../../../tools/queues/rabbitmq/names.ts');
  const model = await connect(amqpUrl);
  model.on('error', () => undefined);
  try {
    return await work(namesFor(prefix), model);
  } finally {
    await model.close();
  }
}
