/** Part of the store contract; see `store-contract.ts`. */
import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Store } from '../../../tools/store/store.ts';
import { exampleComment, exampleItem, exampleTask, noon } from '../../worker/examples.ts';
import type { StoreDesk } from './desk.ts';

export function transactionsContract(desk: StoreDesk): void {
  describe('transactions', () => {
    test('of one that throws nothing stays: neither items, nor comments, nor the cursor, nor tasks', async () => {
      const work = desk.store.transaction(async ({ mirror, tasks, reports, settings }) => {
        const task = exampleTask();
        await tasks.insert(task, noon);
        await mirror.saveItem('todoist', exampleItem());
        await mirror.saveComment(exampleComment('hello'));
        await mirror.saveCursor('todoist', 'c1', noon);
        await settings.set('x', 'y');
        await reports.add(
          {
            id: 'r',
            taskId: task.id,
            attemptId: null,
            queue: 'todoist',
            body: { kind: 'label', label: null },
          },
          noon,
        );
        throw new Error('a bug');
      });
      await expect(work).rejects.toThrow('a bug');
      const left = await desk.store.read(async ({ mirror, tasks, reports, settings }) => [
        await tasks.list(),
        await mirror.items('todoist'),
        await mirror.comments('todoist', 'n1'),
        await mirror.cursor('todoist'),
        await settings.get('x'),
        await reports.pending(),
      ]);
      expect(left).toEqual([[], [], [], undefined, undefined, 0]);
    });

    test('after one that failed in the database the next one works', async () => {
      const task = await desk.insert();
      await expect(desk.insert({ ...task })).rejects.toBeInstanceOf(Error);
      await desk.insert({ title: 'another' });
      expect(await desk.store.read(({ tasks }) => tasks.list())).toHaveLength(2);
    });

    test('those of one connection run one after the other, those of two lose nothing', async () => {
      const other = await desk.connect();
      await Promise.all(
        Array.from({ length: 40 }, (_, index) => count(index % 2 === 0 ? desk.store : other)),
      );
      expect(await desk.store.read(({ settings }) => settings.get('count'))).toBe('40');
    });

    test('one task is claimed by one of two, however often they try', async () => {
      const other = await desk.connect();
      for (let index = 0; index < 20; index += 1) await desk.insert({ position: index });
      const taken = await Promise.all(
        Array.from({ length: 30 }, (_, index) =>
          index % 2 === 0 ? claim(desk.store, 'w1') : claim(other, 'w2'),
        ),
      );
      const ids = taken.filter((id) => id !== undefined);
      expect(ids).toHaveLength(20);
      expect(new Set(ids).size).toBe(20);
    });

    test('the store has one id for all who open it', async () => {
      const other = await desk.connect();
      expect(desk.store.id).toMatch(/^[0-9a-f]{8}$/);
      expect(other.id).toBe(desk.store.id);
    });
  });
}

function count(on: Store): Promise<void> {
  return on.transaction(async ({ settings }) => {
    const before = Number((await settings.get('count')) ?? 0);
    await settings.set('count', String(before + 1));
  });
}

function claim(on: Store, worker: string): Promise<string | undefined> {
  return on.transaction(async ({ tasks }) => {
    const next = await tasks.firstReady('writer', ['local', 'todoist']);
    if (next) await tasks.move(next, 'running', { attemptId: randomUUID(), workerId: worker }, noon);
    return next?.id;
  });
}
