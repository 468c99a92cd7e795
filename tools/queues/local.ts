/**
 * The local queue: tasks come from `agentq submit` straight into the store, and reports need go nowhere: the store
 * is where `agentq show` reads them.
 */
import { AppError } from '../errors.ts';
import type { Queue } from './queue.ts';

export const localQueueName = 'local';

export function openLocalQueue(): Queue {
  return {
    name: localQueueName,
    supports: { poll: false, editComments: false },
    projects: async () => [],
    watch: () => undefined,
    poll: async () => {
      throw new AppError('BAD_USAGE', 'the local queue is not polled');
    },
    comments: async () => [],
    prepare: async () => ({ done: { status: 'sent' } }),
    send: async () => ({ status: 'sent' }),
    editComment: async () => false,
    close: async () => undefined,
  };
}
