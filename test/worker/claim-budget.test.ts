/** Who may give a task more money than its role allows. */
import { expect, it } from 'vitest';
import { claim } from '../../tools/worker/claim.ts';
import type { Task } from '../../tools/store/tasks.ts';
import { exampleRole } from './examples.ts';
import { workerInMemory } from './worker-in-memory.ts';

const cases: [string, Partial<Task>, number, number][] = [
  ['a person, more', { queue: 'local' }, 5, 5],
  ['a person, less', { queue: 'local' }, 1, 1],
  ['an agent, more', { queue: 'local', parentId: 'task-0' }, 5, 2],
  ['an agent, less', { queue: 'local', parentId: 'task-0' }, 1, 1],
  ['a message, more', { queue: 'rabbitmq' }, 5, 2],
];

it.each(cases)('%s', async (_, task, asked, given) => {
  const bench = await workerInMemory([exampleRole({ budgetUsd: 2 })]);
  const { worker } = bench;
  const local = worker.queues.get('local');
  if (local) worker.queues.set('rabbitmq', { ...local, name: 'rabbitmq' });
  await bench.insert({ ...task, meta: { budgetUsd: asked } });
  expect((await claim(worker))?.budgetUsd).toBe(given);
});
