import { describe, expect, test } from 'vitest';
import { takeBack, thisProcess } from '../../tools/worker/reconcile.ts';
import { claim, startOfDay, type Claim } from '../../tools/worker/claim.ts';
import { dayMs, exampleRole, hourMs, minuteMs, noon } from './examples.ts';
import { workerInMemory, type Bench } from './worker-in-memory.ts';

async function claimAll({ worker }: Bench): Promise<Claim[]> {
  const claims: Claim[] = [];
  for (;;) {
    const next = await claim(worker, claims);
    if (!next) return claims;
    claims.push(next);
  }
}
const titles = async (bench: Bench): Promise<string[]> =>
  (await claimAll(bench)).map(({ task }) => task.title);

describe('lanes', () => {
  const fast = exampleRole({ name: 'fast', lane: 'fast' });
  const heavy = exampleRole({ name: 'heavy', lane: 'heavy' });

  test('each lane has its own slots: heavy tasks never delay a fast one', async () => {
    const bench = await workerInMemory([heavy, fast]);
    for (let index = 0; index < 5; index += 1)
      await bench.insert({ role: 'heavy', title: `heavy ${index}`, position: index });
    await bench.insert({ role: 'fast', title: 'fast', ordinal: 1e9 });
    expect(await titles(bench)).toEqual(['heavy 0', 'fast']);
  });

  test('across roles of one lane the task that ranks highest is first', async () => {
    const bench = await workerInMemory([exampleRole({ name: 'a' }), exampleRole({ name: 'b' })]);
    await bench.insert({ role: 'a', title: 'later', dueAt: noon + 2 });
    await bench.insert({ role: 'b', title: 'sooner', dueAt: noon + 1 });
    expect(await titles(bench)).toEqual(['sooner', 'later']);
  });

  test('a task of a role that is not served here waits', async () => {
    const bench = await workerInMemory([fast]);
    await bench.insert({ role: 'heavy' });
    expect(await titles(bench)).toEqual([]);
  });
});

describe('a claim', () => {
  test('holds the task, its lease, and an attempt that is stored before anything starts', async () => {
    const bench = await workerInMemory([exampleRole()]);
    const { id } = await bench.insert({ sessionId: 'old', sessionCost: 3 });
    const taken = (await claim(bench.worker))!;
    expect(taken).toMatchObject({ attemptNumber: 1, resume: false, budgetUsd: undefined, grants: [] });
    const task = await bench.get(id);
    expect(task).toMatchObject({
      state: 'running',
      attemptId: taken.attemptId,
      workerId: 'w1',
      sessionCost: 0,
    });
    expect(task.leaseUntil).toBe(noon + minuteMs);
    expect(task.sessionId).not.toBe('old');
    expect(await bench.store.read(({ attempts }) => attempts.get(taken.attemptId))).toMatchObject({
      sessionId: task.sessionId,
      endedAt: null,
    });
    expect(await claim(bench.worker)).toBeUndefined();
  });

  test('goes on in a session that can be used', async () => {
    const bench = await workerInMemory([exampleRole()]);
    await bench.insert({ sessionId: 'old', sessionUsable: true, sessionCost: 3 });
    const taken = await claim(bench.worker);
    expect(taken).toMatchObject({ resume: true, task: { sessionId: 'old', sessionCost: 3 } });
  });

  test('carries what was approved for the text as it is now, and nothing else', async () => {
    const bench = await workerInMemory([exampleRole()]);
    const { id, contentHash } = await bench.insert();
    await bench.store.transaction(async ({ grants }) => {
      const about = { taskId: id, contentHash, decidedBy: 'x', at: noon };
      await grants.decide({ ...about, rule: 'Bash(yes)', decision: 'approve' });
      await grants.decide({ ...about, rule: 'Bash(no)', decision: 'reject' });
      await grants.decide({ ...about, rule: 'Bash(old)', decision: 'approve', contentHash: 'other' });
      await grants.decide({ ...about, rule: 'Bash(theirs)', decision: 'approve', taskId: 'another' });
    });
    expect((await claim(bench.worker))?.grants).toEqual(['Bash(yes)']);
  });
});

