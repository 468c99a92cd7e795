/** Every queue that ours is compared with. */
import type { Contender } from '../contender.ts';
import { graphile, pgBoss } from './postgres.ts';
import { rabbitmq } from './rabbitmq.ts';
import { bullmq } from './redis.ts';
import { betterQueue } from './better-queue.ts';
import { liteque, plainjob } from './sqlite.ts';

export function peers(): Contender[] {
  return [
    plainjob('checkpoints'),
    plainjob('each commit'),
    liteque('checkpoints'),
    liteque('each commit'),
    betterQueue(),
    bullmq('everysec'),
    bullmq('always'),
    pgBoss(false),
    pgBoss(true),
    graphile(false),
    graphile(true),
    rabbitmq('classic'),
    rabbitmq('quorum'),
  ];
}
