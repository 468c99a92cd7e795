/** RabbitMQ with amqplib: published with confirms, taken with prefetch, acknowledged one by one. */
import { connect, type ConsumeMessage } from 'amqplib';
import { randomBytes } from 'node:crypto';
import { messageOf } from '../../../../tools/errors.ts';
import { NotHere, type Contender } from '../contender.ts';

const server = process.env['AMQP_URL'] ?? 'amqp://guest:guest@127.0.0.1:5672';

export function rabbitmq(type: 'classic' | 'quorum'): Contender {
  return {
    name: `RabbitMQ, ${type} queue`,
    version: '',
    durability: 'each commit',
    note: 'amqplib; durable, persistent, confirms, prefetch',
    async open() {
      const model = await connect(server, { timeout: 3000 }).catch((error: unknown) => {
        throw new NotHere(`no RabbitMQ (${messageOf(error)})`);
      });
      const publisher = await model.createConfirmChannel();
      const queue = `background-agents-bench-${randomBytes(4).toString('hex')}`;
      const how = { durable: true, arguments: { 'x-queue-type': type } };
      await publisher.assertQueue(queue, how);
      const publish = (title: string): Promise<void> =>
        new Promise((resolve, reject) => {
          const body = Buffer.from(JSON.stringify({ title }));
          publisher.sendToQueue(queue, body, { persistent: true }, (error: unknown) =>
            error ? reject(new Error(messageOf(error))) : resolve(),
          );
        });
      return {
        async fill(count) {
          await Promise.all(Array.from({ length: count }, () => publish('Waits')));
        },
        async work(atOnce, done) {
          const channel = await model.createChannel();
          await channel.prefetch(atOnce);
          const stop = new AbortController();
          const answer = async (message: ConsumeMessage): Promise<void> => {
            await publish('Another');
            if (stop.signal.aborted) return;
            channel.ack(message);
            done();
          };
          await channel.consume(queue, (message) => {
            if (message === null || stop.signal.aborted) return;
            void answer(message);
          });
          return async () => {
            stop.abort();
            await channel.close();
          };
        },
        async close() {
          await publisher.deleteQueue(queue);
          await model.close();
        },
      };
    },
  };
}
