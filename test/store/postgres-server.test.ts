/** PostgreSQL, and what its server and the network do to a store. */
import { Client } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { messageOf } from '../../tools/errors.ts';
import { openPostgres } from '../../tools/store/postgres.ts';
import { openStore, type Store } from '../../tools/store/store.ts';
import { tcpProxy } from '../fakes/tcp-proxy.ts';
import { exampleTask, noon } from '../worker/examples.ts';
import { otherProcess } from './processes.ts';
import { asAdmin, createDatabase, hasPostgres, why, type TestDatabase } from './postgres-server.ts';

const killOthers = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
  WHERE datname = current_database() AND pid <> pg_backend_pid()`;

async function insert(store: Store, id: string): Promise<void> {
  await store.transaction(({ tasks }) => tasks.insert(exampleTask({ id, nativeId: id }), noon));
}

/** Resolves each time the callback is called; calls that nobody waited for are remembered. */
function counter(): { call: () => void; next: () => Promise<void>; forget: () => void } {
  let calls = 0;
  let wake: (() => void) | undefined;
  return {
    call: () => {
      calls += 1;
      wake?.();
    },
    forget: () => {
      calls = 0;
    },
    async next() {
      if (calls === 0)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      calls -= 1;
    },
  };
}

describe.skipIf(!hasPostgres)(`PostgreSQL and its server${why}`, () => {
  let database: TestDatabase;
  let url: string;
  beforeAll(async () => {
    database = await createDatabase();
  });
  afterAll(() => database.drop());
  let count = 0;
  beforeEach(async () => {
    url = await database.schema(`t${(count += 1)}`);
  });

  test('where one connection has fallen silent the others of its age are not asked', async () => {
    const direct = new URL(database.url);
    const proxy = await tcpProxy({ host: direct.hostname, port: Number(direct.port || 5432) });
    const through = new URL(database.url);
    through.hostname = '127.0.0.1';
    through.port = String(proxy.port);
    const sql = await openPostgres(through.href, { statementMs: 200 });
    const ask = (): Promise<unknown> => sql.read((query) => query.all('SELECT 1 AS one'));
    try {
      // All connections that the pool may have.
      await Promise.all(
        Array.from({ length: 4 }, () => sql.read((query) => query.all('SELECT pg_sleep(0.05)'))),
      );
      proxy.silence();
      await expect(ask()).rejects.toMatchObject({ code: 'STORE_DISCONNECTED' });
      await expect(ask()).resolves.toEqual([{ one: 1 }]);
    } finally {
      await sql.close();
      await proxy.close();
    }
  });

  test('eight processes make the same empty store at once, and all get the same one', async () => {
    using stack = new DisposableStack();
    const others = Array.from({ length: 8 }, () => stack.use(otherProcess(['migrate', '', url])));
    for (const other of others) expect(await other.next()).toEqual({ ready: true });
    for (const other of others) other.go();
    const ids = await Promise.all(others.map(async (other) => (await other.next())['id']));
    expect(ids[0]).toMatch(/^[0-9a-f]{8}$/);
    expect(new Set(ids).size).toBe(1);
  });

  test('a claim passes over the task that another claim under way has taken', async () => {
    const [one, two] = [await openStore('', url), await openStore('', url)];
    await insert(one, 'a');
    await insert(one, 'b');
    const taken = Promise.withResolvers<void>();
    const finish = Promise.withResolvers<void>();
    const first = one.transaction(async ({ tasks }) => {
      const task = await tasks.firstReady('writer', ['todoist']);
      taken.resolve();
      await finish.promise;
      return task?.id;
    }, 'claim');
    await taken.promise;
    const second = await two.transaction(
      async ({ tasks }) => (await tasks.firstReady('writer', ['todoist']))?.id,
      'claim',
    );
    expect(second).toBe('b');
    finish.resolve();
    expect(await first).toBe('a');
    await Promise.all([one.close(), two.close()]);
  });

  test('a connection that ends in a transaction undoes it and says so; the next one works', async () => {
    const store = await openStore('', url);
    const work = store.transaction(async ({ tasks }) => {
      await tasks.insert(exampleTask({ id: 'lost' }), noon);
      await asAdmin(url, killOthers);
      await tasks.get('lost');
    });
    await expect(work).rejects.toMatchObject({ code: 'STORE_DISCONNECTED' });
    await insert(store, 'kept');
    expect((await store.read(({ tasks }) => tasks.list())).map(({ id }) => id)).toEqual(['kept']);
    await store.close();
  });

  test('connections that end while nobody uses them are replaced', async () => {
    const store = await openStore('', url);
    await Promise.all(Array.from({ length: 6 }, (_, index) => insert(store, `t${index}`)));
    await asAdmin(url, killOthers);
    let refused = 0;
    while (
      !(await insert(store, 'after').then(
        () => true,
        () => false,
      )) &&
      refused < 6
    )
      refused += 1;
    expect(await store.read(({ tasks }) => tasks.get('after'))).toBeDefined();
    await store.close();
  });

  test('a ring is heard, and heard again when the listening connection was ended', async () => {
    const [one, two] = [await openStore('', url), await openStore('', url)];
    const heard = counter();
    const stop = two.onRing(heard.call);
    await heard.next();
    heard.forget();
    one.ring();
    await heard.next();
    await asAdmin(url, killOthers);
    // It listens anew, and calls because something may have been missed.
    await heard.next();
    heard.forget();
    one.ring();
    one.ring();
    await one.close();
    await expect(heard.next()).resolves.toBeUndefined();
    stop();
    await two.close();
  });

  test('a ring just before closing is sent', async () => {
    const listener = new Client({ connectionString: url });
    await listener.connect();
    await listener.query('LISTEN agentq');
    const heard = new Promise((resolve) => {
      listener.once('notification', resolve);
    });
    const store = await openStore('', url);
    store.ring();
    await store.close();
    expect(await heard).toMatchObject({ channel: 'agentq', payload: '' });
    await listener.end();
  });

  test('machines whose clocks differ go by the database’s', async () => {
    const behind = await openPostgres(url, { clock: () => performance.now() });
    const ahead = await openPostgres(url, { clock: () => Date.now() + 3_600_000 });
    const before = await asAdmin(url, 'SELECT EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS at');
    const [one, two] = [behind.now(), ahead.now()];
    const after = await asAdmin(url, 'SELECT EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS at');
    const slackMs = 250;
    for (const now of [one, two]) {
      expect(Number.isInteger(now)).toBe(true);
      expect(now).toBeGreaterThan(Number(before.rows[0].at) - slackMs);
      expect(now).toBeLessThan(Number(after.rows[0].at) + slackMs);
    }
    await Promise.all([behind.close(), ahead.close()]);
  });

  test('a statement that failed and was overlooked does not pass for a commit', async () => {
    const store = await openStore('', url);
    await insert(store, 'a');
    const work = store.transaction(async ({ tasks, settings }) => {
      await settings.set('x', 'y');
      await tasks.insert(exampleTask({ id: 'a', nativeId: 'a' }), noon).catch(() => undefined);
    });
    await expect(work).rejects.toBeInstanceOf(Error);
    expect(await store.read(({ settings }) => settings.get('x'))).toBeUndefined();
    await store.close();
  });

  test('a table that was changed meanwhile is read again, as it is now', async () => {
    const store = await openStore('', url);
    await insert(store, 'a');
    for (let index = 0; index < 8; index += 1) await store.read(({ tasks }) => tasks.get('a'));
    await asAdmin(url, 'ALTER TABLE tasks ADD COLUMN newer TEXT');
    const seen = await store.transaction(({ tasks }) => tasks.get('a'));
    expect(seen?.id).toBe('a');
    await store.close();
  });

  test('text with a NUL in it is stored without it', async () => {
    const store = await openStore('', url);
    await store.transaction(({ settings }) => settings.set('x', 'a\0b'));
    expect(await store.read(({ settings }) => settings.get('x'))).toBe('a\u{FFFD}b');
    await store.close();
  });

  test('a read sees one moment, whatever is written meanwhile', async () => {
    const [one, two] = [await openStore('', url), await openStore('', url)];
    const seen = await one.read(async ({ tasks }) => {
      const before = (await tasks.list()).length;
      await insert(two, 'between');
      return [before, (await tasks.list()).length];
    });
    expect(seen).toEqual([0, 0]);
    await Promise.all([one.close(), two.close()]);
  });

  test('a closed store refuses work, and closing it again is nothing', async () => {
    const store = await openStore('', url);
    await store.close();
    await store.close();
    await expect(store.read(({ tasks }) => tasks.list())).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
    });
  });
});

describe('a database that cannot be opened', () => {
  const secret = 's3cr%40t-word';
  const at = (rest: string): string => `postgres://somebody:${secret}@${rest}`;

  test.each([
    ['nobody listens', at('127.0.0.1:1/x'), 'STORE_DISCONNECTED'],
    ['no such host', at('nowhere.invalid/x'), 'STORE_DISCONNECTED'],
    ['no URL', `postgres://somebody:${secret}@[/x`, 'STORE_UNAVAILABLE'],
  ])('%s', async (_, url, code) => {
    const error: unknown = await openStore('', url).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code });
    expect(`${messageOf(error)} ${JSON.stringify(error)}`).not.toMatch(/s3cr/);
  });

  test.skipIf(!hasPostgres)(`the server knows no such database${why}`, async () => {
    const database = await createDatabase();
    await database.drop();
    await expect(openStore('', database.url)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  });
});
