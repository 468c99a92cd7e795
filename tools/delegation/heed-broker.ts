/** A broker's word to all its workers: a task is to be dropped, wherever it is. */
import { messageOf } from '../errors.ts';
import type { ControlEnvelope } from '../queues/envelope.ts';
import type { Bell } from '../worker/bell.ts';
import { cancelById } from '../worker/cancel.ts';
import type { Worker } from '../worker/worker.ts';

export function heedBroker(worker: Worker, bell: Bell): (control: ControlEnvelope) => void {
  const heed = async ({ task_id: id, reason }: ControlEnvelope): Promise<void> => {
    const event = await worker.store.transaction((tables) =>
      cancelById(tables, id, reason === '' ? 'cancelled by whoever asked for it' : reason, worker.now()),
    );
    if (!event) return;
    worker.log(event);
    worker.store.ring();
    bell.ring();
  };
  return (control) =>
    void heed(control).catch((error: unknown) =>
      worker.log({ type: 'warning', text: `a cancellation was not stored: ${messageOf(error)}`, hints: [] }),
    );
}