describe('pauses', () => {
  const pause = { kind: 'usage_limit', message: 'limit', since: noon } as const;

  test('of the account stop every role; when over, one task goes first', async () => {
    const bench = await workerInMemory([exampleRole({ name: 'a' }), exampleRole({ name: 'b' })]);
    for (const role of ['a', 'b']) await bench.insert({ role });
    await bench.store.transaction(({ pauses }) =>
      pauses.set({ ...pause, scope: 'agent:sample', until: noon + hourMs }),
    );
    expect(await claimAll(bench)).toHaveLength(0);
    bench.clock.now = noon + hourMs;
    expect(await claimAll(bench)).toHaveLength(1);
  });

  test('of a role or of another agent stop nobody else', async () => {
    const bench = await workerInMemory([exampleRole({ name: 'a' }), exampleRole({ name: 'b' })]);
    for (const role of ['a', 'b']) await bench.insert({ role, title: role });
    await bench.store.transaction(async ({ pauses }) => {
      await pauses.set({ ...pause, kind: 'setup', scope: 'role:a', until: null });
      await pauses.set({ ...pause, scope: 'agent:claude', until: null });
    });
    expect(await titles(bench)).toEqual(['b']);
  });
});

describe('folders', () => {
  const output = '/workspace/shared';

  test('two roles never write one folder at the same moment', async () => {
    const bench = await workerInMemory([
      exampleRole({ name: 'a', output }),
      exampleRole({ name: 'b', output }),
    ]);
    for (const role of ['a', 'b']) await bench.insert({ role });
    expect(await claimAll(bench)).toHaveLength(1);
  });

  test('unless they say that they may, or write in folders of their own', async () => {
    for (const patch of [{ sharesOutput: true }, { isolation: 'folder' } as const]) {
      const roles = ['a', 'b'].map((name) => exampleRole({ name, output, ...patch }));
      const bench = await workerInMemory(roles);
      for (const role of ['a', 'b']) await bench.insert({ role });
      expect(await claimAll(bench)).toHaveLength(2);
    }
  });
});

describe('money', () => {
  const role = exampleRole({ budgetUsd: 2, dailyBudgetUsd: 3 });

  test('an attempt may spend the smallest of what is left; caps of running ones are set aside', async () => {
    const bench = await workerInMemory([role]);
    for (const position of [1, 2]) await bench.insert({ position });
    expect((await claimAll(bench)).map(({ budgetUsd }) => budgetUsd)).toEqual([2, 1]);
  });

  test('each round has the whole budget of the task, not what earlier ones left', async () => {
    const bench = await workerInMemory([exampleRole({ budgetUsd: 2 })]);
    await bench.insert({ cost: 5.5, meta: { costAtRound: 5 } });
    expect((await claim(bench.worker))?.budgetUsd).toBe(1.5);
  });

  test('when the day is spent nothing starts, and it is said once, for the next morning', async () => {
    const bench = await workerInMemory([role]);
    for (const hour of [1, 12, 23.5]) {
      bench.clock.now = startOfDay(noon) + hour * hourMs;
      await bench.insert();
      const { id } = await bench.insert({ state: 'completed' });
      await bench.store.transaction(async ({ attempts, pauses }) => {
        await pauses.clear('budget:writer');
        const attempt = {
          id: `spent ${hour}`,
          taskId: id,
          round: 1,
          workerId: 'w',
          agent: 'sample',
          sessionId: 's',
        };
        await attempts.start({ ...attempt, resumed: false, startedAt: bench.clock.now, budget: null });
        await attempts.cost(attempt.id, 3);
      });
      expect(await claimAll(bench)).toEqual([]);
      expect(await claimAll(bench)).toEqual([]);
      const [pause] = await bench.store.read(({ pauses }) => pauses.list());
      expect(pause?.until).toBe(startOfDay(startOfDay(noon) + 1.5 * dayMs));
    }
    expect(await bench.store.read(({ reports }) => reports.pending())).toBe(1);
  });
});

test('an attempt of our own that broke down is no crash of its task', async () => {
  const bench = await workerInMemory([exampleRole()]);
  const { worker } = bench;
  await bench.insert({ id: 'local:t', nativeId: 't', queue: 'local' });
  const claimed = await claim(worker);
  expect(claimed?.task.id).toBe('local:t');
  await worker.store.transaction(({ workers }) => workers.register(thisProcess(worker)));
  // The claim was stored, but the worker never heard of it: nothing runs.
  await takeBack(worker);
  expect(await bench.get('local:t')).toMatchObject({ state: 'queued', meta: { crashes: 0 } });
});
