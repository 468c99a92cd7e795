import { openLocalQueue } from '../../tools/queues/local.ts';
import { queueContract } from '../contracts/queue-contract.ts';

queueContract({
  name: 'local',
  supports: { poll: false, editComments: false },
  open: async () => ({ queue: openLocalQueue() }),
});
