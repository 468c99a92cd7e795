/**
 * What every store must do, whatever database it is on. A driver's test calls this with a way to open one: `open`
 * with the same place gives another connection to the same store, as another process would have.
 */
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe } from 'vitest';
import type { Store } from '../../tools/store/store.ts';
import { exampleTask, noon } from '../worker/examples.ts';
import { attemptsContract } from './store/attempts.ts';
import type { StoreDesk } from './store/desk.ts';
import { mirrorContract } from './store/mirror.ts';
import { reportsContract } from './store/reports.ts';
import { tasksContract } from './store/tasks.ts';
import { sharingContract } from './store/sharing.ts';
import { transactionsContract } from './store/transactions.ts';
import { randomTasksContract } from './store/random-tasks.ts';
import { workersContract } from './store/workers.ts';

export interface StoreDriver {
  name: string;
  /** Opens the store at `place` (a fresh name each test), making and migrating it if need be. */
  open: (place: string) => Promise<Store>;
}

export function storeContract({ name, open }: StoreDriver): void {
  describe(`${name} as a store`, () => {
    let place: string;
    let first: Store;
    const opened: Store[] = [];

    const desk: StoreDesk = {
      get store() {
        return first;
      },
      connect: async () => {
        const store = await open(place);
        opened.push(store);
        return store;
      },
      insert: async (patch) => {
        const task = exampleTask(patch);
        await first.transaction(({ tasks }) => tasks.insert(task, noon));
        return task;
      },
      get: (id) => first.read(({ tasks }) => tasks.get(id)),
      move: (task, to, patch = {}) => first.transaction(({ tasks }) => tasks.move(task, to, patch, noon)),
    };

    beforeEach(async () => {
      place = randomUUID();
      first = await desk.connect();
    });

    afterEach(async () => {
      for (const store of opened.splice(0)) await store.close();
    });

    tasksContract(desk);
    randomTasksContract(desk);
    attemptsContract(desk);
    reportsContract(desk);
    transactionsContract(desk);
    sharingContract(desk);
    mirrorContract(desk);
    workersContract(desk);
  });
}
