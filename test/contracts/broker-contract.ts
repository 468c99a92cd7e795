/** What every broker keeps to, behind the port `Broker`; several clients share one broker, as machines do. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ControlEnvelope, TaskEnvelope } from '../../tools/queues/envelope.ts';
import type { Broker, Delivery } from '../../tools/queues/queue.ts';

/** One machine's connection to the broker. */
export interface BrokerClient {
  broker: Broker;
  /** A task for `coder`. */
  submit(patch: Partial<TaskEnvelope>): Promise<unknown>;
  complete(taskId: string): Promise<unknown>;
  cancel(control: ControlEnvelope): Promise<unknown>;
  /** The machine goes, and with it what it had. */
  leave(): Promise<void>;
}

export interface BrokerUnderTest {
  client(): BrokerClient;
  deadLetters(): Promise<{ id: string | undefined; reason: string }[]>;
  tidy(): Promise<void>;
}

export function brokerContract(name: string, open: () => Promise<BrokerUnderTest>): void {
  describe(`${name} as a broker`, () => {
    let under: BrokerUnderTest;
    let one: BrokerClient;
    let other: BrokerClient;
    beforeEach(async () => {
      under = await open();
      one = under.client();
      other = under.client();
    });
    afterEach(() => under.tidy());

    it('hands over the most urgent first, however late it came, and the eldest of equals', async () => {
      const order = ['low', 'normal', 'urgent', 'normal', 'high', 'urgent'] as const;
      for (const [at, priority] of order.entries())
        await one.submit({ task_id: `${priority}-${at}`, priority });
      const expected = ['urgent-2', 'urgent-5', 'high-4', 'normal-1', 'normal-3', 'low-0'];
      const seen: (string | undefined)[] = [];
      for (;;) {
        const [delivery] = await other.broker.take('coder', 1);
        if (!delivery) break;
        seen.push(idOf(delivery));
        await delivery.accept();
      }
      expect(seen).toEqual(expected);
    });

    it('hands over no more than asked for, and each to one alone', async () => {
      for (const id of ['a', 'b', 'c', 'd', 'e']) await one.submit({ task_id: id });
      expect(await one.broker.take('coder', 0)).toEqual([]);
      const mine = await one.broker.take('coder', 2);
      const theirs = await other.broker.take('coder', 9);
      expect(mine.map(idOf)).toEqual(['a', 'b']);
      expect(theirs.map(idOf)).toEqual(['c', 'd', 'e']);
      expect(await one.broker.take('coder', 9)).toEqual([]);
    });

    it('forgets what was accepted, also when we die, and brings back what was not', async () => {
      for (const id of ['a', 'b']) await one.submit({ task_id: id });
      const [first, second] = await one.broker.take('coder', 2);
      expect(second?.redeliveries).toBe(0);
      await first?.accept();
      await one.leave();
      const again = await takeUntil(other, 1);
      expect(again.map(idOf)).toEqual(['b']);
      expect(again[0]?.redeliveries).toBe(1);
      expect(await other.broker.take('coder', 9)).toEqual([]);
    });

    it('keeps what is held until its completion is sent', async () => {
      await one.submit({ task_id: 'a' });
      const [delivery] = await one.broker.take('coder', 1);
      delivery?.holdFor('a');
      expect(one.broker.held()).toEqual(['a']);
      await one.complete('a');
      expect(one.broker.held()).toEqual([]);
      await one.leave();
      await other.submit({ task_id: 'b' });
      expect((await takeUntil(other, 1)).map(idOf)).toEqual(['b']);
    });

    it('keeps what is held until it is released, where no completion is due', async () => {
      await one.submit({ task_id: 'a' });
      const [delivery] = await one.broker.take('coder', 1);
      delivery?.holdFor('a');
      await one.broker.release('a');
      expect(one.broker.held()).toEqual([]);
      await one.leave();
      await other.submit({ task_id: 'b' });
      expect((await takeUntil(other, 1)).map(idOf)).toEqual(['b']);
    });

    it('brings back what was held when its holder dies', async () => {
      await one.submit({ task_id: 'a' });
      const [delivery] = await one.broker.take('coder', 1);
      delivery?.holdFor('a');
      await one.leave();
      expect((await takeUntil(other, 1)).map(idOf)).toEqual(['a']);
    });

    it('hands over again what was given back, without counting it as a failure', async () => {
      await one.submit({ task_id: 'a', priority: 'high' });
      for (let round = 0; round < 10; round += 1) {
        const [delivery] = await takeUntil(other, 1);
        expect([idOf(delivery), delivery?.redeliveries]).toEqual(['a', 0]);
        await delivery?.giveBack();
      }
      await one.submit({ task_id: 'b', priority: 'normal' });
      expect((await takeUntil(other, 2)).map(idOf)).toEqual(['a', 'b']);
      expect(await under.deadLetters()).toEqual([]);
    });

    it('buries what can never be done, with the reason', async () => {
      await one.submit({ task_id: 'a' });
      const [delivery] = await one.broker.take('coder', 1);
      await delivery?.bury('it is not JSON');
      await one.leave();
      expect(await under.deadLetters()).toEqual([{ id: 'a', reason: 'it is not JSON' }]);
      expect(await other.broker.take('coder', 1)).toEqual([]);
    });

    it('wakes whoever serves the role', async () => {
      const rung = Promise.withResolvers<string | undefined>();
      const takeOne = async (): Promise<void> => {
        const [delivery] = await one.broker.take('coder', 1);
        await delivery?.accept();
        if (delivery) rung.resolve(idOf(delivery));
      };
      const stop = one.broker.onArrival(() => {
        void takeOne().catch(rung.reject);
      });
      await other.submit({ task_id: 'a' });
      expect(await rung.promise).toBe('a');
      stop();
    });

    it('tells every worker what is to be dropped', async () => {
      const heard: string[] = [];
      const control: ControlEnvelope = {
        schema: 'agentq/control/1',
        action: 'cancel',
        task_id: 'a',
        reason: 'changed my mind',
        created_at: new Date().toISOString(),
      };
      const listeners = [one, other];
      for (const [at, client] of listeners.entries())
        client.broker.onCancellation(({ task_id: id, reason }) => heard.push(`${at} ${id} ${reason}`));
      // Who listens later than it was said has missed it: so it is said until both have heard.
      await expect
        .poll(
          async () => {
            await under.client().cancel(control);
            return [...new Set(heard)].sort();
          },
          { timeout: 20_000, interval: 100 },
        )
        .toEqual(['0 a changed my mind', '1 a changed my mind']);
    });
  });
}

/** Brokers notice a death when they notice it. */
async function takeUntil(client: BrokerClient, count: number): Promise<Delivery[]> {
  const taken: Delivery[] = [];
  await expect
    .poll(
      async () => {
        taken.push(...(await client.broker.take('coder', count - taken.length)));
        return taken.length;
      },
      { timeout: 20_000, interval: 20 },
    )
    .toBe(count);
  return taken;
}

function idOf(delivery: Delivery | undefined): string | undefined {
  return delivery && (JSON.parse(delivery.body.toString('utf8')) as TaskEnvelope).task_id;
}
