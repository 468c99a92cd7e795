/** SQLite, and what other processes and the disk do to it. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openStore } from '../../tools/store/store.ts';
import { otherProcess } from './processes.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'store-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('eight processes make the same empty store at once, and all get the same one', async () => {
  using stack = new DisposableStack();
  const others = Array.from({ length: 8 }, () => stack.use(otherProcess(['migrate', folder])));
  for (const other of others) expect(await other.next()).toEqual({ ready: true });
  for (const other of others) other.go();
  const ids = await Promise.all(others.map(async (other) => (await other.next())['id']));
  expect(ids[0]).toMatch(/^[0-9a-f]{8}$/);
  expect(new Set(ids).size).toBe(1);
});

test('two processes that insert at once lose nothing', async () => {
  using one = otherProcess(['insert', folder, 'one']);
  using two = otherProcess(['insert', folder, 'two']);
  for (const other of [one, two]) expect(await other.next()).toEqual({ ready: true });
  for (const other of [one, two]) other.go();
  for (const other of [one, two]) expect(await other.next()).toEqual({ done: true });
  const store = await openStore(folder);
  const ids = (await store.read(({ tasks }) => tasks.list({ limit: 500 }))).map(({ id }) => id);
  expect(new Set(ids).size).toBe(120);
  await store.close();
});

test('a lock that another process holds is waited for without stopping the event loop', async () => {
  const store = await openStore(folder);
  using other = otherProcess(['lock', folder]);
  expect(await other.next()).toEqual({ locked: true });
  let settled = false;
  const work = store
    .transaction(({ settings }) => settings.set('written', 'yes'))
    .finally(() => {
      settled = true;
    });
  // 75 turns of 20 ms: a second and a half of lock, in which the timer goes on.
  const startedAt = performance.now();
  await new Promise<void>((resolve) => {
    let ticks = 0;
    const timer = setInterval(() => {
      ticks += 1;
      if (ticks < 75) return;
      clearInterval(timer);
      resolve();
    }, 20);
  });
  expect(performance.now() - startedAt).toBeLessThan(4000);
  expect(settled).toBe(false);
  other.go();
  await work;
  expect(await store.read(({ settings }) => settings.get('written'))).toBe('yes');
  await store.close();
});

test('what is read while another process holds the write lock is what was committed last', async () => {
  const store = await openStore(folder);
  await store.transaction(({ settings }) => settings.set('a', '1'));
  using other = otherProcess(['lock', folder]);
  expect(await other.next()).toEqual({ locked: true });
  expect(await store.read(({ settings }) => settings.get('a'))).toBe('1');
  await store.close();
});

/** A small disk of its own for one process; undefined where this machine does not let us make one. */
function smallDisk(mount: string): string[] | undefined {
  const script = 'mount -t tmpfs -o size=900k tmpfs "$0" && exec "$@"';
  for (const options of ['-m', '-rm'])
    if (spawnSync('unshare', [options, 'sh', '-c', script, mount, 'true']).status === 0)
      return ['unshare', options, 'sh', '-c', script, mount];
  return undefined;
}

const canMount = smallDisk(tmpdir()) !== undefined;
const why = canMount ? '' : ' (skipped: no small disk can be mounted here)';
test.skipIf(!canMount)(
  `on a full disk a write is refused, nothing is lost, and it goes on when there is room again${why}`,
  async () => {
    using other = otherProcess(['fill', folder, 'row'], smallDisk(folder));
    const { inserted, code } = await other.next();
    expect(code).toBe('STORE_FULL');
    expect(inserted).toBeGreaterThan(0);
    expect(await other.next()).toEqual({ kept: inserted });
    expect(await other.next()).toEqual({ after: 'inserted' });
    expect(await other.next()).toMatchObject({ check: 'ok' });
  },
);

test('a file that may not grow is a plain error, and what was committed is whole', async () => {
  // Blocks of 512 bytes or 1 KiB, as the shell counts them.
  using other = otherProcess(['fill', folder, 'row'], ['sh', '-c', 'ulimit -f 800 && exec "$@"', 'sh']);
  const { inserted, code } = await other.next();
  expect(code).toMatch(/^STORE_(FULL|UNAVAILABLE)$/);
  expect(inserted).toBeGreaterThan(0);
  expect(await other.next()).toEqual({ kept: inserted });
  expect((await other.next())['after']).toMatch(/^(inserted|STORE_(FULL|UNAVAILABLE))$/);
  const store = await openStore(folder);
  const rows = await store.read(({ tasks }) => tasks.list({ limit: 5000 }));
  expect(rows.filter(({ id }) => id.startsWith('row-'))).toHaveLength(Number(inserted));
  await store.close();
});
