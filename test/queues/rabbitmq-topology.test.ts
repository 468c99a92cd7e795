/** What is declared at the broker, and what is said where something else is there already. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deliveryLimit, roleArguments } from '../../tools/queues/rabbitmq/topology.ts';
import {
  coordinator,
  noBroker,
  type Desk,
  idOf,
  openDesk,
  role,
  serverUrl,
  submit,
} from './rabbitmq/desk.ts';

describe.skipIf(await noBroker())('the topology at RabbitMQ', () => {
  let desk: Desk;
  beforeEach(() => {
    desk = openDesk();
  });
  afterEach(() => desk.tidy());

  it('is declared as often as one likes, and keeps what is in it', async () => {
    const queue = desk.open();
    await queue.init([role], [coordinator]);
    await submit(queue, { task_id: 'a' });
    await queue.init([role], [coordinator]);
    await desk.open().init([role], [coordinator]);
    expect((await queue.broker.take(role, 1)).map(idOf)).toEqual(['a']);
  });

  it('explains a queue that exists with other arguments, and leaves it alone', async () => {
    const channel = await desk.channel();
    const name = desk.names.taskQueue(role, 'high');
    const others = roleArguments(desk.names);
    await channel.assertQueue(name, { durable: true, arguments: { ...others, 'x-delivery-limit': 3 } });
    const queue = desk.open();
    const error = await queue.init([role], [coordinator]).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'CONFLICT',
      message: `the queue "${name}" exists with another x-delivery-limit: expected 5, got: 3`,
    });
    expect(String((error as { hints: string[] }).hints)).toContain(`rabbitmqctl delete_queue ${name}`);
    // The connection has survived it, and workers take the queue as it is.
    await queue.init([], [coordinator]);
    await expect(channel.checkQueue(name)).resolves.toMatchObject({ queue: name });
  });

  it('explains an exchange of another type', async () => {
    const channel = await desk.channel();
    await channel.assertExchange(desk.names.exchange, 'fanout', { durable: true });
    await expect(desk.open().init([role], [])).rejects.toMatchObject({
      code: 'CONFLICT',
      message: `the exchange "${desk.names.exchange}" exists with another type: expected topic, got: fanout`,
    });
  });

  it('is made by a worker that comes before anybody else', async () => {
    const queue = desk.open();
    expect(await queue.broker.take(role, 1)).toEqual([]);
    expect(await submit(desk.open(), { task_id: 'a' })).toEqual({ status: 'sent' });
    expect((await queue.broker.take(role, 1)).map(idOf)).toEqual(['a']);
  });

  it('makes a dead letter of what was handed over too often', async () => {
    const queue = desk.open();
    await queue.init([role], []);
    await submit(queue, { task_id: 'poison', priority: 'low' });
    for (let delivery = 0; delivery <= deliveryLimit; delivery += 1) {
      const worker = desk.open();
      const counted: number[] = [];
      // A worker that dies of it, each time.
      await expect
        .poll(
          async () => {
            counted.push(...(await worker.broker.take(role, 1)).map(({ redeliveries }) => redeliveries));
            return counted;
          },
          { timeout: 20_000 },
        )
        .toEqual([delivery]);
      await worker.close();
    }
    await expect.poll(() => desk.ready(desk.names.dead), { timeout: 20_000 }).toBe(1);
    const [letter] = await queue.deadLetters(10);
    expect(letter).toMatchObject({
      reason: 'delivery_limit',
      queue: desk.names.taskQueue(role, 'low'),
      deliveries: deliveryLimit + 1,
    });
    expect(idOf(letter)).toBe('poison');
  });

  it('says so when the broker refuses the password, and does not show it', async () => {
    const url = new URL(serverUrl);
    url.password = 'wrong-password';
    const error = await desk
      .open({ url: url.href })
      .check()
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'QUEUE_AUTH' });
    expect(JSON.stringify([error, String(error), desk.said])).not.toContain('wrong-password');
  });

  it.each(['http://localhost', 'localhost:5672', ''])('refuses the address %j', (url) => {
    expect(() => desk.open({ url })).toThrow(expect.objectContaining({ code: 'BAD_USAGE' }));
  });
});
