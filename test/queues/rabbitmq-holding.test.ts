/** Holding tasks for longer than the broker would wait: with a time-out of two seconds instead of thirty minutes. */
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Delivery } from '../../tools/queues/queue.ts';
import type { RabbitQueue } from '../../tools/queues/rabbitmq/rabbitmq.ts';
import { type TcpProxy, tcpProxy } from '../fakes/tcp-proxy.ts';
import { complete, noBroker, type Desk, idOf, openDesk, role, serverUrl, submit } from './rabbitmq/desk.ts';

const ackTimeoutMs = 2000;
const patient = { timeout: 25_000, interval: 20 };

describe.skipIf(await noBroker())('holding tasks of RabbitMQ', () => {
  let desk: Desk;
  let holder: string;
  let proxy: TcpProxy;
  let proxied: string;
  beforeEach(async () => {
    desk = openDesk();
    holder = randomUUID();
    const target = new URL(serverUrl);
    proxy = await tcpProxy({ host: target.hostname, port: Number(target.port || 5672) });
    target.port = String(proxy.port);
    proxied = target.href;
    await desk.open().init([role], []);
  });
  afterEach(async () => {
    await desk.tidy();
    await proxy.close();
  });

  /** Takes one task and waits until it lies in the holding queue, taken from there. */
  const holdLong = async (queue: RabbitQueue, id: string): Promise<void> => {
    const [delivery] = await queue.broker.take(role, 1);
    expect(idOf(delivery)).toBe(id);
    delivery?.holdFor(id);
    await expect.poll(() => handOvers(desk), patient).toBe(1);
    expect(queue.broker.held()).toEqual([id]);
  };

  it('hands over before the time is up, again and again, and lets go at the end', async () => {
    const queue = desk.open({ holder, ackTimeoutMs });
    await submit(queue, { task_id: 'long', priority: 'high' });
    await holdLong(queue, 'long');
    // The time-out of the original and that of the holding queue pass.
    const until = Date.now() + 2.5 * ackTimeoutMs;
    const other = desk.open();
    while (Date.now() < until) expect(await other.broker.take(role, 1)).toEqual([]);
    expect(queue.broker.held()).toEqual(['long']);
    expect(handOvers(desk)).toBeGreaterThanOrEqual(3);
    await complete(queue, 'long');
    await queue.close();
    await nothingLeft(desk, holder);
  });

  it('is found again by its holder after a death', async () => {
    const queue = desk.open({ holder, ackTimeoutMs });
    await submit(queue, { task_id: 'long', priority: 'high' });
    await holdLong(queue, 'long');
    await queue.close();
    const again = await takeOne(desk.open({ holder, ackTimeoutMs }));
    expect(idOf(again)).toBe('long');
    expect(again.redeliveries).toBe(1);
    await again.accept();
    await nothingLeft(desk, holder);
  });

  it('goes back to everybody, as urgent as it was, when its holder stays away', async () => {
    const queue = desk.open({ holder, ackTimeoutMs });
    await submit(queue, { task_id: 'long', priority: 'urgent' });
    await holdLong(queue, 'long');
    await queue.close();
    await submit(desk.open(), { task_id: 'later', priority: 'high' });
    await expect.poll(() => desk.ready(desk.names.taskQueue(role, 'urgent')), patient).toBe(1);
    const [first, second] = await desk.open().broker.take(role, 2);
    expect([idOf(first), first?.redeliveries]).toEqual(['long', 1]);
    expect([idOf(second), second?.redeliveries]).toEqual(['later', 0]);
  });

  it('is held again after the connection was lost, and nobody else gets it', async () => {
    const queue = desk.open({ holder, ackTimeoutMs: 4000, url: proxied });
    await submit(queue, { task_id: 'long' });
    await holdLong(queue, 'long');
    proxy.cut();
    await expect.poll(() => queue.broker.held(), patient).toEqual([]);
    await expect.poll(() => queue.broker.held(), patient).toEqual(['long']);
    expect(await desk.open().broker.take(role, 1)).toEqual([]);
    await complete(queue, 'long');
    await queue.close();
    await nothingLeft(desk, holder);
  });

  it('dies in the end, however often its holder did', async () => {
    await submit(desk.open(), { task_id: 'poison' });
    const counts: number[] = [];
    for (let death = 0; death < 6; death += 1) {
      const queue = desk.open({ holder, ackTimeoutMs });
      const delivery = await takeOne(queue);
      counts.push(delivery.redeliveries);
      delivery.holdFor('poison');
      // Each time it is handed over: the broker's own count begins anew.
      await expect.poll(() => handOvers(desk), patient).toBe(death + 1);
      await queue.close();
    }
    expect(counts).toEqual([0, 1, 2, 3, 4, 5]);
    const last = desk.open({ holder, ackTimeoutMs });
    expect(await last.broker.take(role, 1)).toEqual([]);
    const [letter] = await last.deadLetters(10);
    expect(letter).toMatchObject({ reason: 'handed over 7 times without an end', deliveries: 7 });
  }, 60_000);

  it('goes on where the time-out is set anew', async () => {
    const before = desk.open({ holder, ackTimeoutMs });
    await submit(before, { task_id: 'long' });
    await holdLong(before, 'long');
    await before.close();
    const after = desk.open({ holder, ackTimeoutMs: ackTimeoutMs + 500 });
    (await takeOne(after)).holdFor('long');
    await expect.poll(() => handOvers(desk), patient).toBeGreaterThanOrEqual(2);
    await complete(after, 'long');
    await after.close();
    await nothingLeft(desk, holder);
  });

  it('takes one message of a task that came twice while it was held', async () => {
    const queue = desk.open({ holder, ackTimeoutMs });
    await submit(queue, { task_id: 'long' });
    await holdLong(queue, 'long');
    await submit(queue, { task_id: 'long' });
    const second = await takeOne(queue);
    second.holdFor('long');
    expect(queue.broker.held()).toEqual(['long']);
    await complete(queue, 'long');
    await queue.close();
    await nothingLeft(desk, holder);
  });
});

const handOvers = (desk: Desk): number => desk.said.filter((text) => text.includes('handed over')).length;

async function nothingLeft({ names, ready }: Desk, holder: string): Promise<void> {
  for (const queue of [...names.taskQueues(role), names.holdingQueue(holder, role), names.dead])
    expect([queue, await ready(queue)]).toEqual([queue, 0]);
}

async function takeOne(queue: RabbitQueue): Promise<Delivery> {
  let taken: Delivery | undefined;
  await expect
    .poll(async () => {
      [taken] = await queue.broker.take(role, 1);
      return taken !== undefined;
    }, patient)
    .toBe(true);
  if (!taken) throw new Error('expected a delivery');
  return taken;
}
