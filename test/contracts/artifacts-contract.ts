/** What every place for artifacts keeps to. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ArtifactStore } from '../../tools/artifacts/artifacts.ts';

export interface ArtifactsContract {
  name: string;
  /** A fresh, empty place; closed by the contract. */
  open: () => Promise<ArtifactStore>;
}

const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex');
const mega = 1024 * 1024;

const no = (): Promise<void> => Promise.reject(new Error('no longer yours'));

export function artifactsContract({ name, open }: ArtifactsContract): void {
  describe(`${name} as a place for artifacts`, () => {
    let store: ArtifactStore;
    let local: string;
    const localFile = (bytes: Uint8Array | string): string => {
      const path = join(local, 'file with spaces.bin');
      writeFileSync(path, bytes);
      return path;
    };
    beforeEach(async () => {
      local = mkdtempSync(join(tmpdir(), 'artifacts-local-'));
      store = await open();
    });
    afterEach(async () => {
      await store.close();
      rmSync(local, { recursive: true, force: true });
    });

    it('leaves the old one when the last question is answered with no', async () => {
      await store.write('results/task-1.md', 'The old one.');
      const file = join(local, 'new.md');
      writeFileSync(file, 'The new one.');
      await expect(store.write('results/task-1.md', 'The new one.', no)).rejects.toThrow('no longer');
      await expect(store.writeFile('results/task-1.md', file, no)).rejects.toThrow('no longer');
      expect(String(await store.read('results/task-1.md', 100))).toBe('The old one.');
      expect(await store.list('results')).toEqual(['results/task-1.md']);
    });

    it('gives back what was written, with size and hash', async () => {
      const bytes = Buffer.from('# Plan\n\nGrüße 🌍\r\n\0');
      expect(await store.write('tasks/task-1.md', bytes)).toEqual({
        size: bytes.length,
        sha256: sha256(bytes),
      });
      expect(await store.read('tasks/task-1.md', 1000)).toEqual(bytes);
      expect(await store.measure('tasks/task-1.md')).toEqual({ size: bytes.length, sha256: sha256(bytes) });
    });

    it('writes texts in UTF-8, and nothing at all', async () => {
      expect(await store.write('tasks/a.md', 'é')).toEqual({ size: 2, sha256: sha256('é') });
      expect(await store.write('tasks/empty.md', '')).toEqual({ size: 0, sha256: sha256('') });
      expect(await store.read('tasks/empty.md', 0)).toEqual(Buffer.alloc(0));
    });

    it('replaces a file', async () => {
      await store.write('results/a.md', 'a long first version');
      await store.write('results/a.md', 'second');
      expect(String(await store.read('results/a.md', 100))).toBe('second');
    });

    it('knows nothing of what is not there', async () => {
      expect(await store.read('results/none.md', 10)).toBeUndefined();
      expect(await store.measure('results/none.md')).toBeUndefined();
      expect(await store.list('artifacts/none')).toEqual([]);
      await store.remove('results/none.md');
      await store.remove('no/such/folder.md');
    });

    it('removes one file and no other', async () => {
      await store.write('artifacts/t/a', '1');
      await store.write('artifacts/t/ab', '2');
      await store.remove('artifacts/t/a');
      expect(await store.list('artifacts/t')).toEqual(['artifacts/t/ab']);
    });

    it('lists all below a folder, sorted, and nothing beside it', async () => {
      for (const ref of [
        'artifacts/t/z',
        'artifacts/t/b/c',
        'artifacts/t/a.md',
        'artifacts/t2/x',
        'tasks/t.md',
      ])
        await store.write(ref, ref);
      expect(await store.list('artifacts/t')).toEqual([
        'artifacts/t/a.md',
        'artifacts/t/b/c',
        'artifacts/t/z',
      ]);
      expect(await store.list('artifacts')).toHaveLength(4);
    });

    it('reads what is exactly as large as allowed, and refuses one byte more', async () => {
      await store.write('results/a.md', '12345');
      expect(String(await store.read('results/a.md', 5))).toBe('12345');
      expect((await store.measure('results/a.md', 5))?.size).toBe(5);
      await expect(store.read('results/a.md', 4)).rejects.toMatchObject({ code: 'BAD_INPUT' });
      await expect(store.measure('results/a.md', 4)).rejects.toMatchObject({ code: 'BAD_INPUT' });
    });

    it.each([0, 1, 256 * 1024, 256 * 1024 + 1, 9 * mega + 7])(
      'copies a local file of %i bytes',
      async (size) => {
        const bytes = randomBytes(size);
        const expected = { size, sha256: sha256(bytes) };
        expect(await store.writeFile('artifacts/t/copy.bin', localFile(bytes))).toEqual(expected);
        expect(await store.measure('artifacts/t/copy.bin')).toEqual(expected);
        expect((await store.read('artifacts/t/copy.bin', 10 * mega))?.equals(bytes)).toBe(true);
      },
    );

    it('copies and measures 200 MB without holding them in memory', async () => {
      const path = localFile('');
      truncateSync(path, 200 * mega);
      const before = process.memoryUsage();
      await store.writeFile('artifacts/t/large.bin', path);
      const found = await store.measure('artifacts/t/large.bin');
      const after = process.memoryUsage();
      expect(found?.size).toBe(200 * mega);
      expect(after.rss - before.rss).toBeLessThan(150 * mega);
    });

    it('copies nothing that claims to have no end', async () => {
      const path = localFile('');
      truncateSync(path, 2 ** 42);
      await expect(store.writeFile('artifacts/t/x', path)).rejects.toMatchObject({ code: 'BAD_INPUT' });
    });

    it('copies no link, no folder, nothing that is not there', async () => {
      const link = join(local, 'link');
      symlinkSync(localFile('secret'), link);
      for (const path of [link, local, join(local, 'none')])
        await expect(store.writeFile('artifacts/t/x', path)).rejects.toMatchObject({ code: 'BAD_INPUT' });
      expect(await store.list('artifacts/t')).toEqual([]);
    });

    it.each([
      '',
      '/etc/passwd',
      '../secret',
      'tasks/../../secret',
      'tasks/./x',
      'tasks//x',
      'tasks/',
      'tasks\\..\\x',
      'tasks/a b',
      'tasks/\0',
      'tasks/%2e%2e/x',
      'tasks/~x',
      'tasks/ä',
      `tasks/${'x'.repeat(400)}`,
      `tasks/${'x'.repeat(201)}`,
    ])('refuses the reference %j in every method', async (ref) => {
      const refused = { code: 'BAD_INPUT' };
      await expect(store.write(ref, 'x')).rejects.toMatchObject(refused);
      await expect(store.writeFile(ref, localFile('x'))).rejects.toMatchObject(refused);
      await expect(store.read(ref, 10)).rejects.toMatchObject(refused);
      await expect(store.measure(ref)).rejects.toMatchObject(refused);
      await expect(store.list(ref)).rejects.toMatchObject(refused);
      await expect(store.remove(ref)).rejects.toMatchObject(refused);
    });

    it('takes the longest reference', async () => {
      const ref = `artifacts/${'a'.repeat(190)}/${'b'.repeat(199)}`;
      expect(ref).toHaveLength(400);
      await store.write(ref, 'x');
      expect(await store.list('artifacts')).toEqual([ref]);
    });

    it('shows a reader the old or the new file, never a mixture', async () => {
      const versions = ['a', 'b', 'c'].map((letter) => letter.repeat(mega));
      await store.write('results/a.md', versions[0] ?? '');
      const writers = versions.map((version) => store.write('results/a.md', version));
      const reads = Array.from({ length: 10 }, () => store.measure('results/a.md'));
      const known = versions.map((version) => sha256(version));
      for (const found of await Promise.all(reads)) expect(known).toContain(found?.sha256);
      await Promise.all(writers);
      expect(await store.list('results')).toEqual(['results/a.md']);
    });

    it('says where it is, without keys', () => {
      expect(store.description).not.toBe('');
      expect(store.description).not.toMatch(/secret/i);
    });
  });
}
