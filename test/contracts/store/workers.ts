/** Part of the store contract; see `store-contract.ts`. */
import { describe, expect, test } from 'vitest';
import type { NewAction } from '../../../tools/store/actions.ts';
import type { Store } from '../../../tools/store/store.ts';
import type { WorkerRow } from '../../../tools/store/workers.ts';
import { noon } from '../../worker/examples.ts';
import type { StoreDesk } from './desk.ts';

function row(id: string, patch: Partial<WorkerRow> = {}): WorkerRow {
  return {
    id,
    host: 'here',
    bootId: 'b',
    pid: 7,
    pidStart: '99',
    startedAt: noon,
    seenAt: noon,
    leaseMs: 60_000,
    serves: ['writer'],
    ...patch,
  };
}

const action: NewAction = {
  key: 'send',
  taskId: null,
  argv: ['send', '--to', 'a b'],
  argvHash: 'h',
  host: 'here',
  bootId: 'b',
  pid: 1,
  pidStart: '2',
  startedAt: noon,
};

export function workersContract(desk: StoreDesk): void {
  const lead = (queue: string, id: string, now: number): Promise<boolean> =>
    desk.store.transaction(({ workers }) => workers.lead(queue, id, now, 100));
  const list = (): Promise<unknown> => desk.store.read(({ pauses }) => pauses.list());

  describe('workers, leads, pauses, grants', () => {
    test('a pause is lifted only by what began after it', async () => {
      const pause = { scope: 'agent:claude', kind: 'usage_limit', message: 'm', until: null } as const;
      const clear = (startedAt: number): Promise<boolean> =>
        desk.store.transaction(({ pauses }) => pauses.clear(pause.scope, startedAt));
      await desk.store.transaction(({ pauses }) => pauses.set({ ...pause, since: noon }));
      expect(await clear(noon - 1)).toBe(false);
      expect(await clear(noon)).toBe(true);
    });

    test('what was approved for a round goes with it', async () => {
      const { id } = await desk.insert();
      const grant = {
        taskId: id,
        rule: 'Bash(x)',
        contentHash: 'h',
        decision: 'approve',
        decidedBy: 'c',
        at: noon,
      };
      await desk.store.transaction(({ grants }) => grants.decide({ ...grant, decision: 'approve' }));
      expect(await desk.store.read(({ grants }) => grants.list(id))).toHaveLength(1);
      await desk.store.transaction(({ grants }) => grants.clear(id));
      expect(await desk.store.read(({ grants }) => grants.list(id))).toEqual([]);
    });

    test('a heartbeat prolongs a life and its own leases alone; one who was given up on is told so', async () => {
      await desk.insert({ id: 'mine', nativeId: 'a', state: 'running', workerId: 'w1', leaseUntil: noon });
      await desk.insert({ id: 'theirs', nativeId: 'b', state: 'running', workerId: 'w2', leaseUntil: noon });
      await desk.insert({ id: 'ended', nativeId: 'c', state: 'completed', workerId: 'w1', leaseUntil: noon });
      await desk.store.transaction(({ workers }) => workers.register(row('w1')));
      expect(await desk.store.transaction(({ workers }) => workers.heartbeat('w1', noon + 5, 100))).toBe(
        true,
      );
      expect(await desk.store.read(({ workers }) => workers.list())).toEqual([
        row('w1', { seenAt: noon + 5 }),
      ]);
      expect((await desk.get('mine'))?.leaseUntil).toBe(noon + 105);
      expect((await desk.get('theirs'))?.leaseUntil).toBe(noon);
      expect((await desk.get('ended'))?.leaseUntil).toBe(noon);
      await desk.store.transaction(({ workers }) => workers.remove('w1'));
      expect(await desk.store.transaction(({ workers }) => workers.heartbeat('w1', noon + 9, 100))).toBe(
        false,
      );
      expect(await desk.store.read(({ workers }) => workers.list())).toEqual([]);
    });

    test('one worker at a time leads a queue; a silent or departed leader is followed', async () => {
      expect(await lead('todoist', 'w1', noon)).toBe(true);
      expect(await lead('todoist', 'w2', noon + 50)).toBe(false);
      expect(await lead('local', 'w2', noon + 50)).toBe(true);
      expect(await lead('todoist', 'w1', noon + 90)).toBe(true);
      expect(await lead('todoist', 'w2', noon + 150)).toBe(false);
      expect(await lead('todoist', 'w2', noon + 191)).toBe(true);
      expect(await lead('todoist', 'w1', noon + 192)).toBe(false);
      await desk.store.transaction(({ workers }) => workers.remove('w2'));
      expect(await lead('todoist', 'w1', noon + 193)).toBe(true);
    });

    test('a pause counts how often it was prolonged, and keeps when it began', async () => {
      const pause = { scope: 'agent:claude', kind: 'usage_limit', message: 'limit', since: noon } as const;
      await desk.store.transaction(({ pauses }) => pauses.set({ ...pause, until: noon + 1 }));
      await desk.store.transaction(({ pauses }) =>
        pauses.set({ ...pause, since: noon + 5, message: 'again', until: null }),
      );
      expect(await list()).toEqual([{ ...pause, message: 'again', until: null, tries: 2 }]);
      await desk.store.transaction(({ pauses }) => pauses.release(pause.scope, noon + 7));
      expect(await list()).toEqual([{ ...pause, message: 'again', until: noon + 7, tries: 2 }]);
      expect(await desk.store.transaction(({ pauses }) => pauses.clear(pause.scope))).toBe(true);
      expect(await desk.store.transaction(({ pauses }) => pauses.clear(pause.scope))).toBe(false);
      expect(await list()).toEqual([]);
    });

    test('the last decision on a rule counts, for that task alone', async () => {
      const grant = {
        taskId: 't1',
        rule: 'Bash(git push)',
        contentHash: 'h1',
        decidedBy: 'x',
        at: noon,
      } as const;
      await desk.store.transaction(async ({ grants }) => {
        await grants.decide({ ...grant, decision: 'approve' });
        await grants.decide({ ...grant, decision: 'reject', contentHash: 'h2', at: noon + 1 });
        await grants.decide({ ...grant, taskId: 't2', decision: 'approve' });
      });
      expect(await desk.store.read(({ grants }) => grants.list('t1'))).toEqual([
        { ...grant, decision: 'reject', contentHash: 'h2', at: noon + 1 },
      ]);
    });

    test('a key of the ledger is taken once; what was done is kept until it is forgotten', async () => {
      const other = await desk.connect();
      const results = await Promise.all([take(desk.store, 1), take(other, 2)]);
      expect(results.filter((known) => known === undefined)).toHaveLength(1);
      await desk.store.transaction(({ actions }) =>
        actions.finish('send', { endedAt: noon + 1, exitCode: 3, stdout: 'out', stderr: 'err' }),
      );
      expect(await take(other, 3)).toMatchObject({
        state: 'done',
        exitCode: 3,
        stdout: 'out',
        argv: action.argv,
      });
      expect(await desk.store.transaction(({ actions }) => actions.forget('send'))).toBe(true);
      expect(await take(desk.store, 4)).toBeUndefined();
    });
  });
}

function take(on: Store, pid: number): Promise<unknown> {
  return on.transaction(({ actions }) => actions.take({ ...action, pid }));
}
