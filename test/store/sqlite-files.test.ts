/** SQLite, and the files it finds: damaged, newer, gone, in the wrong place. */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { copyStore } from '../../tools/store/copy.ts';
import { migrations } from '../../tools/store/migrations.ts';
import { inspectStore, repairStore } from '../../tools/store/repair.ts';
import { openStore, storeFile } from '../../tools/store/store.ts';
import { exampleTask, noon } from '../worker/examples.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'store-'));
  path = join(folder, storeFile);
});
afterEach(() => rmSync(folder, { recursive: true }));

async function makeStore(rows = 200): Promise<void> {
  const store = await openStore(folder);
  await store.transaction(async ({ tasks }) => {
    for (let index = 0; index < rows; index += 1)
      await tasks.insert(
        exampleTask({ id: `t${index}`, nativeId: `t${index}`, description: 'x'.repeat(500) }),
        noon,
      );
  });
  await store.close();
}

test('a text file in its place is not a database, and stays as it is', async () => {
  writeFileSync(path, 'my notes, '.repeat(1000));
  await expect(openStore(folder)).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
  expect(readFileSync(path, 'utf8')).toBe('my notes, '.repeat(1000));
});

test('a truncated file is damaged, whenever that is seen', async () => {
  await makeStore();
  truncateSync(path, Math.floor(statSync(path).size / 8192) * 4096);
  expect(inspectStore(path)).toBeDefined();
  const read = openStore(folder).then(async (store) => {
    try {
      return await store.read(({ tasks }) => tasks.list({ limit: 5000 }));
    } finally {
      await store.close();
    }
  });
  await expect(read).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
});

test('out of a damaged file everything readable is saved, and the file is kept', async () => {
  await makeStore(40);
  expect(inspectStore(path)).toBeUndefined();
  const bytes = readFileSync(path);
  bytes.fill(0x5a, bytes.length - 4096);
  writeFileSync(path, bytes);
  expect(inspectStore(path)).toBeDefined();
  expect(repairStore(path)).toContain('tasks');
  expect(inspectStore(path)).toBeUndefined();
  const kept = readdirSync(folder).find((name) => name.startsWith(`${storeFile}.damaged-`));
  expect(readFileSync(join(folder, kept ?? ''))).toEqual(bytes);
  const store = await openStore(folder);
  expect((await store.read(({ tasks }) => tasks.list())).length).toBeGreaterThan(0);
  await store.close();
});

test('a store of a newer version is left alone', async () => {
  await makeStore(1);
  const database = new DatabaseSync(path);
  database.exec(`UPDATE schema_version SET version = ${migrations.length + 1}`);
  database.close();
  await expect(openStore(folder)).rejects.toMatchObject({
    code: 'STORE_TOO_NEW',
    message: `expected a store of version ${migrations.length} or older, got: ${migrations.length + 1}`,
  });
});

test('a folder that cannot be made, and a file where the folder should be, are said as such', async () => {
  const file = join(folder, 'file');
  writeFileSync(file, 'x');
  for (const place of [file, join(file, 'below'), '/dev/null/below'])
    await expect(openStore(place)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  expect(readFileSync(file, 'utf8')).toBe('x');
});

test('the store is private to its user', async () => {
  const fresh = join(folder, 'fresh');
  await (await openStore(fresh)).close();
  expect(statSync(fresh).mode & 0o777).toBe(0o700);
  expect(statSync(join(fresh, storeFile)).mode & 0o777).toBe(0o600);
});

test('verify notices that the file was deleted or replaced under our feet', async () => {
  const store = await openStore(folder);
  await store.verify();
  const aside = join(folder, 'aside');
  renameSync(path, aside);
  await expect(store.verify()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  copyFileSync(aside, path);
  await expect(store.verify()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  renameSync(aside, path);
  await store.verify();
  await store.close();
});

test('a closed store refuses work, and closing it again is nothing', async () => {
  const store = await openStore(folder);
  await store.close();
  await store.close();
  await expect(store.read(({ tasks }) => tasks.list())).rejects.toBeInstanceOf(Error);
});

test('another process on the store hears a ring', async () => {
  const [one, two] = [await openStore(folder), await openStore(folder)];
  const heard = new Promise<void>((resolve) => {
    const stop = two.onRing(() => {
      stop();
      resolve();
    });
  });
  one.ring();
  await heard;
  rmSync(join(folder, 'store.bell'));
  mkdirSync(join(folder, 'store.bell'));
  expect(() => one.ring(), 'a bell that cannot be rung is no error').not.toThrow();
  await one.close();
  await two.close();
});

test('a copy in memory holds what a plan depends on, and what is written to it stays there', async () => {
  await makeStore(3);
  const before = readFileSync(path);
  const copy = await copyStore(folder);
  const original = await openStore(folder);
  expect(copy.id).toBe(original.id);
  await original.close();
  await copy.transaction(({ tasks }) => tasks.patch('t0', { cost: 5 }, noon));
  expect((await copy.read(({ tasks }) => tasks.list())).map(({ id }) => id).toSorted()).toEqual([
    't0',
    't1',
    't2',
  ]);
  await copy.close();
  const again = await openStore(folder);
  expect((await again.read(({ tasks }) => tasks.get('t0')))?.cost).toBe(0);
  await again.close();
  expect(readFileSync(path).length).toBe(before.length);
});

test('a copy of nothing is empty, and makes nothing', async () => {
  const copy = await copyStore(join(folder, 'none'));
  expect(await copy.read(({ tasks }) => tasks.list())).toEqual([]);
  await copy.close();
  expect(existsSync(join(folder, 'none'))).toBe(false);
});
