/** What a network does to a worker of RabbitMQ: through a proxy that cuts, closes and loses answers. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RabbitQueue } from '../../tools/queues/rabbitmq/rabbitmq.ts';
import { type TcpProxy, tcpProxy } from '../fakes/tcp-proxy.ts';
import {
  complete,
  coordinator,
  noBroker,
  type Desk,
  idOf,
  openDesk,
  report,
  role,
  serverUrl,
  submit,
  task,
} from './rabbitmq/desk.ts';

const patient = { timeout: 25_000, interval: 20 };

describe.skipIf(await noBroker())('RabbitMQ over a bad network', () => {
  let desk: Desk;
  let proxy: TcpProxy;
  let shaky: RabbitQueue;
  let steady: RabbitQueue;
  beforeEach(async () => {
    desk = openDesk();
    const target = new URL(serverUrl);
    proxy = await tcpProxy({ host: target.hostname, port: Number(target.port || 5672) });
    target.port = String(proxy.port);
    steady = desk.open();
    await steady.init([role], [coordinator]);
    shaky = desk.open({ url: target.href });
  });
  afterEach(async () => {
    await desk.tidy();
    await proxy.close();
  });

  it('says so at once while there is no broker, and works again by itself when there is', async () => {
    proxy.open(false);
    await expect(shaky.check()).rejects.toMatchObject({ code: 'QUEUE_UNAVAILABLE' });
    for (const call of [
      () => shaky.broker.take(role, 1),
      () => submit(shaky),
      () => shaky.takeCompletions(coordinator, 1),
      () => shaky.deadLetters(1),
      () => shaky.init([], []),
    ])
      await expect(call()).rejects.toMatchObject({ code: 'QUEUE_UNAVAILABLE' });
    proxy.open(true);
    await expect.poll(() => works(() => submit(shaky, { task_id: 'a' })), patient).toBe(true);
    expect((await steady.broker.take(role, 1)).map(idOf)).toEqual(['a']);
  });

  it('loses nothing when the connection is cut: what was taken comes back and is counted', async () => {
    for (const id of ['a', 'b', 'c']) await submit(steady, { task_id: id });
    const before = await shaky.broker.take(role, 2);
    expect(before.map(idOf)).toEqual(['a', 'b']);
    proxy.cut();
    // Of no use any more, and no harm either.
    await before[0]?.accept();
    const again: [string | undefined, number][] = [];
    await expect
      .poll(async () => {
        const taken = await shaky.broker.take(role, 9).catch(() => []);
        for (const delivery of taken) {
          again.push([idOf(delivery), delivery.redeliveries]);
          await delivery.accept();
        }
        return again.length;
      }, patient)
      .toBe(3);
    // The first may have been acknowledged before the connection was gone for the broker; it was not here.
    expect(again.toSorted(([a = ''], [b = '']) => a.localeCompare(b))).toEqual([
      ['a', 1],
      ['b', 1],
      ['c', 0],
    ]);
  });

  it('is woken by a reconnection, since it may have missed something, and by what comes later', async () => {
    const seen: string[] = [];
    const look = async (): Promise<void> => {
      for (const delivery of await shaky.broker.take(role, 1)) {
        await delivery.accept();
        seen.push(String(idOf(delivery)));
      }
    };
    // While there is no connection a look fails; the next ring brings the next.
    shaky.broker.onArrival(() => void look().catch(() => undefined));
    await submit(steady, { task_id: 'a' });
    await expect.poll(() => seen, patient).toEqual(['a']);
    proxy.open(false);
    proxy.cut();
    await submit(steady, { task_id: 'b' });
    proxy.open(true);
    await expect.poll(() => seen, patient).toEqual(['a', 'b']);
    await submit(steady, { task_id: 'c' });
    await expect.poll(() => seen, patient).toEqual(['a', 'b', 'c']);
    expect(proxy.accepted()).toBeGreaterThanOrEqual(2);
  });

  it('looks again by itself: what a dead worker gives back rings nowhere', async () => {
    const watchful = desk.open({ sweepMs: 100 });
    const seen = Promise.withResolvers<string | undefined>();
    await submit(steady, { task_id: 'a' });
    await shaky.broker.take(role, 1);
    let looks = 0;
    const look = async (): Promise<void> => {
      const [delivery] = await watchful.broker.take(role, 1);
      looks += 1;
      if (delivery) seen.resolve(idOf(delivery));
    };
    watchful.broker.onArrival(() => void look().catch(seen.reject));
    await expect.poll(() => looks, patient).toBeGreaterThan(0);
    proxy.cut();
    expect(await seen.promise).toBe('a');
  });

  it('hears of cancellations again after a reconnection', async () => {
    const heard: string[] = [];
    shaky.broker.onCancellation((control) => heard.push(control.task_id));
    const cancelUntilHeard = (id: string): Promise<void> =>
      expect
        .poll(async () => {
          await report(steady, {
            kind: 'cancellation',
            envelope: {
              schema: 'agentq/control/1',
              action: 'cancel',
              task_id: id,
              reason: '',
              created_at: new Date().toISOString(),
            },
          });
          return heard.includes(id);
        }, patient)
        .toBe(true);
    await cancelUntilHeard('a');
    proxy.cut();
    await cancelUntilHeard('b');
  });

  it('is not confused by control messages that are none', async () => {
    const heard: string[] = [];
    steady.broker.onCancellation((control) => heard.push(control.task_id));
    const channel = await desk.channel();
    await expect
      .poll(async () => {
        for (const text of ['nonsense', '{"action":"explode"}', '{}'])
          channel.publish(desk.names.exchange, 'control.cancel', Buffer.from(text));
        const good = { action: 'cancel', task_id: 'a', created_at: new Date().toISOString() };
        channel.publish(desk.names.exchange, 'control.cancel', Buffer.from(JSON.stringify(good)));
        return heard.includes('a');
      }, patient)
      .toBe(true);
    expect(new Set(heard)).toEqual(new Set(['a']));
  });

  it('does not know what became of a task whose confirm was lost; sent again it is the same task', async () => {
    await submit(shaky, { task_id: 'first' });
    const envelope = task({ task_id: 'second' });
    proxy.loseAnswers();
    const sending = report(shaky, { kind: 'task', envelope }).catch((error: unknown) => error);
    await expect.poll(() => desk.ready(desk.names.taskQueue(role, 'normal')), patient).toBe(2);
    proxy.cut();
    expect(await sending).toMatchObject({ code: 'QUEUE_UNAVAILABLE' });
    await expect.poll(() => works(() => report(shaky, { kind: 'task', envelope })), patient).toBe(true);
    expect((await steady.broker.take(role, 9)).map(idOf)).toEqual(['first', 'second', 'second']);
  });

  it('keeps a held message when the confirm of its completion was lost, until it is sent again', async () => {
    await submit(steady, { task_id: 'a' });
    const [delivery] = await shaky.broker.take(role, 1);
    delivery?.holdFor('a');
    await complete(shaky, 'warm-up');
    proxy.loseAnswers();
    const sending = complete(shaky, 'a').catch((error: unknown) => error);
    await expect.poll(() => desk.ready(desk.names.resultsQueue(coordinator)), patient).toBe(2);
    proxy.cut();
    expect(await sending).toMatchObject({ code: 'QUEUE_UNAVAILABLE' });
    // It comes back, to whoever is there; who knows the task by its id accepts it without a run.
    let again = await steady.broker.take(role, 1);
    await expect
      .poll(async () => {
        if (again.length === 0) again = await steady.broker.take(role, 1);
        return again.map(idOf);
      }, patient)
      .toEqual(['a']);
    await again[0]?.accept();
  });

  it('gives up a connection on which the broker is silent', async () => {
    const target = new URL(serverUrl);
    target.port = String(proxy.port);
    const hasty = desk.open({ url: target.href, patienceMs: 500 });
    await submit(hasty, { task_id: 'a' });
    proxy.loseAnswers();
    await expect(hasty.broker.take(role, 1)).rejects.toMatchObject({ code: 'QUEUE_UNAVAILABLE' });
    const stuck = proxy.accepted();
    proxy.hear();
    await expect.poll(() => works(() => hasty.check()), patient).toBe(true);
    expect(proxy.accepted()).toBeGreaterThan(stuck);
    await expect.poll(async () => (await hasty.broker.take(role, 1)).map(idOf), patient).toEqual(['a']);
  });

  it('ends in bounded time though nobody answers', async () => {
    await submit(shaky, { task_id: 'a' });
    proxy.loseAnswers();
    await shaky.close();
    await expect(shaky.check()).rejects.toMatchObject({ code: 'QUEUE_UNAVAILABLE' });
  });
});

async function works(act: () => Promise<unknown>): Promise<boolean> {
  return act().then(
    () => true,
    () => false,
  );
}
