/** Against our own S3-compatible server; with S3_TEST_URL (and AWS_… keys), the contract against a real one too. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { ArtifactStore } from '../../tools/artifacts/artifacts.ts';
import { openArtifacts } from '../../tools/artifacts/open-artifacts.ts';
import { openS3 } from '../../tools/artifacts/s3.ts';
import { publishResult } from '../../tools/artifacts/publish.ts';
import { verifyResult } from '../../tools/artifacts/verify.ts';
import { artifactsContract } from '../contracts/artifacts-contract.ts';
import { type FakeS3, type FakeS3Options, startFakeS3 } from '../fakes/s3-server.ts';
import { place, request } from './delivery.ts';

async function start(options?: FakeS3Options): Promise<{ server: FakeS3; store: ArtifactStore }> {
  const server = await startFakeS3(options);
  onTestFinished(() => server.close());
  const store = await openArtifacts(server.where, server.env);
  onTestFinished(() => store.close());
  return { server, store };
}

artifactsContract({
  name: 'S3',
  open: async () => {
    const server = await startFakeS3({ pageSize: 2 });
    const store = await openArtifacts(server.where, server.env);
    return {
      ...bound(store),
      close: async () => {
        await store.close();
        await server.close();
      },
    };
  },
});

const real = process.env['S3_TEST_URL'];
if (real !== undefined) {
  artifactsContract({
    name: `S3 at ${real}`,
    open: () => openArtifacts(real.replace('?', `/test-${randomUUID()}?`), process.env),
  });
}

function bound(store: ArtifactStore): ArtifactStore {
  return {
    description: store.description,
    write: (ref, bytes, before) => store.write(ref, bytes, before),
    writeFile: (ref, path, before) => store.writeFile(ref, path, before),
    read: (ref, max) => store.read(ref, max),
    measure: (ref, max) => store.measure(ref, max),
    list: (folder) => store.list(folder),
    remove: (ref) => store.remove(ref),
    close: () => store.close(),
  };
}

function localFile(content: string | Uint8Array): string {
  const folder = mkdtempSync(join(tmpdir(), 'artifacts-local-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'file');
  writeFileSync(path, content);
  return path;
}

const slowDown = { kind: 'refuse', status: 503, code: 'SlowDown' } as const;

describe('objects', () => {
  it('lie below the prefix, with type and hash', async () => {
    const { server, store } = await start();
    const { sha256 } = await store.write('results/a.md', 'x');
    await store.writeFile('artifacts/t/data.bin', localFile('x'));
    expect(server.keys()).toEqual(['some/prefix/artifacts/t/data.bin', 'some/prefix/results/a.md']);
    expect(server.metadata('some/prefix/results/a.md')).toEqual({
      'content-type': 'text/markdown; charset=utf-8',
      'x-amz-meta-sha256': sha256,
    });
    expect(store.description).toMatch(/^s3:\/\/agents\/some\/prefix\/ at http:\/\/127/);
  });

  it('may lie at the top of the bucket', async () => {
    const { server, store } = await start({ prefix: '' });
    await store.write('results/a.md', 'x');
    expect(server.keys()).toEqual(['results/a.md']);
    expect(await store.list('results')).toEqual(['results/a.md']);
  });

  it('are hashed as they are, whatever they say about themselves', async () => {
    const { server, store } = await start();
    const { sha256 } = await store.write('results/a.md', 'honest');
    server.put('some/prefix/results/a.md', Buffer.from('changed'));
    expect((await store.measure('results/a.md'))?.sha256).not.toBe(sha256);
  });

  it('of others are not listed: folders, strange names, neighbours', async () => {
    const { server, store } = await start({ pageSize: 1 });
    for (const key of [
      'artifacts/t/',
      'artifacts/t/a b',
      'artifacts/t/..',
      'artifacts/t2/x',
      'artifacts/t/good',
    ])
      server.put(`some/prefix/${key}`, Buffer.from('x'));
    server.put('artifacts/t/elsewhere', Buffer.from('x'));
    expect(await store.list('artifacts/t')).toEqual(['artifacts/t/good']);
  });

  it('are listed over many pages', async () => {
    const { server, store } = await start({ pageSize: 100 });
    const refs = Array.from({ length: 1234 }, (_, index) => `artifacts/t/${String(index).padStart(5, '0')}`);
    for (const ref of refs) server.put(`some/prefix/${ref}`, Buffer.from('x'));
    expect(await store.list('artifacts/t')).toEqual(refs);
    expect(server.calls).toHaveLength(13);
  });

  it('are delivered and verified as files are', async () => {
    const { store } = await start();
    const { file } = await place();
    const files = [await file('plan.md', '# Plan'), await file('data.csv', 'a,b')];
    const { manifestSha256 } = await publishResult(store, request({ files }));
    const expected = { format: 'markdown' as const, artifacts: ['plan', 'data'] };
    const asked = { taskId: 'task-1', manifestSha256, expected };
    expect(await verifyResult(store, asked)).toMatchObject({ ok: true, problems: [] });
    await store.write('artifacts/task-1/plan.md', '# plan');
    const { problems } = await verifyResult(store, asked);
    expect(problems).toEqual([expect.stringContaining('artifacts/task-1/plan.md has changed')]);
  });
});

describe('a server in trouble', () => {
  it.each([
    ['is overloaded', slowDown],
    ['fails', { kind: 'refuse', status: 500, code: 'InternalError' }],
    ['cuts the connection', { kind: 'reset-before' }],
    ['cuts the connection after the work', { kind: 'commit-then-drop' }],
  ] as const)('that %s twice is asked again', async (_, fault) => {
    const { server, store } = await start();
    server.fail(fault, 2);
    await store.write('results/a.md', 'written');
    server.fail(fault, 2);
    expect(String(await store.read('results/a.md', 100))).toBe('written');
    server.fail(fault, 2);
    await store.writeFile('artifacts/t/a', localFile('copied'));
    expect(String(server.read('some/prefix/artifacts/t/a'))).toBe('copied');
    server.fail(fault, 2);
    expect(await store.list('results')).toEqual(['results/a.md']);
    server.fail(fault, 2);
    await store.remove('results/a.md');
    expect(server.keys()).toEqual(['some/prefix/artifacts/t/a']);
  });

  it('that ends a download in the middle is asked again', async () => {
    const { server, store } = await start();
    const text = 'x'.repeat(200_000);
    await store.write('results/a.md', text);
    server.fail({ kind: 'truncated' }, 2);
    expect(String(await store.read('results/a.md', 1e6))).toBe(text);
    server.fail({ kind: 'truncated' }, 2);
    expect((await store.measure('results/a.md'))?.size).toBe(200_000);
  });

  it.each([
    ['GET', 'measure', { kind: 'truncated' }],
    ['GET', 'read', { kind: 'reset-before' }],
    ['PUT', 'write', slowDown],
    ['PUT', 'writeFile', slowDown],
    ['GET', 'list', slowDown],
    ['DELETE', 'remove', slowDown],
  ] as const)('that stays in trouble is said to be unavailable: %s, %s', async (method, verb, fault) => {
    const { server, store } = await start();
    server.put('some/prefix/results/a.md', Buffer.alloc(100_000));
    server.fail(fault, 100);
    const verbs = {
      measure: () => store.measure('results/a.md'),
      read: () => store.read('results/a.md', 1e6),
      write: () => store.write('results/a.md', 'x'),
      writeFile: () => store.writeFile('results/a.md', localFile('x')),
      list: () => store.list('results'),
      remove: () => store.remove('results/a.md'),
    };
    await expect(verbs[verb]()).rejects.toMatchObject({ code: 'ARTIFACTS_UNAVAILABLE' });
    // Conservative: four tries, not four times four.
    expect(server.calls.map((call) => call.split(' ')[0])).toEqual(Array.from({ length: 4 }, () => method));
  });

  it('that never answers, or stops in the middle, does not hold us up', async () => {
    const { server } = await start();
    const store = openS3(server.where, server.env, 300);
    onTestFinished(() => store.close());
    server.put('some/prefix/results/a.md', Buffer.alloc(100_000));
    for (const kind of ['stall', 'stalled-body'] as const) {
      server.fail({ kind });
      expect((await store.measure('results/a.md'))?.size).toBe(100_000);
      server.fail({ kind }, 100);
      await expect(store.measure('results/a.md')).rejects.toMatchObject({ code: 'ARTIFACTS_UNAVAILABLE' });
      server.clearFaults();
    }
    server.fail({ kind: 'stall' }, 1);
    await store.writeFile('results/b.md', localFile('x'));
    expect(server.keys()).toHaveLength(2);
  });

  it.each([
    ['is cut', 'x'.repeat(1000)],
    ['gets other bytes', 'y'.repeat(1_000_000)],
    ['grows', 'x'.repeat(1_000_001)],
  ])('notices a file that %s between two tries', async (_, content) => {
    const { server, store } = await start();
    const path = localFile('x'.repeat(1_000_000));
    server.fail(slowDown, 3);
    const writing = store.writeFile('results/a.md', path).catch((error: unknown) => error);
    await vi.waitUntil(() => server.calls.length > 0, { timeout: 10_000, interval: 5 });
    writeFileSync(path, content);
    expect(await writing).toMatchObject({ code: 'CONFLICT' });
    expect(server.keys()).toEqual([]);
  });

  it('does not make a result look bad', async () => {
    const { server, store } = await start();
    server.fail({ kind: 'reset-before' }, 100);
    await expect(verifyResult(store, { taskId: 'task-1' })).rejects.toMatchObject({
      code: 'ARTIFACTS_UNAVAILABLE',
    });
  });

  it('that is not there at all is said to be unavailable', async () => {
    const { server, store } = await start();
    await server.close();
    await expect(store.read('results/a.md', 10)).rejects.toMatchObject({ code: 'ARTIFACTS_UNAVAILABLE' });
  });
});

const refused = (hint: string) => ({
  code: 'WORKSPACE',
  hints: [expect.stringContaining(hint) as string],
});

describe('what a person must change', () => {
  it('is said at once: keys', async () => {
    const { server } = await start();
    const other = { ...server.env, AWS_ACCESS_KEY_ID: 'AKIAOTHER' };
    const store = await openArtifacts(server.where, other);
    onTestFinished(() => store.close());
    await expect(store.read('results/a.md', 10)).rejects.toMatchObject(refused('AWS_ACCESS_KEY_ID'));
    await expect(store.writeFile('results/a.md', localFile('x'))).rejects.toMatchObject(
      refused('AWS_ACCESS_KEY_ID'),
    );
    const wrong = await openArtifacts(server.where, { ...server.env, AWS_SECRET_ACCESS_KEY: 'wrong secret' });
    onTestFinished(() => wrong.close());
    const error = await wrong.write('results/a.md', 'x').catch((thrown: unknown) => thrown);
    expect(error).toMatchObject(refused('AWS_SECRET_ACCESS_KEY'));
    expect(JSON.stringify(error) + String(error)).not.toContain('wrong secret');
    expect(server.calls).toHaveLength(3);
    // Never a finding about the task: verification does not say that the result is bad.
    await expect(verifyResult(store, { taskId: 'task-1' })).rejects.toMatchObject({ code: 'WORKSPACE' });
  });

  it('is said at once: the bucket', async () => {
    const { server } = await start();
    const store = await openArtifacts(server.where.replace('agents', 'others'), server.env);
    onTestFinished(() => store.close());
    await expect(store.read('results/a.md', 10)).rejects.toMatchObject(refused('make the bucket'));
    await expect(store.list('results')).rejects.toMatchObject(refused('make the bucket'));
  });

  it.each([
    [403, 'AccessDenied'],
    [403, 'RequestTimeTooSkewed'],
    [400, 'EntityTooLarge'],
  ])('is said: %i %s', async (status, code) => {
    const { server, store } = await start();
    server.fail({ kind: 'refuse', status, code }, 100);
    await expect(store.write('results/a.md', 'x')).rejects.toMatchObject({
      code: 'WORKSPACE',
      message: expect.stringContaining(code) as string,
    });
  });
});

describe('an address', () => {
  it.each([
    's3://',
    's3:///prefix',
    's3://UPPER/x',
    's3://b/x',
    's3://key:secret@bucket/x',
    's3://bucket:80/x',
    's3://bucket/a b',
    's3://bucket/../x//y',
    's3://bucket/x?endpoint=ftp://x',
    's3://bucket/x?endpoint=http://key:secret@x',
    's3://bucket/x?endpoint=nonsense',
    's3://bucket/x?secret=1',
    's3://bucket/x#y',
  ])('%s is refused without its secrets', async (where) => {
    const error = await openArtifacts(where, {}).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'BAD_INPUT' });
    expect(String(error)).not.toContain('key:secret');
  });

  it('may leave the region and the endpoint to the environment', async () => {
    const { server } = await start();
    const endpoint = new URL(server.where).searchParams.get('endpoint') ?? '';
    const env = { ...server.env, AWS_ENDPOINT_URL: endpoint, AWS_REGION: 'eu-west-1' };
    const store = await openArtifacts('s3://agents/other', env);
    onTestFinished(() => store.close());
    await store.write('a', 'x');
    expect(server.keys()).toEqual(['other/a']);
  });
});
