/** Part of the store contract; see `store-contract.ts`. */
import { describe, expect, test } from 'vitest';
import type { Task } from '../../../tools/store/tasks.ts';
import { noon } from '../../worker/examples.ts';
import type { StoreDesk } from './desk.ts';

export function reportsContract(desk: StoreDesk): void {
  const add = (task: Task, id: string, text = id): Promise<void> =>
    desk.store.transaction(({ reports }) =>
      reports.add(
        { id, taskId: task.id, attemptId: null, queue: task.queue, body: { kind: 'comment', text } },
        noon,
      ),
    );
  const due = async (now = noon, limit?: number): Promise<string[]> =>
    (await desk.store.read(({ reports }) => reports.due('todoist', now, limit))).map(({ id }) => id);

  const isOurs = (queue: string, id: string): Promise<boolean> =>
    desk.store.read(({ reports }) => reports.isOurs(queue, id));

  describe('reports', () => {
    test('saying it twice is one report, and the first text stays', async () => {
      const task = await desk.insert();
      await add(task, 'r1', 'first');
      const before = await desk.store.read(({ reports }) => reports.get('r1'));
      await add(task, 'r1', 'second');
      expect(await desk.store.read(({ reports }) => reports.get('r1'))).toEqual(before);
      expect(before).toMatchObject({ body: { text: 'first' }, state: 'pending', tries: 0, command: null });
      expect(before?.uuid).toMatch(/^[0-9a-f-]{36}$/);
    });

    test('of one task they go out one at a time and in order; tasks do not wait for each other', async () => {
      const [one, two] = [await desk.insert(), await desk.insert()];
      for (const id of ['one-a', 'one-b']) await add(one, id);
      await add(two, 'two-a');
      expect(await due()).toEqual(['one-a', 'two-a']);
      await desk.store.transaction(({ reports }) => reports.postpone('one-a', noon + 10, '503'));
      expect(await due()).toEqual(['two-a']);
      expect(await due(noon + 9)).toEqual(['two-a']);
      expect(await due(noon + 10)).toEqual(['one-a', 'two-a']);
      expect(await due(noon + 10, 1)).toEqual(['one-a']);
      await desk.store.transaction(({ reports }) => reports.sent('one-a', 'c1', noon + 11));
      expect(await due(noon + 11)).toEqual(['one-b', 'two-a']);
      await desk.store.transaction(({ reports }) => reports.drop('one-b', 'refused'));
      expect(await due(noon + 11)).toEqual(['two-a']);
      expect(await desk.store.read(({ reports }) => reports.due('local', noon))).toEqual([]);
    });

    test('the write is kept as it was sent, and every try counts', async () => {
      const task = await desk.insert();
      await add(task, 'r1');
      const command = { type: 'note_add', uuid: 'u', args: { content: 'ü "x"' } };
      await desk.store.transaction(({ reports }) => reports.saveCommand('r1', command));
      await desk.store.transaction(({ reports }) => reports.saveCommand('r1', command));
      expect(await desk.store.read(({ reports }) => reports.get('r1'))).toMatchObject({ command, tries: 2 });
    });

    test('what was sent is known by its comment, and no second report can claim that comment', async () => {
      const task = await desk.insert();
      await add(task, 'r1');
      await add(task, 'r2');
      await desk.store.transaction(({ reports }) => reports.sent('r1', 'c1', noon));
      expect([
        await isOurs('todoist', 'c1'),
        await isOurs('todoist', 'c2'),
        await isOurs('local', 'c1'),
      ]).toEqual([true, false, false]);
      await expect(
        desk.store.transaction(({ reports }) => reports.sent('r2', 'c1', noon)),
      ).rejects.toBeInstanceOf(Error);
    });

    test('dropping what is unsent leaves what was sent, and other tasks', async () => {
      const [one, two] = [await desk.insert(), await desk.insert()];
      for (const id of ['sent', 'unsent']) await add(one, id);
      await add(two, 'other');
      await desk.store.transaction(({ reports }) => reports.sent('sent', undefined, noon));
      expect(await desk.store.transaction(({ reports }) => reports.dropUnsent(one.id, 'it was closed'))).toBe(
        1,
      );
      const told = await desk.store.read(async ({ reports }) =>
        (await reports.list(one.id)).map(({ id, state, problem }) => [id, state, problem]),
      );
      expect(told).toEqual([
        ['sent', 'sent', null],
        ['unsent', 'dropped', 'it was closed'],
      ]);
      expect(await desk.store.read(({ reports }) => reports.pending())).toBe(1);
      expect(await desk.store.read(({ reports }) => reports.pending('local'))).toBe(0);
      expect(await desk.store.read(({ reports }) => reports.pendingFor(two.id))).toHaveLength(1);
    });
  });
}
