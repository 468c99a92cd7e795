/** Workers of several machines on one PostgreSQL; tasks are submitted into it as `agentq submit` does. */
import { isRetryable } from '../../../tools/errors.ts';
import { localQueueName } from '../../../tools/queues/local.ts';
import { openStore, type Store } from '../../../tools/store/store.ts';
import { delegatedTask } from '../../../tools/delegation/delegated.ts';
import { asAdmin, createDatabase } from '../../store/postgres-server.ts';
import { envelopeOf, type Ground } from './ground.ts';
import { roleName } from './role.ts';

const backendsOfOthers = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
  WHERE datname = current_database() AND pid <> pg_backend_pid()`;

/** `machines`: workers on `a` see each other's deaths; of those on others only the silence is known. */
export async function openPostgresGround(machines: readonly string[] = ['a', 'a', 'b']): Promise<Ground> {
  const database = await createDatabase();
  const { url } = database;
  const store = await openStore('', url);
  let terminated = 0;
  let askedAgain = 0;
  return {
    databaseUrl: url,
    amqp: undefined,
    machines,
    submit: (ids) =>
      persistently(
        () => insertAll(store, ids),
        () => (askedAgain += 1),
      ),
    ended: async () => {
      const { rows } = await asAdmin(
        url,
        `SELECT CAST(count(*) AS int) AS count FROM tasks WHERE state IN ('completed', 'failed')`,
      );
      return (rows[0] as { count: number }).count;
    },
    faults: {
      backendsTerminated: async () => {
        terminated += (await asAdmin(url, backendsOfOthers)).rowCount ?? 0;
      },
    },
    leftovers: async () => [],
    stores: async () => [{ machine: undefined, store }],
    results: () => resultsIn(store),
    trouble: async () => ({ leftLeads: await leadsIn(url) }),
    figures: () => ({ backendsTerminated: terminated, submissionsRepeated: askedAgain }),
    close: async () => {
      await store.close();
      await database.drop();
    },
  };
}

export async function leadsIn(url: string): Promise<string[]> {
  const { rows } = await asAdmin(url, 'SELECT queue, worker_id FROM leads');
  return rows.map((row) => JSON.stringify(row));
}

export async function resultsIn(store: Store): Promise<Map<string, string[]>> {
  const all = await store.read(({ tasks }) => tasks.list({ limit: 1_000_000 }));
  return new Map(
    all.map(({ id, meta: { result } }) => [
      id,
      result ? [result.manifestSha256, ...(result.orElse ?? [])] : [],
    ]),
  );
}

/** A submission whose answer was lost is repeated: the same id is the same task. */
async function insertAll(store: Store, ids: readonly string[]): Promise<void> {
  await store.transaction(async ({ tasks }) => {
    for (const id of ids) {
      if (await tasks.get(id)) continue;
      const task = delegatedTask(
        {
          envelope: envelopeOf(id),
          context: undefined,
          queue: localQueueName,
          role: { name: roleName, deadlineMs: undefined },
          availableAt: 0,
          submittedBy: 'the test',
        },
        store.now(),
      );
      await tasks.insert(task, store.now());
    }
  });
  store.ring();
}

export async function persistently<T>(work: () => Promise<T>, again: () => void): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isRetryable(error)) throw error;
      again();
    }
  }
}
