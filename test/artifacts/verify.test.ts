import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { truncateSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Manifest } from '../../tools/artifacts/manifest.ts';
import { type Published, publishResult } from '../../tools/artifacts/publish.ts';
import { type Verification, verifyResult } from '../../tools/artifacts/verify.ts';
import { type Place, place, request } from './delivery.ts';

const manifestRef = 'artifacts/task-1/manifest.json';
const expected = { format: 'markdown' as const, artifacts: ['plan', 'Risks'] };

async function delivered(): Promise<Place & Published & { verify: () => Promise<Verification> }> {
  const here = await place();
  const files = [
    await here.file('plan.md', '## Risks\n\nMany.\n'),
    await here.file('data/table.csv', 'a,b\n'),
  ];
  const published = await publishResult(here.store, request({ files }));
  const { manifestSha256 } = published;
  const verify = () => verifyResult(here.store, { taskId: 'task-1', manifestSha256, expected });
  return { ...here, ...published, verify };
}

/** The manifest as somebody else might write it. */
function forge(root: string, change: (manifest: Manifest) => void): void {
  const path = join(root, manifestRef);
  const manifest = JSON.parse(readFileSync(path, 'utf8')) as Manifest;
  change(manifest);
  writeFileSync(path, JSON.stringify(manifest));
}

const refs = ['results/task-1.md', 'artifacts/task-1/plan.md', 'artifacts/task-1/data/table.csv'];

describe('a result that was delivered', () => {
  it('is found as it was', async () => {
    const { verify } = await delivered();
    const verification = await verify();
    expect(verification).toMatchObject({ ok: true, problems: [], manifest: { task_id: 'task-1' } });
    expect(verification.checked.map(({ ref }) => ref)).toEqual([manifestRef, ...refs]);
  });

  it.each(refs)('is not, when %s is gone, longer, shorter or other', async (ref) => {
    const { root, verify } = await delivered();
    const path = join(root, ref);
    const original = readFileSync(path);
    const other = Buffer.from(original);
    other[other.length - 2] = (other.at(-2) ?? 0) ^ 1;
    for (const content of [
      Buffer.concat([original, Buffer.from(' ')]),
      original.subarray(1),
      Buffer.alloc(0),
      other,
    ]) {
      writeFileSync(path, content);
      const { ok, problems } = await verify();
      expect(ok).toBe(false);
      expect(problems[0]).toMatch(new RegExp(`^${ref}( has changed \\(|: )expected `));
    }
    rmSync(path);
    expect((await verify()).problems).toEqual([`${ref} does not exist`]);
    writeFileSync(path, original);
    expect((await verify()).ok).toBe(true);
  });

  it.each([...refs, manifestRef])('is not, when %s became a link, a folder or a FIFO', async (ref) => {
    const { root, verify } = await delivered();
    const path = join(root, ref);
    renameSync(path, `${path}.moved`);
    symlinkSync(`${path}.moved`, path);
    expect((await verify()).problems).toEqual([`${ref}: expected a file, got a link: ${ref}`]);
    rmSync(path);
    mkdirSync(path);
    expect((await verify()).problems).toEqual([
      `${ref}: expected a regular file, got something else: ${ref}`,
    ]);
    rmSync(path, { recursive: true });
    execFileSync('mkfifo', [path]);
    expect((await verify()).problems).toEqual([
      `${ref}: expected a regular file, got something else: ${ref}`,
    ]);
  });

  it('is not, when its folder became a link', async () => {
    const { root, verify } = await delivered();
    renameSync(join(root, 'artifacts/task-1'), join(root, 'moved'));
    symlinkSync(join(root, 'moved'), join(root, 'artifacts/task-1'));
    const { ok, problems } = await verify();
    expect(ok).toBe(false);
    expect(problems).toHaveLength(1);
  });

  it('is not, when a file claims to have no end', async () => {
    const { root, verify } = await delivered();
    for (const ref of [...refs, manifestRef]) {
      truncateSync(join(root, ref), 2 ** 42);
      const { problems } = await verify();
      expect(problems.at(-1) ?? problems[0]).toContain(`got more: `);
    }
  });

  it('names all that is wrong at once', async () => {
    const { root, verify } = await delivered();
    for (const ref of refs) appendFileSync(join(root, ref), '!');
    const { problems, checked } = await verify();
    expect(problems.map((problem) => problem.split(':')[0])).toEqual(refs);
    expect(checked.map(({ ref }) => ref)).toEqual([manifestRef]);
  });
});

