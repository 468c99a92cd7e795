import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { contentOf, hashed, measureLocal, openLocal } from '../../tools/artifacts/local-file.ts';

function localFile(content: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'artifacts-local-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'file');
  writeFileSync(path, content);
  return path;
}

it.each(['', 'x', 'x'.repeat(600_000)])('a file that stays as it is can be read', async (content) => {
  expect((await measureLocal(localFile(content))).size).toBe(content.length);
});

it.each([
  ['', 'x'],
  ['xx', 'x'],
  ['xx', ''],
  ['x', 'x'.repeat(600_000)],
  ['x'.repeat(600_000), 'x'],
])('a file that grew or shrank since it was opened is a conflict', async (before, after) => {
  const path = localFile(before);
  const file = await openLocal(path);
  onTestFinished(() => file.handle.close());
  writeFileSync(path, after);
  await expect(hashed(contentOf(file, 'the file'))).rejects.toMatchObject({ code: 'CONFLICT' });
});
