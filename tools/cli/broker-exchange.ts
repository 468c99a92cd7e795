/**
 * What `agentq` exchanges with a broker before it answers: tasks and cancellations that wait in the outbox go out,
 * completions for our tasks come in. Nothing is acknowledged before the store has it.
 */
import { AppError } from '../errors.ts';
import { deliver } from '../worker/deliver.ts';
import { commandKeeper } from '../delegation/from-shell.ts';
import { applyCompletion } from '../delegation/take-completions.ts';
import type { TakenCompletion } from '../queues/rabbitmq/completions.ts';
import type { RabbitQueue } from '../queues/rabbitmq/rabbitmq.ts';
import type { Store } from '../store/store.ts';
import { withBroker } from '../store/tasks.ts';
import { expireTask } from '../worker/reconcile.ts';
import { openBroker } from './open-broker.ts';
import { shown } from './render-worker.ts';
import type { Session } from './session.ts';

/** Completions that are taken at a time. */
const batch = 200;
/** Behind so many of other stores ours are looked for. */
const maxRounds = 25;

/** The result makes one exchange; throws QUEUE_* when the broker cannot be reached. */
export async function openExchange(
  { settings, store }: Session,
  closing: (() => Promise<void>)[],
): Promise<() => Promise<void>> {
  const queue = await openBroker(settings, { holder: store.id, roles: () => [] });
  if (!queue) return async () => undefined;
  closing.push(() => queue.close());
  const sender = {
    store,
    now: () => store.now(),
    random: Math.random,
    options: { patience: 1 },
    log: () => undefined,
  };
  return async () => {
    const coordinators = await store.read(
      async ({ settings: facts }) => JSON.parse((await facts.get('coordinators')) ?? '[]') as string[],
    );
    await deliver(sender, queue);
    for (const coordinator of coordinators) await takeAll(store, queue, coordinator);
    await giveUpLate(store);
  };
}

/** Nobody tells of a message that expired at the broker, or was buried there; where no worker shares the store we look. */
async function giveUpLate(store: Store): Promise<void> {
  const late = await store.read(({ tasks }) => tasks.overdue(store.now()));
  for (const { id, availableAt } of late)
    if (availableAt === withBroker)
      await store.transaction((tables) => expireTask(commandKeeper(store), tables, id));
}

/** Another store with this coordinator's name may have asked; what is for it goes back when we have seen the rest. */
async function takeAll(store: Store, queue: RabbitQueue, coordinator: string): Promise<void> {
  const others: TakenCompletion[] = [];
  try {
    for (let round = 0; round < maxRounds; round += 1) {
      const arrived = await queue.takeCompletions(coordinator, batch);
      for (const completion of arrived) if (!(await takeIn(store, completion))) others.push(completion);
      if (arrived.length < batch) return;
    }
  } finally {
    for (const { back } of others) await back();
  }
}

/** False: it is about a task of another store. */
async function takeIn(store: Store, { body, accept }: TakenCompletion): Promise<boolean> {
  if (body instanceof AppError)
    process.stderr.write(`! a completion cannot be read and is dropped: ${shown(body.message, 500)}\n`);
  else {
    const known = await store.transaction((tables) => applyCompletion(tables, body, store.now()));
    if (known === 'unknown') return false;
  }
  await accept();
  return true;
}
