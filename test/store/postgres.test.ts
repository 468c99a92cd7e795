import { afterAll, beforeAll, describe } from 'vitest';
import { openStore } from '../../tools/store/store.ts';
import { storeContract } from '../contracts/store-contract.ts';
import { createDatabase, hasPostgres, why, type TestDatabase } from './postgres-server.ts';

describe.skipIf(!hasPostgres)(`a server${why}`, () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createDatabase();
  });
  afterAll(() => database.drop());

  storeContract({
    name: 'PostgreSQL',
    open: async (place) => openStore('', await database.schema(`s${place.replaceAll('-', '')}`)),
  });
});