describe('a manifest', () => {
  it('that is missing', async () => {
    const { root, verify } = await delivered();
    rmSync(join(root, manifestRef));
    expect(await verify()).toEqual({ ok: false, problems: [`${manifestRef} does not exist`], checked: [] });
  });

  it('that fits forged files is still not the one that was delivered', async () => {
    const { root, store, verify } = await delivered();
    writeFileSync(join(root, refs[0] ?? ''), 'forged');
    forge(root, (manifest) => {
      manifest.result.size = 6;
      manifest.result.sha256 = createHash('sha256').update('forged').digest('hex');
    });
    const { ok, problems } = await verify();
    expect(ok).toBe(false);
    expect(problems).toEqual([
      expect.stringMatching(/^artifacts\/task-1\/manifest.json is not the manifest that/),
    ]);
    // Without the hash of the completion nobody could tell.
    expect((await verifyResult(store, { taskId: 'task-1' })).ok).toBe(true);
  });

  it('of another task, copied here', async () => {
    const { root, store, file } = await delivered();
    await publishResult(store, request({ taskId: 'task-2', files: [await file('x.md', 'x')] }));
    const other = readFileSync(join(root, 'artifacts/task-2/manifest.json'));
    writeFileSync(join(root, manifestRef), other);
    const { ok, problems } = await verifyResult(store, { taskId: 'task-1' });
    expect(ok).toBe(false);
    expect(problems).toContain(`${manifestRef} is the manifest of another task`);
  });

  it.each([
    '../../../etc/passwd',
    '/etc/passwd',
    'artifacts/task-2/x.md',
    'artifacts/task-1',
    'artifacts/task-1/../task-2/x',
    'artifacts/task-10/x',
    'evil\u001b[2J',
  ])('that names the file %j, which is not the task’s', async (ref) => {
    const { root, store } = await delivered();
    forge(root, (manifest) => manifest.files.push({ name: 'x', ref, size: 1, sha256: 'a'.repeat(64) }));
    const { ok, problems } = await verifyResult(store, { taskId: 'task-1' });
    expect(ok).toBe(false);
    expect(problems).toEqual([`${manifestRef} names a file that is not this task's: ${JSON.stringify(ref)}`]);
  });

  it.each(['results/task-2.md', '../secret', 'tasks/task-1.md'])('that names the result %j', async (ref) => {
    const { root, store } = await delivered();
    forge(root, (manifest) => (manifest.result.ref = ref));
    const { problems } = await verifyResult(store, { taskId: 'task-1' });
    expect(problems).toEqual([
      `${manifestRef} names a result that is not this task's: ${JSON.stringify(ref)}`,
    ]);
  });

  it('that names a file twice, or itself', async () => {
    const { root, store } = await delivered();
    forge(root, (manifest) => {
      const [first] = manifest.files;
      if (first) manifest.files.push(first, { ...first, ref: manifestRef });
    });
    const { problems } = await verifyResult(store, { taskId: 'task-1' });
    expect(problems).toEqual(
      [refs[1], manifestRef].map((ref) => `${manifestRef} names a file twice, or itself: ${ref}`),
    );
  });

  it.each(['', '{', '[]', '{"schema":"agentq/manifest/9"}', '\u001b[2J'])('that says %j', async (text) => {
    const { root, store } = await delivered();
    writeFileSync(join(root, manifestRef), text);
    const { ok, problems } = await verifyResult(store, { taskId: 'task-1' });
    expect(ok).toBe(false);
    expect(problems).toEqual([expect.stringMatching(/manifest.json: the manifest is malformed: /)]);
    expect(problems[0]).toMatch(/^\P{Cc}+$/u);
  });

  it('that is larger than any of ours', async () => {
    const { root, store } = await delivered();
    writeFileSync(join(root, manifestRef), ' '.repeat(1_000_001));
    const { problems } = await verifyResult(store, { taskId: 'task-1' });
    expect(problems).toEqual([expect.stringContaining('expected at most 1000000 bytes')]);
  });
});

describe('what was asked for', () => {
  it('is met by files and sections, or is named', async () => {
    const { store } = await delivered();
    const artifacts = ['Table', 'plan.md', 'risks', 'Budget', 'Files'];
    const { ok, problems } = await verifyResult(store, {
      taskId: 'task-1',
      expected: { format: 'text', artifacts },
    });
    expect(ok).toBe(false);
    expect(problems).toEqual([
      'results/task-1.md: expected a file or a section "Budget", but there is none with content',
    ]);
  });

  it('is not met by an empty file', async () => {
    const { store, file } = await place();
    await publishResult(store, request({ files: [await file('plan.md', '')] }));
    const { problems } = await verifyResult(store, {
      taskId: 'task-1',
      expected: { format: 'markdown', artifacts: ['plan'] },
    });
    expect(problems).toHaveLength(1);
  });

  it('is of the format asked for', async () => {
    const { store } = await delivered();
    const { problems } = await verifyResult(store, { taskId: 'task-1', format: 'json' });
    expect(problems).toEqual([
      'results/task-1.md is not of the format json',
      'results/task-1.md: the result is not JSON',
    ]);
    expect((await verifyResult(store, { taskId: 'task-1', format: 'text' })).ok).toBe(true);
  });
});

it('does not say that a result is bad when the folder cannot be reached', async () => {
  const { root, verify } = await delivered();
  rmSync(root, { recursive: true });
  await expect(verify()).rejects.toMatchObject({ code: 'ARTIFACTS_UNAVAILABLE' });
});
