/**
 * What `agentq` exchanges with a broker before it answers: tasks and cancellations that wait in the outbox go out,
 * completions for our tasks come in. Nothing is acknowledged before the store has it.
 */
import { AppError } from '../errors.ts';
import { deliver } from '../worker/deliver.ts';
import { applyCompletion } from '../delegation/take-completions.ts';
import { openBroker } from './open-broker.ts';
import type { Session } from './session.ts';

/** Completions that are taken at a time. */
const batch = 200;

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
    for (const coordinator of coordinators) {
      const arrived = await queue.takeCompletions(coordinator, batch);
      const others: (() => Promise<void>)[] = [];
      for (const { body, accept, back } of arrived) {
        if (body instanceof AppError) {
          process.stderr.write(`! a completion cannot be read and is dropped: ${body.message}\n`);
          await accept();
          continue;
        }
        const known = await store.transaction((tables) => applyCompletion(tables, body, store.now()));
        // Another store with this coordinator's name has asked; it is left for it.
        if (known === 'unknown') others.push(back);
        else await accept();
      }
      for (const back of others) await back();
    }
  };
}
