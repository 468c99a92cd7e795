import { appendFileSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ArtifactStore } from '../../tools/artifacts/artifacts.ts';
import { parseManifest } from '../../tools/artifacts/manifest.ts';
import type { PublishGivenRequest, PublishRequest } from '../../tools/artifacts/publish.ts';
import { publishGiven, publishResult } from '../../tools/artifacts/publish.ts';
import { verifyResult } from '../../tools/artifacts/verify.ts';
import { place, request } from './delivery.ts';

const textAt = async (store: ArtifactStore, ref: string): Promise<string> =>
  String(await store.read(ref, 1e7));
const everything = (root: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => [path.slice(root.length + 1), readFileSync(path, 'base64')]),
  );

describe('what an attempt made', () => {
  it('is delivered: files, result, and a manifest of both', async () => {
    const { store, file } = await place();
    const files = [await file('data.csv', 'a,b\n'), await file('drafts/plan.md', '## Steps\n\n1. Begin.\n')];
    const published = await publishResult(store, request({ files }));
    expect(published).toMatchObject({
      ref: 'results/task-1.md',
      manifestRef: 'artifacts/task-1/manifest.json',
    });
    expect(await textAt(store, 'results/task-1.md')).toBe(
      [
        '# Write a plan\n',
        'The plan is written.\n',
        '## Steps\n',
        '1. Begin.\n',
        '## Files\n',
        `- \`artifacts/task-1/data.csv\`, 4 bytes, sha256 ${files[0]?.sha256}`,
        `- \`artifacts/task-1/drafts/plan.md\`, 20 bytes, sha256 ${files[1]?.sha256}\n`,
      ].join('\n'),
    );
    const manifest = parseManifest(Buffer.from(await textAt(store, published.manifestRef)));
    expect(manifest).toMatchObject({
      task_id: 'task-1',
      attempt: 1,
      producer: 'writer',
      created_at: '2026-01-31T12:00:00.000Z',
      files: [
        { name: 'data.csv', ref: 'artifacts/task-1/data.csv', size: 4 },
        { name: 'drafts/plan.md', ref: 'artifacts/task-1/drafts/plan.md' },
      ],
    });
    expect((await store.measure(published.manifestRef))?.sha256).toBe(published.manifestSha256);
  });

  it('gives the same bytes when it is delivered again', async () => {
    const { store, file, root } = await place();
    const again = request({ files: [await file('a.md', 'x'), await file('b.json', '{}')] });
    const first = await publishResult(store, again);
    const before = everything(root);
    expect(await publishResult(store, again)).toEqual(first);
    expect(everything(root)).toEqual(before);
    expect(Object.keys(before)).toHaveLength(4);
  });

  it('is the summary alone when there are no files', async () => {
    const { store } = await place();
    await publishResult(store, request());
    expect(await textAt(store, 'results/task-1.md')).toBe('# Write a plan\n\nThe plan is written.\n');
    await publishResult(store, request({ format: 'json' }));
    expect(JSON.parse(await textAt(store, 'results/task-1.json'))).toEqual({
      summary: 'The plan is written.',
    });
  });

  it('has no manifest before all of it is there', async () => {
    const { store, file } = await place();
    const order: string[] = [];
    const watched: ArtifactStore = {
      ...bound(store),
      write: (ref, bytes) => (order.push(ref), store.write(ref, bytes)),
      writeFile: (ref, path) => (order.push(ref), store.writeFile(ref, path)),
    };
    await publishResult(watched, request({ files: [await file('a.md', 'x')] }));
    expect(order).toEqual(['artifacts/task-1/a.md', 'results/task-1.md', 'artifacts/task-1/manifest.json']);
  });

  it.each(['longer, the same beginning', 'other bytes', ''])(
    'is not delivered when a file has become %j since the evidence was taken',
    async (content) => {
      const { store, file } = await place();
      const made = await file('a.md', 'longer, the');
      writeFileSync(made.path, content);
      const conflict = { code: 'CONFLICT', message: expect.stringContaining('"a.md"') as string };
      await expect(publishResult(store, request({ files: [made] }))).rejects.toMatchObject(conflict);
      expect(await store.measure('artifacts/task-1/manifest.json')).toBeUndefined();
    },
  );

  it('is not delivered when a file became a link or was removed', async () => {
    const { store, file } = await place();
    const made = await file('a.md', 'x');
    rmSync(made.path);
    await expect(publishResult(store, request({ files: [made] }))).rejects.toMatchObject({
      code: 'BAD_INPUT',
    });
    symlinkSync('/etc/hostname', made.path);
    await expect(publishResult(store, request({ files: [made] }))).rejects.toMatchObject({
      code: 'BAD_INPUT',
    });
  });

  it('shows the first text that is short and valid, without control characters', async () => {
    const { store, file } = await place();
    const files = [
      await file('broken.md', Buffer.from([0xff, 0xfe])),
      await file('long.md', 'x'.repeat(256 * 1024 + 1)),
      await file('good.TXT', 'a\u001b[31mred\u001b[0m\u0007\u202ez\r\nb'),
      await file('second.md', 'never shown'),
    ];
    const summary = 'said \u001b]0;title\u0007with\u0000 care';
    await publishResult(store, request({ files, summary, title: 'one\ntwo\u001b[2J' }));
    const text = await textAt(store, 'results/task-1.md');
    expect(text).toMatch(/^# one two\n\nsaid with care\n\naredz\nb\n\n## Files\n/u);
    expect(text).not.toMatch(/never shown|xxx/);
    expect(await textAt(store, 'artifacts/task-1/good.TXT')).toContain('\u001b[31m');
  });
});

describe('JSON as the result', () => {
  it('is the only JSON file, byte for byte', async () => {
    const { store, file } = await place();
    const files = [await file('notes.md', 'x'), await file('out.json', ' {"b":1,  "a":2}\n')];
    const { ref } = await publishResult(store, request({ files, format: 'json' }));
    expect(ref).toBe('results/task-1.json');
    expect(await textAt(store, ref)).toBe(' {"b":1,  "a":2}\n');
  });

  it.each(['{"a":', Buffer.from([0x22, 0xff, 0x22]), 'no'])(
    'that does not parse is named: %j',
    async (content) => {
      const { store, file } = await place();
      const files = [await file('out.json', content)];
      await expect(publishResult(store, request({ files, format: 'json' }))).rejects.toMatchObject({
        code: 'UNVERIFIED',
        message: expect.stringContaining('"out.json"') as string,
      });
    },
  );

  it.each([[['a.md']], [['a.json', 'b.json']]])('is a list of %j', async (names) => {
    const { store, file } = await place();
    const files = await Promise.all(names.map((name) => file(name, '{}')));
    await publishResult(store, request({ files, format: 'json' }));
    expect(JSON.parse(await textAt(store, 'results/task-1.json'))).toMatchObject({
      summary: 'The plan is written.',
      files: names.map((name) => ({ name })),
    });
  });
});

describe('names that agents give', () => {
  it('cannot leave the task, hide our files, or fall on one another', async () => {
    const { store, file, root } = await place();
    const names = [
      'manifest.json',
      'Manifest.JSON',
      'manifest.json/below.md',
      'cancelled.json',
      '../../../etc/passwd',
      '/absolute/a.md',
      'a.md',
      'A.md',
      'a.md/b/c',
      'x/y/z/1/a.md',
      'w/y/z/1/a.md',
      'mit Leer zeichen.md',
      'mit_Leer zeichen.md',
      'evil\u001b[2J\nname.md',
      '..',
      '',
      '   ',
      'über/straße.md',
      `${'n'.repeat(250)}.pdf`,
      `${'ü'.repeat(120)}/${'ö'.repeat(120)}/${'ä'.repeat(120)}.md`,
      '-rf',
      '.hidden',
      '\u202egnp.exe',
      'C:\\Users\\x\\plan.docx',
      '~0123456789abcdef',
    ];
    const files = await Promise.all(names.map((name, index) => file(name, `content ${index}`)));
    const { manifestSha256 } = await publishResult(store, request({ files }));
    const verification = await verifyResult(store, { taskId: 'task-1', manifestSha256 });
    expect(verification.problems).toEqual([]);
    const listed = verification.manifest?.files ?? [];
    expect(listed).toHaveLength(names.length);
    expect(new Set(listed.map(({ ref }) => ref.toLowerCase())).size).toBe(names.length);
    for (const [index, { ref, name }] of listed.entries()) {
      expect(ref).toMatch(/^artifacts\/task-1\/[A-Za-z0-9._/-]+$/);
      expect(name).toMatch(/^[^\p{Cc}\u202e]+$/u);
      expect(await textAt(store, ref)).toBe(`content ${index}`);
    }
    expect(listed.find(({ name }) => name.startsWith('mit Leer'))?.ref).toMatch(/\.md$/);
    expect(readdirSync(root).sort()).toEqual(['artifacts', 'results']);
  });

  it('may be as many as a manifest holds', async () => {
    const { store, file } = await place();
    const made = await file('a.md', 'x');
    const files = Array.from({ length: 1001 }, (_, index) => ({ ...made, name: `${index}.md` }));
    await expect(publishResult(store, request({ files }))).rejects.toMatchObject({ code: 'BAD_INPUT' });
  });

  it('of tasks are kept apart as well', async () => {
    const { store } = await place();
    const ids = ['a/b', 'a-b', '../x', 'manifest.json', 'ü', 'a b'];
    for (const taskId of ids) await publishResult(store, request({ taskId, summary: `of ${taskId}` }));
    for (const taskId of ids) {
      const { ok, manifest } = await verifyResult(store, { taskId });
      expect(ok).toBe(true);
      expect(await textAt(store, manifest?.result.ref ?? '')).toContain(`of ${taskId}`);
    }
  });
});

describe('a result that is given', () => {
  it('is delivered as it is', async () => {
    const { store, file } = await place();
    const result = await file('result.md', 'just\r\nthis \u001b[0m');
    const files = [await file('extra.csv', '1')];
    const { ref, manifestSha256 } = await publishGiven(store, given(request({ files }), result.path));
    expect(await textAt(store, ref)).toBe('just\r\nthis \u001b[0m');
    const verification = await verifyResult(store, {
      taskId: 'task-1',
      manifestSha256,
      expected: { format: 'markdown', artifacts: ['extra'] },
    });
    expect(verification).toMatchObject({ ok: true, manifest: { files: [{ name: 'extra.csv' }] } });
  });

  it('must be of its format, and a file', async () => {
    const { store, file } = await place();
    const text = await file('x', 'no json');
    const blank = await file('x', ' \n');
    const binary = await file('x', Buffer.from([0xff]));
    const refused = { code: 'UNVERIFIED' };
    await expect(publishGiven(store, given(request({ format: 'json' }), text.path))).rejects.toMatchObject(
      refused,
    );
    await expect(publishGiven(store, given(request(), blank.path))).rejects.toMatchObject(refused);
    await expect(publishGiven(store, given(request(), binary.path))).rejects.toMatchObject(refused);
    await expect(publishGiven(store, given(request(), '/none'))).rejects.toMatchObject({ code: 'BAD_INPUT' });
    expect(await store.measure('artifacts/task-1/manifest.json')).toBeUndefined();
  });

  it('is refused when it is too large to be checked', async () => {
    const { store, file } = await place();
    const large = await file('x', '');
    for (let i = 0; i < 17; i += 1) appendFileSync(large.path, 'x'.repeat(1024 * 1024));
    await expect(publishGiven(store, given(request(), large.path))).rejects.toMatchObject({
      code: 'BAD_INPUT',
    });
    expect(await store.measure('results/task-1.md')).toBeUndefined();
  });
});

function given(delivery: PublishRequest, result: string): PublishGivenRequest {
  const { taskId, attempt, producer, now, format, files } = delivery;
  return { taskId, attempt, producer, now, format, files, result };
}

function bound(store: ArtifactStore): ArtifactStore {
  return {
    description: store.description,
    write: (ref, bytes) => store.write(ref, bytes),
    writeFile: (ref, path) => store.writeFile(ref, path),
    read: (ref, max) => store.read(ref, max),
    measure: (ref, max) => store.measure(ref, max),
    list: (folder) => store.list(folder),
    remove: (ref) => store.remove(ref),
    close: () => store.close(),
  };
}
