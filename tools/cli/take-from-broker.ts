/**
 * A task from the broker into this store, for a worker in a shell. The command ends before the task does, so nothing can
 * hold the delivery meanwhile: it is acknowledged once the store has the task, and from then on this store answers for it.
 */
import { isRetryable } from '../errors.ts';
import type { Role } from '../roles/role.ts';
import { takeIn } from '../delegation/receive.ts';
import { openBroker } from './open-broker.ts';
import type { Session } from './session.ts';

export interface BrokerTaker {
  /** True: something was taken. `patient`: a broker that is away now has nothing for us, and is no error. */
  takeOne(patient: boolean): Promise<boolean>;
  close(): Promise<void>;
}

export async function openTaker(session: Session, role: Role): Promise<BrokerTaker> {
  const { settings, store, artifacts } = session;
  const queue = await openBroker(settings, { holder: store.id, roles: () => [] });
  const taker = { store, artifacts, now: () => store.now(), log: () => undefined };
  return {
    async takeOne(patient) {
      try {
        const [delivery] = (await queue?.broker.take(role.name, 1)) ?? [];
        if (delivery) await takeIn(taker, role, delivery, false);
        return delivery !== undefined;
      } catch (error) {
        if (patient && isRetryable(error)) return false;
        throw error;
      }
    },
    close: async () => queue?.close(),
  };
}
