import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readContext, storeContext } from '../../tools/artifacts/submit-context.ts';
import { place } from './delivery.ts';

const bad = (message: string) => ({
  code: 'BAD_INPUT',
  message: expect.stringContaining(message) as string,
});

it('a context is stored once, and read as it was submitted', async () => {
  const { store } = await place();
  const bytes = Buffer.from('# Grüße\r\n');
  const stored = await storeContext(store, 'task-1', bytes);
  expect(stored.ref).toBe('tasks/task-1.md');
  expect(await storeContext(store, 'task-1', bytes)).toEqual(stored);
  await expect(storeContext(store, 'task-1', Buffer.from('other'))).rejects.toMatchObject({
    code: 'CONFLICT',
  });
  expect(await readContext(store, stored.ref, stored.sha256, 100)).toBe('# Grüße\r\n');
  expect(await readContext(store, stored.ref, undefined, 100)).toBe('# Grüße\r\n');
});

it('a context that is missing, changed, too large or no text is refused', async () => {
  const { root, store } = await place();
  const { ref, sha256 } = await storeContext(store, 'task-1', Buffer.from('as submitted'));
  await expect(readContext(store, 'tasks/none.md', sha256, 100)).rejects.toMatchObject(bad('does not exist'));
  await expect(readContext(store, '../x', sha256, 100)).rejects.toMatchObject(bad('a path below'));
  await expect(readContext(store, ref, sha256, 5)).rejects.toMatchObject(bad('at most 5 bytes'));
  writeFileSync(join(root, ref), 'As submitted');
  await expect(readContext(store, ref, sha256, 100)).rejects.toMatchObject(bad('not what was submitted'));
  writeFileSync(join(root, ref), Buffer.from([0xff]));
  await expect(readContext(store, ref, undefined, 100)).rejects.toMatchObject(bad('UTF-8'));
});
