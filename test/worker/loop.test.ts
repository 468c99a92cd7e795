import { expect, test } from 'vitest';
import { untilNext } from '../../tools/worker/loop.ts';
import { exampleRole } from './examples.ts';
import { workerInMemory } from './worker-in-memory.ts';

test('the loop sleeps until a delayed task is ready, or for five seconds', async () => {
  const bench = await workerInMemory([exampleRole()]);
  expect(await untilNext(bench.worker, [])).toBe(5000);
  await bench.insert({ availableAt: bench.clock.now + 700 });
  expect(await untilNext(bench.worker, [])).toBe(700);
});

test('with every slot taken it does not wake, again and again, for a task that is ready since', async () => {
  const bench = await workerInMemory([exampleRole()], { lanes: { fast: 1, normal: 0, heavy: 1 } });
  await bench.insert({ availableAt: bench.clock.now - 1 });
  expect(await untilNext(bench.worker, [])).toBe(5000);
});
