import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
} from 'node:fs';
import { renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ArtifactStore } from '../../tools/artifacts/artifacts.ts';
import { openArtifacts } from '../../tools/artifacts/open-artifacts.ts';
import { artifactsContract } from '../contracts/artifacts-contract.ts';

const module = join(import.meta.dirname, '../../tools/artifacts/open-artifacts.ts');
const made: string[] = [];
function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'artifacts-'));
  made.push(path);
  return path;
}
afterEach(() => {
  for (const path of made.splice(0)) rmSync(path, { recursive: true, force: true });
});

artifactsContract({ name: 'a folder', open: () => openArtifacts(join(folder(), 'made/when/missing'), {}) });

describe('a folder that agents can write to', () => {
  let root: string;
  let outside: string;
  let store: ArtifactStore;
  beforeEach(async () => {
    root = folder();
    outside = folder();
    writeFileSync(join(outside, 'secret'), 'secret');
    store = await openArtifacts(root, {});
  });

  it('may itself be reached by a link', async () => {
    const link = join(outside, 'link');
    symlinkSync(root, link);
    const linked = await openArtifacts(link, {});
    await linked.write('tasks/a.md', 'x');
    expect(linked.description).toBe(realpathSync(root));
    expect(readFileSync(join(root, 'tasks/a.md'), 'utf8')).toBe('x');
  });

  it('reads no link, and says that it is one', async () => {
    mkdirSync(join(root, 'results'));
    symlinkSync(join(outside, 'secret'), join(root, 'results/a.md'));
    symlinkSync(join(outside, 'none'), join(root, 'results/dangling.md'));
    for (const ref of ['results/a.md', 'results/dangling.md']) {
      await expect(store.read(ref, 100)).rejects.toMatchObject({
        code: 'BAD_INPUT',
        message: expect.stringMatching(/a link/) as string,
      });
      await expect(store.measure(ref)).rejects.toMatchObject({
        code: 'BAD_INPUT',
        message: expect.stringMatching(/a link/) as string,
      });
    }
    expect(await store.list('results')).toEqual([]);
  });

  it('writes in the place of a link, not through it', async () => {
    mkdirSync(join(root, 'results'));
    symlinkSync(join(outside, 'secret'), join(root, 'results/a.md'));
    await store.write('results/a.md', 'new');
    expect(readFileSync(join(outside, 'secret'), 'utf8')).toBe('secret');
    expect(String(await store.read('results/a.md', 100))).toBe('new');
    symlinkSync(join(outside, 'secret'), join(root, 'results/b.md'));
    await store.remove('results/b.md');
    expect(existsSync(join(outside, 'secret'))).toBe(true);
  });

  it('goes through no folder that is a link', async () => {
    mkdirSync(join(root, 'artifacts'));
    mkdirSync(join(outside, 'deep'));
    writeFileSync(join(outside, 'deep/secret'), 'secret');
    symlinkSync(outside, join(root, 'artifacts/t'));
    const wrong = { message: expect.stringMatching(/expected a folder/) as string };
    await expect(store.write('artifacts/t/x', 'x')).rejects.toMatchObject({ code: 'WORKSPACE', ...wrong });
    await expect(store.write('artifacts/t/n/x', 'x')).rejects.toMatchObject({ code: 'WORKSPACE', ...wrong });
    await expect(store.read('artifacts/t/secret', 99)).rejects.toMatchObject({ code: 'BAD_INPUT', ...wrong });
    await expect(store.measure('artifacts/t/deep/secret')).rejects.toMatchObject({ code: 'BAD_INPUT' });
    await expect(store.list('artifacts/t')).rejects.toMatchObject({ code: 'BAD_INPUT', ...wrong });
    await expect(store.remove('artifacts/t/secret')).rejects.toMatchObject({ code: 'BAD_INPUT', ...wrong });
    expect(await store.list('artifacts')).toEqual([]);
    expect(readdirSync(outside).sort()).toEqual(['deep', 'secret']);
  });

  it('does not wait for a FIFO, and takes no folder for a file', async () => {
    mkdirSync(join(root, 'results/folder.md'), { recursive: true });
    execFileSync('mkfifo', [join(root, 'results/fifo.md')]);
    for (const ref of ['results/fifo.md', 'results/folder.md']) {
      await expect(store.read(ref, 100)).rejects.toMatchObject({ code: 'BAD_INPUT' });
      await expect(store.measure(ref)).rejects.toMatchObject({ code: 'BAD_INPUT' });
    }
    await expect(store.writeFile('tasks/x', join(root, 'results/fifo.md'))).rejects.toMatchObject({
      code: 'BAD_INPUT',
    });
    await expect(store.write('results/folder.md', 'x')).rejects.toMatchObject({ code: 'WORKSPACE' });
    await store.write('results/fifo.md', 'x');
    expect(String(await store.read('results/fifo.md', 100))).toBe('x');
  });

  it('says which folder is a file', async () => {
    await store.write('artifacts/t', 'a file');
    await expect(store.write('artifacts/t/x', 'x')).rejects.toMatchObject({
      code: 'WORKSPACE',
      message: expect.stringContaining(join(root, 'artifacts/t')) as string,
    });
    await expect(store.measure('artifacts/t/x')).rejects.toMatchObject({ code: 'BAD_INPUT' });
  });

  it('does not take a share that is gone for an empty one', async () => {
    await store.write('results/a.md', 'x');
    renameSync(root, `${root}-gone`);
    made.push(`${root}-gone`);
    const gone = { code: 'ARTIFACTS_UNAVAILABLE' };
    await expect(store.read('results/a.md', 10)).rejects.toMatchObject(gone);
    await expect(store.measure('results/a.md')).rejects.toMatchObject(gone);
    await expect(store.list('results')).rejects.toMatchObject(gone);
    await expect(store.write('results/a.md', 'x')).rejects.toMatchObject(gone);
    expect(existsSync(root)).toBe(false);
  });

  it('says so where no folder can be made, and what is a file', async () => {
    const unavailable = expect.objectContaining({ code: 'ARTIFACTS_UNAVAILABLE' });
    await expect(openArtifacts('/proc/none/below', {})).rejects.toThrow(unavailable);
    const needsPerson = expect.objectContaining({ code: 'WORKSPACE' });
    await expect(openArtifacts(join(outside, 'secret'), {})).rejects.toThrow(needsPerson);
  });

  it('lists no names that are no references', async () => {
    await store.write('artifacts/t/good', 'x');
    writeFileSync(join(root, 'artifacts/t/a b'), 'x');
    writeFileSync(join(root, 'artifacts/t/\u001b[31m'), 'x');
    expect(await store.list('artifacts/t')).toEqual(['artifacts/t/good']);
  });

  it('keeps its own permissions to itself: a file without rights is a finding, a folder needs a person', async () => {
    await store.write('results/a.md', 'x');
    if (process.getuid?.() === 0) return;
    chmodSync(join(root, 'results/a.md'), 0);
    await expect(store.read('results/a.md', 10)).rejects.toMatchObject({ code: 'BAD_INPUT' });
    chmodSync(join(root, 'results'), 0o500);
    await expect(store.write('results/b.md', 'x')).rejects.toMatchObject({ code: 'WORKSPACE' });
    chmodSync(join(root, 'results'), 0o700);
  });

  it('says that a disk is full, that waiting may help, and leaves nothing half written', (context) => {
    const program = `
      import { readdirSync } from 'node:fs';
      import { openArtifacts } from ${JSON.stringify(module)};
      const store = await openArtifacts(${JSON.stringify(root)}, {});
      await store.write('results/a.md', 'old');
      const error = await store.write('results/a.md', 'x'.repeat(4e6)).catch((error) => error);
      console.log(JSON.stringify([error.code, String(await store.read('results/a.md', 9)), readdirSync(${JSON.stringify(join(root, 'results'))})]));`;
    const script = 'mount -t tmpfs -o size=1m none "$1" && exec "$2" --input-type=module -e "$3"';
    const args = ['-rm', 'sh', '-c', script, 'sh', root, process.execPath, program];
    const run = spawnSync('unshare', args, { encoding: 'utf8' });
    if (run.status !== 0 && /unshare|mount/.test(run.stderr)) context.skip('no namespaces here');
    expect(JSON.parse(run.stdout)).toEqual(['ARTIFACTS_UNAVAILABLE', 'old', ['a.md']]);
  });

  it('refuses what is no absolute folder and no address', async () => {
    await expect(openArtifacts('relative', {})).rejects.toMatchObject({ code: 'BAD_INPUT' });
    await expect(openArtifacts('http://x', {})).rejects.toMatchObject({ code: 'BAD_INPUT' });
    writeFileSync(join(outside, 'file'), '');
    await expect(openArtifacts(join(outside, 'file'), {})).rejects.toMatchObject({ code: 'WORKSPACE' });
    await expect(openArtifacts(join(outside, 'file/below'), {})).rejects.toMatchObject({ code: 'WORKSPACE' });
  });

  it('shows nothing of a writer that was killed in the middle', async () => {
    await store.write('artifacts/t/a.bin', 'the old one');
    const source = join(outside, 'large');
    execFileSync('truncate', ['-s', '2G', source]);
    const program = `
      import { openArtifacts } from ${JSON.stringify(module)};
      const store = await openArtifacts(${JSON.stringify(root)}, {});
      await store.writeFile('artifacts/t/a.bin', ${JSON.stringify(source)});`;
    const writer = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: 'inherit' });
    const ended = new Promise((resolve) => writer.once('exit', (_, signal) => resolve(signal)));
    const left = (): string[] => readdirSync(join(root, 'artifacts/t')).filter((name) => name !== 'a.bin');
    while (left().length === 0 && writer.exitCode === null)
      await new Promise((resolve) => setTimeout(resolve, 2));
    writer.kill('SIGKILL');
    expect(await ended).toBe('SIGKILL');
    expect(left()).toHaveLength(1);
    expect(await store.list('artifacts/t')).toEqual(['artifacts/t/a.bin']);
    expect(String(await store.read('artifacts/t/a.bin', 100))).toBe('the old one');
    await store.write('artifacts/t/a.bin', 'the new one');
    expect(String(await store.read('artifacts/t/a.bin', 100))).toBe('the new one');
  });
});
