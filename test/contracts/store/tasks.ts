/** Part of the store contract; see `store-contract.ts`. */
import { describe, expect, test } from 'vitest';
import { states, transitions } from '../../../tools/store/states.ts';
import type { Store } from '../../../tools/store/store.ts';
import { noDue, ordinalOf, type Task } from '../../../tools/store/tasks.ts';
import { dayMs, exampleTask, hourMs, noon } from '../../worker/examples.ts';
import type { StoreDesk } from './desk.ts';

export function tasksContract(desk: StoreDesk): void {
  const runningOf = async (worker?: string): Promise<string[]> =>
    (await desk.store.read(({ tasks }) => tasks.running(worker))).map(({ id }) => id).toSorted();
  const matching = async (ref: string): Promise<string[]> =>
    (await desk.store.read(({ tasks }) => tasks.matching(ref))).map(({ id }) => id).toSorted();

  describe('tasks', () => {
    test('what is inserted is read back whole, whatever stands in it', async () => {
      const task = await desk.insert({
        title: `"';-- \\ \u{1F984} ${'x'.repeat(70_000)}`,
        description: 'two\nlines\ttab',
        priority: 1,
        dueAt: noon + 0.5 * hourMs,
        deadlineAt: noon + dayMs,
        submitKey: 'k',
        sessionId: 's',
        sessionCost: 0.125,
        sessionUsable: true,
        cost: 1.5,
        note: '',
        failureKind: 'transient',
        occurrence: '2026-03-03',
        turn: { kind: 'decision', decision: 'approve', rules: ['Bash(a "b")'], text: 'go' },
        meta: {
          rounds: 2,
          asked: ['Bash(x)'],
          result: { ref: 'results/a.md', manifestSha256: 'f', summary: 's' },
        },
        parentId: 'todoist:1',
      });
      expect(await desk.get(task.id)).toEqual(task);
      expect(await desk.store.read(({ tasks }) => tasks.byNativeId(task.queue, task.nativeId))).toEqual(task);
      expect(await desk.store.read(({ tasks }) => tasks.byNativeId('local', task.nativeId))).toBeUndefined();
    });

    const pairs = states.flatMap((from) => states.map((to) => [from, to] as const));
    const legal = pairs.filter(([from, to]) => transitions[from].includes(to));
    const illegal = pairs.filter(([from, to]) => !transitions[from].includes(to));

    test.each(legal)('%s → %s is allowed, and told as an event', async (from, to) => {
      const task = await desk.insert({ state: from, attemptId: 'a1', workerId: 'w1', leaseUntil: noon + 1 });
      await desk.move(task, to, { note: 'because' });
      const moved = await desk.get(task.id);
      expect(moved).toMatchObject({ state: to, note: 'because' });
      const holder = {
        attemptId: moved?.attemptId,
        workerId: moved?.workerId,
        leaseUntil: moved?.leaseUntil,
      };
      expect(holder).toEqual(
        to === 'running'
          ? { attemptId: 'a1', workerId: 'w1', leaseUntil: noon + 1 }
          : { attemptId: null, workerId: null, leaseUntil: null },
      );
      const events = await desk.store.read((tables) => tables.events.list(task.id));
      expect(events.map(({ type, data }) => [type, data['from']])).toEqual([
        [from, undefined],
        [to, from],
      ]);
    });

    test.each(illegal)('%s → %s is refused, and changes nothing', async (from, to) => {
      const task = await desk.insert({ state: from });
      await expect(desk.move(task, to, { note: 'no' })).rejects.toMatchObject({ code: 'ILLEGAL_TRANSITION' });
      expect(await desk.get(task.id)).toEqual(task);
      expect(await desk.store.read((tables) => tables.events.list(task.id))).toHaveLength(1);
    });

    test('a move from a state that was left in the meantime is refused', async () => {
      const seen = await desk.insert();
      await desk.move(seen, 'running', { attemptId: 'a1' });
      await expect(desk.move(seen, 'running', { attemptId: 'a2' })).rejects.toMatchObject({
        code: 'ILLEGAL_TRANSITION',
      });
      expect(await desk.get(seen.id)).toMatchObject({ state: 'running', attemptId: 'a1' });
    });

    test('patching changes facts and never the state; an unknown task is an error', async () => {
      const task = await desk.insert();
      await desk.store.transaction(({ tasks }) => tasks.patch(task.id, { cost: 3 }, noon + 1));
      expect(await desk.get(task.id)).toEqual({ ...task, cost: 3, updatedAt: noon + 1 });
      await expect(
        desk.store.transaction(({ tasks }) => tasks.patch('nobody', { cost: 3 }, noon)),
      ).rejects.toMatchObject({ code: 'NOT_FOUND' });
    });

    test('only tasks of the queues that are asked for are ready', async () => {
      const { queue, id } = await desk.insert();
      const first = async (queues: string[]): Promise<string | undefined> =>
        (await desk.store.read(({ tasks }) => tasks.firstReady('writer', queues)))?.id;
      expect(await first(['another'])).toBeUndefined();
      expect(await first([queue])).toBe(id);
    });

    test('the next task is the one of the lowest rank, then priority, due date, place, and id', async () => {
      const base = { ordinal: 5, priority: 2, dueAt: noon, position: 3 };
      const rows: [string, Partial<Task>][] = [
        ['waits longest', { ...base, ordinal: 4, priority: 4, dueAt: noDue, position: 9 }],
        ['more urgent', { ...base, priority: 1, dueAt: noDue, position: 9 }],
        ['due earlier', { ...base, dueAt: noon - 1, position: 9 }],
        ['higher in the list', { ...base, position: 2 }],
        ['a', base],
        ['b', base],
      ];
      for (const [id, patch] of rows.toReversed()) await desk.insert({ id, nativeId: id, ...patch });
      await desk.insert({ id: 'other role', nativeId: 'o', role: 'reviewer', ordinal: 0 });
      const order: string[] = [];
      for (;;) {
        const next = await desk.store.read(({ tasks }) => tasks.firstReady('writer', ['local', 'todoist']));
        if (!next) break;
        expect(await desk.store.read(({ tasks }) => tasks.ahead(next))).toBe(0);
        order.push(next.id);
        await desk.move(next, 'cancelled');
      }
      expect(order).toEqual(rows.map(([id]) => id));
    });

    test('a day of waiting lifts a task by one priority, so that nothing starves', () => {
      const old = ordinalOf(4, noon - 4 * dayMs);
      expect(old).toBeLessThan(ordinalOf(1, noon));
      expect(ordinalOf(4, noon - 2 * dayMs)).toBeGreaterThan(ordinalOf(1, noon));
    });

    test('a delayed task is not ready until its time has come', async () => {
      await desk.insert({ id: 'later', availableAt: noon + 10 });
      const ready = (): Promise<Task | undefined> =>
        desk.store.read(({ tasks }) => tasks.firstReady('writer', ['local', 'todoist']));
      const promote = (now: number): Promise<number> =>
        desk.store.transaction(({ tasks }) => tasks.promote(now));
      expect(await ready()).toBeUndefined();
      expect(await desk.store.read(({ tasks }) => tasks.nextAvailableAt())).toBe(noon + 10);
      expect(await promote(noon + 9)).toBe(0);
      expect(await ready()).toBeUndefined();
      expect(await promote(noon + 10)).toBe(1);
      expect((await ready())?.id).toBe('later');
      expect(await desk.store.read(({ tasks }) => tasks.nextAvailableAt())).toBeUndefined();
    });

    test('only what waits or runs can be overdue', async () => {
      for (const state of states) await desk.insert({ id: state, nativeId: state, state, deadlineAt: noon });
      await desk.insert({ id: 'in time', nativeId: 't', deadlineAt: noon + 1 });
      await desk.insert({ id: 'no deadline', nativeId: 'd' });
      const late = await desk.store.read(({ tasks }) => tasks.overdue(noon));
      expect(late.map(({ id }) => id).toSorted()).toEqual(['queued', 'running', 'waiting']);
    });

    test('running tasks are found by their worker', async () => {
      await desk.insert({ id: 'mine', nativeId: 'a', state: 'running', workerId: 'w1' });
      await desk.insert({ id: 'theirs', nativeId: 'b', state: 'running', workerId: 'w2' });
      await desk.insert({ id: 'queued', nativeId: 'c' });
      expect(await runningOf('w1')).toEqual(['mine']);
      expect(await runningOf()).toEqual(['mine', 'theirs']);
    });

    test('a submit key belongs to one task, also when two submit at once', async () => {
      const other = await desk.connect();
      const [first, second] = await Promise.all([submit(desk.store, 'one'), submit(other, 'two')]);
      expect(first).toBe(second);
      expect(await desk.store.read(({ tasks }) => tasks.list())).toHaveLength(1);
      await expect(desk.insert({ submitKey: 'key' })).rejects.toBeInstanceOf(Error);
      await desk.insert({ title: 'no key' });
      await desk.insert({ title: 'nor here' });
    });

    test('a task is found by id, by native id, and by the beginning of its id', async () => {
      await desk.insert({ id: 'task-abc1', nativeId: 'n-1' });
      await desk.insert({ id: 'task-abc2', nativeId: 'n-2' });
      await desk.insert({ id: 'task-abc', nativeId: 'n-3' });
      expect(await matching('task-abc')).toEqual(['task-abc']);
      expect(await matching('n-2')).toEqual(['task-abc2']);
      expect(await matching('task-ab')).toEqual(['task-abc', 'task-abc1', 'task-abc2']);
      expect(await matching('tas')).toEqual([]);
      expect(await matching('task-%')).toEqual([]);
    });
  });
}

function submit(on: Store, title: string): Promise<string> {
  return on.transaction(async ({ tasks }) => {
    const known = await tasks.bySubmitKey('key');
    if (known) return known.id;
    const task = exampleTask({ title, submitKey: 'key' });
    await tasks.insert(task, noon);
    return task.id;
  });
}
