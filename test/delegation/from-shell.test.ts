import { expect, test } from 'vitest';
import { claimNext } from '../../tools/delegation/from-shell.ts';
import { exampleRole } from '../worker/examples.ts';
import { workerInMemory } from '../worker/worker-in-memory.ts';

test('a claim beside many that are at work writes once; one whose lease has run out is taken back', async () => {
  const role = exampleRole();
  const bench = await workerInMemory([role]);
  for (let index = 0; index < 4; index += 1) await bench.insert({ queue: 'local', position: index });
  let now = bench.clock.now;
  let written = 0;
  const store = {
    ...bench.store,
    now: () => now,
    transaction: ((work, isolation) => {
      written += 1;
      return bench.store.transaction(work, isolation);
    }) satisfies typeof bench.store.transaction,
  };
  const claimed: (string | undefined)[] = [];
  const claim = async (): Promise<void> => {
    const answer = await claimNext(store, role, 60_000);
    claimed.push('task' in answer ? answer.task.id : undefined);
  };
  for (let index = 0; index < 3; index += 1) await claim();
  written = 0;
  await claim();
  expect(written).toBe(1);
  now += 61_000;
  await claim();
  expect(claimed[4]).toBe(claimed[0]);
});
