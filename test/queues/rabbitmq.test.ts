/** RabbitMQ behind the ports, on the real server. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RabbitQueue } from '../../tools/queues/rabbitmq/rabbitmq.ts';
import { brokerContract } from '../contracts/broker-contract.ts';
import { queueContract } from '../contracts/queue-contract.ts';
import {
  complete,
  coordinator,
  noBroker,
  type Desk,
  idOf,
  openDesk,
  report,
  role,
  submit,
  task,
} from './rabbitmq/desk.ts';

describe.skipIf(await noBroker())('RabbitMQ behind the ports', () => {
  queueContract({
    name: 'rabbitmq',
    supports: { poll: false, editComments: false },
    open: async () => ({ queue: openDesk().open() }),
  });

  brokerContract('RabbitMQ', async () => {
    const desk = openDesk();
    await desk.open().init([role], [coordinator]);
    return {
      client: () => {
        const queue = desk.open();
        return {
          broker: queue.broker,
          submit: (patch) => submit(queue, patch),
          complete: (id) => complete(queue, id),
          cancel: (control) => report(queue, { kind: 'cancellation', envelope: control }),
          leave: () => queue.close(),
        };
      },
      deadLetters: async () =>
        (await desk.open().deadLetters(10)).map((letter) => ({ id: idOf(letter), reason: letter.reason })),
      tidy: () => desk.tidy(),
    };
  });
});

describe.skipIf(await noBroker())('RabbitMQ', () => {
  let desk: Desk;
  let queue: RabbitQueue;
  beforeEach(async () => {
    desk = openDesk();
    queue = desk.open();
    await queue.init([role], [coordinator]);
  });
  afterEach(() => desk.tidy());

  it('lets a task die at the broker when its time is over, and says why', async () => {
    await submit(queue, {
      task_id: 'short',
      ttl_seconds: 1,
      created_at: new Date(Date.now() - 700).toISOString(),
    });
    await expect.poll(() => desk.ready(desk.names.dead), { timeout: 20_000 }).toBe(1);
    expect(await queue.broker.take(role, 1)).toEqual([]);
    const [letter] = await queue.deadLetters(10);
    expect(letter).toMatchObject({ reason: 'expired', queue: desk.names.taskQueue(role, 'normal') });
    expect(idOf(letter)).toBe('short');
    expect(Math.abs(Date.now() - (letter?.at ?? 0))).toBeLessThan(60_000);
  });

  it('publishes nothing whose time has passed', async () => {
    const late = { ttl_seconds: 1, created_at: new Date(Date.now() - 5000).toISOString() };
    await expect(submit(queue, late)).rejects.toMatchObject({ code: 'QUEUE_REJECTED' });
    expect(await desk.ready(desk.names.taskQueue(role, 'normal'))).toBe(0);
  });

  it('refuses a task for a role that has no queue, and says what to do', async () => {
    const error = await submit(queue, { to: 'nobody' }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'QUEUE_REJECTED', message: expect.stringContaining('task.nobody') });
    expect(String((error as { hints: string[] }).hints)).toContain('agentq init');
  });

  it('makes the results queue for a completion that nobody waits for yet', async () => {
    const channel = await desk.channel();
    await channel.deleteQueue(desk.names.resultsQueue(coordinator));
    expect(await complete(queue, 'a')).toEqual({ status: 'sent' });
    const items = await desk.open().takeCompletions(coordinator, 5);
    expect(items.map(({ body }) => body)).toMatchObject([{ task_id: 'a', status: 'completed' }]);
  });

  it('gives each completion once, and those that were not accepted again', async () => {
    for (const id of ['a', 'b', 'c']) await complete(queue, id);
    const channel = await desk.channel();
    channel.publish(desk.names.exchange, `results.${coordinator}`, Buffer.from('nonsense'));
    await expect.poll(() => desk.ready(desk.names.resultsQueue(coordinator))).toBe(4);
    const items = await queue.takeCompletions(coordinator, 10);
    expect(items.map(({ body }) => ('task_id' in body ? body.task_id : body.code))).toEqual([
      'a',
      'b',
      'c',
      'BAD_INPUT',
    ]);
    expect(await desk.open().takeCompletions(coordinator, 10)).toEqual([]);
    await items[0]?.accept();
    await items[1]?.back();
    await items[2]?.accept();
    await items[3]?.accept();
    const again = await desk.open().takeCompletions(coordinator, 10);
    expect(again.map(({ body }) => body)).toMatchObject([{ task_id: 'b' }]);
  });

  it('waits for a completion no longer than it is told', async () => {
    expect(await queue.waitForCompletion(coordinator, 50)).toBe(false);
    const waiting = queue.waitForCompletion(coordinator, 20_000);
    await complete(desk.open(), 'a');
    expect(await waiting).toBe(true);
    // It is still there to be taken.
    expect(await queue.waitForCompletion(coordinator, 0)).toBe(true);
  });

  it('shows dead letters without taking them, and removes those of one task', async () => {
    for (const id of ['a', 'b']) await submit(queue, { task_id: id });
    for (const delivery of await queue.broker.take(role, 2)) await delivery.bury('poison');
    for (let round = 0; round < 3; round += 1)
      expect((await queue.deadLetters(10)).map(idOf)).toEqual(['a', 'b']);
    expect(await queue.deadLetters(1)).toHaveLength(1);
    expect(await queue.removeDeadLetter('a')).toBe(1);
    expect(await queue.removeDeadLetter('a')).toBe(0);
    expect(await queue.deadLetters(10)).toMatchObject([
      { reason: 'poison', queue: desk.names.taskQueue(role, 'normal'), deliveries: 1 },
    ]);
  });

  it('takes what other programs sent, whatever it is', async () => {
    const channel = await desk.channel();
    channel.publish(desk.names.exchange, `task.${role}`, Buffer.from('not even JSON'));
    await expect.poll(() => desk.ready(desk.names.taskQueue(role, 'normal'))).toBe(1);
    const [delivery] = await queue.broker.take(role, 1);
    expect(delivery?.body.toString()).toBe('not even JSON');
    await delivery?.bury('no task');
    expect(await queue.deadLetters(10)).toMatchObject([{ reason: 'no task' }]);
  });

  it('gives the broker the task as it is, unknown fields too', async () => {
    const envelope = task({ task_id: 'a', 'x-colour': 'green' });
    await report(queue, { kind: 'task', envelope });
    const [delivery] = await queue.broker.take(role, 1);
    expect(JSON.parse(String(delivery?.body))).toEqual(envelope);
  });

  it('makes a task one message more when it is sent again, known by its id', async () => {
    const envelope = task({ task_id: 'a' });
    for (const times of [1, 2]) {
      await report(queue, { kind: 'task', envelope });
      expect(await desk.ready(desk.names.taskQueue(role, 'normal'))).toBe(times);
    }
    const both = await queue.broker.take(role, 2);
    expect(both.map(idOf)).toEqual(['a', 'a']);
    // Holding the second for the same task lets go of the first.
    for (const delivery of both) delivery.holdFor('a');
    await complete(queue, 'a');
    await queue.close();
    expect(await desk.ready(desk.names.taskQueue(role, 'normal'))).toBe(0);
  });
});
