/** Part of the store contract; see `store-contract.ts`. */
import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { AttemptEnd, NewAttempt } from '../../../tools/store/attempts.ts';
import type { Task } from '../../../tools/store/tasks.ts';
import { dayMs, exampleTask, noon } from '../../worker/examples.ts';
import type { StoreDesk } from './desk.ts';

function attempt(task: Task, patch: Partial<NewAttempt> = {}): NewAttempt {
  return {
    id: randomUUID(),
    taskId: task.id,
    round: 1,
    workerId: 'w1',
    agent: 'sample',
    sessionId: 's1',
    resumed: false,
    startedAt: noon,
    budget: null,
    ...patch,
  };
}

const end: AttemptEnd = {
  result: 'done',
  failureKind: null,
  failureCode: null,
  message: 'fine',
  spent: false,
  cost: 0.5,
  turns: 3,
  denials: [{ tool: 'Bash', input: { command: 'rm -rf /' } }],
  artifacts: [{ path: 'a.md', size: 1, sha256: 'f' }],
  endedAt: noon + 5,
};

export function attemptsContract(desk: StoreDesk): void {
  describe('attempts', () => {
    test('a task whose last attempt has not ended is not ready: two must never live at once', async () => {
      const task = await desk.insert();
      const given = attempt(task);
      const ready = async (): Promise<string | undefined> =>
        (await desk.store.read(({ tasks }) => tasks.firstReady('writer', ['local', 'todoist'])))?.id;
      await desk.store.transaction(({ attempts }) => attempts.start(given));
      expect(await ready()).toBeUndefined();
      expect((await desk.store.read(({ attempts }) => attempts.open())).map(({ id }) => id)).toEqual([
        given.id,
      ]);
      await desk.store.transaction(({ attempts }) => attempts.finish(given.id, end));
      expect(await ready()).toBe(task.id);
      expect(await desk.store.read(({ attempts }) => attempts.open())).toEqual([]);
    });

    test('what one was seen to cost is not lowered by its end', async () => {
      const given = attempt(await desk.insert());
      await desk.store.transaction(async ({ attempts }) => {
        await attempts.start(given);
        await attempts.cost(given.id, 2);
        await attempts.finish(given.id, { ...end, cost: 0 });
      });
      expect((await desk.store.read(({ attempts }) => attempts.get(given.id)))?.cost).toBe(2);
    });

    test('they are numbered over the whole life of their task', async () => {
      const task = await desk.insert();
      const numbers: number[] = [];
      for (const round of [1, 1, 2])
        numbers.push(
          await desk.store.transaction(({ attempts }) => attempts.start(attempt(task, { round }))),
        );
      expect(numbers).toEqual([1, 2, 3]);
      const listed = await desk.store.read(({ attempts }) => attempts.list(task.id));
      expect(listed.map(({ number, round }) => [number, round])).toEqual([
        [1, 1],
        [2, 1],
        [3, 2],
      ]);
    });

    test('an attempt of a task that is not there is refused', async () => {
      await expect(
        desk.store.transaction(({ attempts }) => attempts.start(attempt(exampleTask()))),
      ).rejects.toBeInstanceOf(Error);
    });

    test('an attempt is finished once: the second end changes nothing', async () => {
      const task = await desk.insert();
      const given = attempt(task, { budget: 2 });
      await desk.store.transaction(({ attempts }) => attempts.start(given));
      expect(await desk.store.read(({ attempts }) => attempts.get(given.id))).toMatchObject({
        ...given,
        result: null,
        endedAt: null,
        cost: 0,
      });
      expect(await desk.store.transaction(({ attempts }) => attempts.finish(given.id, end))).toBe(true);
      const ended = await desk.store.read(({ attempts }) => attempts.get(given.id));
      expect(ended).toMatchObject({ ...given, ...end });
      const late = { ...end, result: 'failed', cost: 99 };
      expect(await desk.store.transaction(({ attempts }) => attempts.finish(given.id, late))).toBe(false);
      await desk.store.transaction(({ attempts }) => attempts.cost(given.id, 77));
      expect(await desk.store.read(({ attempts }) => attempts.get(given.id))).toEqual(ended);
      expect(await desk.store.transaction(({ attempts }) => attempts.finish('nobody', end))).toBe(false);
    });

    test('money is summed by role; a running attempt counts with its whole cap', async () => {
      const writer = await desk.insert();
      const reviewer = await desk.insert({ role: 'reviewer' });
      await desk.store.transaction(async ({ attempts }) => {
        const yesterday = attempt(writer, { startedAt: noon - dayMs });
        const ended = attempt(writer, { budget: 9 });
        const running = attempt(reviewer, { budget: 2 });
        const beyond = attempt(reviewer, { budget: 1 });
        for (const each of [yesterday, ended, running, beyond]) await attempts.start(each);
        await attempts.finish(yesterday.id, { ...end, cost: 100 });
        await attempts.finish(ended.id, { ...end, cost: 0.25 });
        await attempts.cost(running.id, 0.5);
        await attempts.cost(beyond.id, 1.5);
      });
      const tables = await desk.store.read(async ({ attempts }) => ({
        spent: await attempts.spentSince(noon),
        real: await attempts.costByRole(noon),
        all: await attempts.costSince(noon),
      }));
      expect(tables.spent).toEqual(
        new Map([
          ['writer', 0.25],
          ['reviewer', 3.5],
        ]),
      );
      expect(tables.real).toEqual(
        new Map([
          ['writer', 0.25],
          ['reviewer', 2],
        ]),
      );
      expect(tables.all).toBe(2.25);
    });

    test('usual durations are those of the same role that ended well, newest first', async () => {
      const task = await desk.insert();
      await desk.store.transaction(async ({ attempts }) => {
        for (const [index, result] of ['done', 'failed', 'done'].entries()) {
          const one = attempt(task, { startedAt: noon + index });
          await attempts.start(one);
          await attempts.finish(one.id, { ...end, result, endedAt: noon + index + 100 * (index + 1) });
        }
      });
      expect(await desk.store.read(({ attempts }) => attempts.durations('writer'))).toEqual([300, 100]);
      expect(await desk.store.read(({ attempts }) => attempts.durations('writer', 1))).toEqual([300]);
      expect(await desk.store.read(({ attempts }) => attempts.durations('reviewer'))).toEqual([]);
    });

    test('an attempt that lost its task changes nothing in it', async () => {
      const task = await desk.insert();
      const old = attempt(task);
      await desk.store.transaction(async ({ attempts, tasks }) => {
        await attempts.start(old);
        await tasks.move(task, 'running', { attemptId: old.id, workerId: 'w1' }, noon);
      });
      const other = await desk.connect();
      await other.transaction(async ({ attempts, tasks }) => {
        const seen = (await tasks.get(task.id))!;
        await attempts.finish(old.id, { ...end, result: 'parked' });
        await tasks.move(seen, 'queued', {}, noon);
        const taken = (await tasks.get(task.id))!;
        await tasks.move(taken, 'running', { attemptId: 'new', workerId: 'w2' }, noon);
      });
      const settled = await desk.store.transaction(async ({ attempts, tasks }) => {
        const seen = (await tasks.get(task.id))!;
        if (seen.attemptId !== old.id) return attempts.finish(old.id, end);
        await tasks.move(seen, 'completed', {}, noon);
        return true;
      });
      expect(settled).toBe(false);
      expect(await desk.get(task.id)).toMatchObject({ state: 'running', attemptId: 'new', workerId: 'w2' });
    });
  });
}
