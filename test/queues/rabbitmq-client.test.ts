/** A program that knows nothing but amqplib and the envelope, written down in twenty lines. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parseTask } from '../../tools/queues/envelope.ts';
import { complete, coordinator, noBroker, openDesk, role, serverUrl } from './rabbitmq/desk.ts';

const script = fileURLToPath(new URL('../fixtures/amqp-client.mjs', import.meta.url));

describe.skipIf(await noBroker())('a program of twenty lines', () => {
  it('delegates a task and reads its completion', async () => {
    const desk = openDesk();
    const worker = desk.open();
    try {
      await worker.init([role], [coordinator]);
      const asker = promisify(execFile)(
        process.execPath,
        [script, serverUrl, role, 'Write a haiku.', desk.prefix],
        { timeout: 25_000 },
      );
      const arrived = Promise.withResolvers<string>();
      const serve = async (): Promise<void> => {
        const [delivery] = await worker.broker.take(role, 1);
        if (!delivery) return;
        const envelope = parseTask(delivery.body);
        expect(envelope).toMatchObject({
          from: coordinator,
          to: role,
          instructions: 'Write a haiku.',
          priority: 'normal',
        });
        delivery.holdFor(envelope.task_id);
        await complete(worker, envelope.task_id);
        arrived.resolve(envelope.task_id);
      };
      worker.broker.onArrival(() => void serve().catch(arrived.reject));
      const [{ stdout }, id] = await Promise.all([asker, arrived.promise]);
      expect(JSON.parse(stdout)).toMatchObject({ task_id: id, status: 'completed', summary: 'Said hello.' });
      expect(await desk.ready(desk.names.taskQueue(role, 'normal'))).toBe(0);
    } finally {
      await desk.tidy();
    }
  });

  it('is no longer than that, and uses nothing else', async () => {
    const text = await readFile(script, 'utf8');
    expect(text.trim().split('\n').length).toBeLessThanOrEqual(20);
    const imports = [...text.matchAll(/from '(.+)'/g)].map(([, name]) => name);
    expect(imports).toEqual(['amqplib']);
  });
});
