/** Part of the store contract; see `store-contract.ts`. What several at once do to the same store. */
import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Store } from '../../../tools/store/store.ts';
import { noon } from '../../worker/examples.ts';
import type { StoreDesk } from './desk.ts';

export function sharingContract(desk: StoreDesk): void {
  describe('several at once', () => {
    test('claims by many connections take each task once, and leave none', async () => {
      const stores = [desk.store, await desk.connect(), await desk.connect(), await desk.connect()];
      for (let index = 0; index < 40; index += 1) await desk.insert({ position: index });
      const taken = await Promise.all(
        stores.flatMap((store, index) => Array.from({ length: 3 }, () => claimUntilNone(store, `w${index}`))),
      );
      const ids = taken.flat();
      expect(ids).toHaveLength(40);
      expect(new Set(ids).size).toBe(40);
      for (const id of ids) {
        const events = await desk.store.read((tables) => tables.events.list(id));
        expect(events.map(({ type }) => type)).toEqual(['queued', 'running']);
        expect(await desk.store.read(({ attempts }) => attempts.list(id))).toHaveLength(1);
      }
    });

    test('whoever claims first gets what is most urgent, however many claim', async () => {
      for (const priority of [4, 2, 3, 1])
        await desk.insert({ id: `p${priority}`, nativeId: `p${priority}`, priority, ordinal: priority });
      const other = await desk.connect();
      const [one, two] = await Promise.all([claim(desk.store, 'w1'), claim(other, 'w2')]);
      expect(new Set([one, two])).toEqual(new Set(['p1', 'p2']));
      expect(await claim(desk.store, 'w1')).toBe('p3');
      expect(await claim(other, 'w2')).toBe('p4');
      expect(await claim(other, 'w2')).toBeUndefined();
    });

    test('a task whose last attempt has not ended is claimed by nobody', async () => {
      const task = await desk.insert();
      const attemptId = await startAttempt(desk.store, task.id);
      expect(await claim(desk.store, 'w1')).toBeUndefined();
      await desk.store.transaction(({ attempts }) =>
        attempts.finish(attemptId, {
          result: 'cancelled',
          failureKind: null,
          failureCode: null,
          message: null,
          spent: false,
          cost: 0,
          turns: null,
          denials: [],
          artifacts: [],
          endedAt: noon,
        }),
      );
      expect(await claim(desk.store, 'w1')).toBe(task.id);
    });

    test('of many that want to lead a queue at once one does', async () => {
      const other = await desk.connect();
      const led = await Promise.all(
        Array.from({ length: 12 }, (_, index) =>
          (index % 2 === 0 ? desk.store : other).transaction(({ workers }) =>
            workers.lead('todoist', `w${index}`, noon, 100),
          ),
        ),
      );
      expect(led.filter(Boolean)).toHaveLength(1);
    });

    test('of many at once one that throws is undone alone', async () => {
      const outcomes = await Promise.allSettled(
        Array.from({ length: 120 }, (_, index) =>
          desk.store.transaction(async ({ settings }) => {
            await settings.set(`key ${index}`, 'here');
            if (index % 10 === 3) throw new Error(`bug ${index}`);
            return index;
          }),
        ),
      );
      for (const [index, outcome] of outcomes.entries()) {
        const expected =
          index % 10 === 3
            ? { status: 'rejected', reason: new Error(`bug ${index}`) }
            : { status: 'fulfilled', value: index };
        expect(outcome).toEqual(expected);
        const kept = await desk.store.read(({ settings }) => settings.get(`key ${index}`));
        expect(kept).toBe(index % 10 === 3 ? undefined : 'here');
      }
    });

    test('one whose statement fails takes no other along', async () => {
      const task = await desk.insert();
      const outcomes = await Promise.allSettled([
        desk.insert({ title: 'before' }),
        desk.insert({ ...task }),
        desk.insert({ title: 'after' }),
      ]);
      expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
      const kept = await desk.store.read(({ tasks }) => tasks.list());
      expect(kept.map(({ title }) => title).toSorted()).toEqual(['after', 'before', task.title].toSorted());
    });

    test('what another connection reads was committed', async () => {
      const other = await desk.connect();
      await desk.store.transaction(({ settings }) => settings.set('told', 'yes'));
      expect(await other.read(({ settings }) => settings.get('told'))).toBe('yes');
    });

    test('a name is held by one at a time, to the end of its transaction', async () => {
      const other = await desk.connect();
      let inside = 0;
      let most = 0;
      await Promise.all(
        Array.from({ length: 10 }, (_, index) =>
          (index % 2 === 0 ? desk.store : other).transaction(async ({ lock, settings }) => {
            await lock('door');
            inside += 1;
            most = Math.max(most, inside);
            await settings.get('anything');
            inside -= 1;
          }, 'claim'),
        ),
      );
      expect(most).toBe(1);
    });

    test('ids that begin alike are ordered and found by their characters, not by a language', async () => {
      const ids = ['task-B', 'task-a', 'task-_', 'task-Z1', 'task-\u00e9', 'task 1'];
      for (const id of ids) await desk.insert({ id, nativeId: `n ${id}` });
      const listed = await desk.store.read(({ tasks }) => tasks.list());
      expect(listed.map(({ id }) => id)).toEqual(ids.toSorted());
      const found = await desk.store.read(({ tasks }) => tasks.matching('task-Z'));
      expect(found.map(({ id }) => id)).toEqual(['task-Z1']);
    });
  });
}

async function startAttempt(on: Store, taskId: string): Promise<string> {
  const id = randomUUID();
  await on.transaction(({ attempts }) =>
    attempts.start({
      id,
      taskId,
      round: 1,
      workerId: 'w',
      agent: 'sample',
      sessionId: 's',
      resumed: false,
      budget: null,
      startedAt: noon,
    }),
  );
  return id;
}

/** As the worker claims: the first ready task, its attempt, and its state, in one. */
function claim(on: Store, worker: string): Promise<string | undefined> {
  return on.transaction(async ({ tasks, attempts }) => {
    await tasks.promote(noon);
    const next = await tasks.firstReady('writer', ['local', 'todoist']);
    if (!next) return undefined;
    const attemptId = randomUUID();
    await attempts.start({
      id: attemptId,
      taskId: next.id,
      round: 1,
      workerId: worker,
      agent: 'sample',
      sessionId: 's',
      resumed: false,
      budget: null,
      startedAt: noon,
    });
    await tasks.move(next, 'running', { attemptId, workerId: worker, leaseUntil: noon + 1 }, noon);
    return next.id;
  }, 'claim');
}

async function claimUntilNone(on: Store, worker: string): Promise<string[]> {
  const ids: string[] = [];
  for (;;) {
    const id = await claim(on, worker);
    if (id === undefined) return ids;
    ids.push(id);
  }
}
