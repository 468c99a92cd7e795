/** Claims of two workers at once, on a store that they share. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openStore, type Store } from '../../tools/store/store.ts';
import { claim } from '../../tools/worker/claim.ts';
import type { Worker } from '../../tools/worker/worker.ts';
import { createDatabase, hasPostgres, why, type TestDatabase } from '../store/postgres-server.ts';
import { exampleRole, exampleTask, noon } from './examples.ts';
import { gate } from './harness.ts';
import { workerInMemory } from './worker-in-memory.ts';

describe.skipIf(!hasPostgres)(`two workers that claim at once${why}`, () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createDatabase();
  });
  afterAll(() => database.drop());

  test('what one has only compared is there for the other', async () => {
    const roles = [exampleRole({ name: 'a' }), exampleRole({ name: 'b' })];
    const { worker } = await workerInMemory(roles);
    const [one, two] = [await openStore('', database.url), await openStore('', database.url)];
    for (const [role, title] of [
      ['a', 'first'],
      ['b', 'second'],
    ] as const)
      await one.transaction(({ tasks }) =>
        tasks.insert(exampleTask({ role, title, ordinal: title === 'first' ? 1 : 2 }), noon),
      );
    const [taken, finish] = [gate(), gate()];
    // Has taken its task, and is about to commit.
    const slow: Store = {
      ...one,
      transaction: (work, isolation) =>
        one.transaction(async (tables) => {
          const done = await work(tables);
          taken.open();
          await finish.passed;
          return done;
        }, isolation),
    };
    const of = (id: string, store: Store): Worker => ({ ...worker, id, store });
    const first = claim(of('w1', slow));
    await taken.passed;
    const second = await claim(of('w2', two));
    finish.open();
    expect([(await first)?.task.title, second?.task.title]).toEqual(['first', 'second']);
    await Promise.all([one.close(), two.close()]);
  });
});
