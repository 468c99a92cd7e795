/** What lies in the broker's own queue of dead letters: messages that no worker could make a task of, or finish. */
import { isRetryable } from '../errors.ts';
import type { Settings } from './environment.ts';
import { openBroker } from './open-broker.ts';
import { iso } from './task-view.ts';

export interface BrokerDeadLetter {
  /** null: the message does not say. */
  task_id: string | null;
  reason: string;
  queue: string | null;
  deliveries: number;
  /** ISO 8601. */
  at: string | null;
}

const maxShown = 1000;

/** They stay where they are. Of a broker that is away nothing is known. */
export async function brokerDeadLetters(settings: Settings, storeId: string): Promise<BrokerDeadLetter[]> {
  const queue = await openBroker(settings, { holder: storeId, roles: () => [] });
  try {
    const letters = (await queue?.deadLetters(maxShown)) ?? [];
    return letters.map(({ body, reason, queue: from, deliveries, at }) => ({
      task_id: taskIdIn(body),
      reason,
      queue: from ?? null,
      deliveries,
      at: iso(at ?? null),
    }));
  } catch (error) {
    if (isRetryable(error)) return [];
    throw error;
  } finally {
    await queue?.close();
  }
}

function taskIdIn(body: Buffer): string | null {
  try {
    const message: unknown = JSON.parse(body.toString('utf8'));
    const id =
      typeof message === 'object' && message !== null && 'task_id' in message ? message.task_id : null;
    return typeof id === 'string' ? id : null;
  } catch {
    return null;
  }
}
