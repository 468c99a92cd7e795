import { describe, expect, it } from 'vitest';
import { encodeManifest, type Manifest, parseManifest } from '../../tools/artifacts/manifest.ts';

const sha256 = 'a'.repeat(64);
const manifest: Manifest = {
  schema: 'agentq/manifest/1',
  task_id: 'task-1',
  attempt: 2,
  producer: 'writer',
  created_at: '2026-01-31T12:00:00.000Z',
  result: { ref: 'results/task-1.md', size: 10, sha256 },
  files: [{ name: 'plan \u00e9.md', ref: 'artifacts/task-1/plan.md', size: 0, sha256 }],
};
const parse = (value: unknown): Manifest => parseManifest(Buffer.from(JSON.stringify(value)));

describe('a manifest', () => {
  it('is the same after it was written and read', () => {
    expect(parseManifest(encodeManifest(manifest))).toEqual(manifest);
  });

  it('has the same bytes whatever the order of its fields', () => {
    const turned = Object.fromEntries(Object.entries(manifest).reverse()) as unknown as Manifest;
    expect(encodeManifest(turned)).toEqual(encodeManifest(manifest));
  });

  it('may have fields that we do not know', () => {
    expect(parse({ ...manifest, later: 1, result: { ...manifest.result, etag: 'x' } })).toEqual(manifest);
  });

  const [file] = manifest.files;
  it.each([
    ['schema', { ...manifest, schema: 'agentq/manifest/2' }],
    ['task_id', { ...manifest, task_id: 7 }],
    ['attempt', { ...manifest, attempt: -1 }],
    ['attempt', { ...manifest, attempt: 1.5 }],
    ['attempt', { ...manifest, attempt: '1' }],
    ['producer', { ...manifest, producer: '' }],
    ['created_at', { ...manifest, created_at: 'yesterday' }],
    ['created_at', { ...manifest, created_at: '2026-13-31T12:00:00Z' }],
    ['result', { ...manifest, result: undefined }],
    ['result', { ...manifest, result: [] }],
    ['result.ref', { ...manifest, result: { ...manifest.result, ref: null } }],
    ['result.size', { ...manifest, result: { ...manifest.result, size: 1e300 } }],
    ['result.sha256', { ...manifest, result: { ...manifest.result, sha256: 'A'.repeat(64) } }],
    ['files', { ...manifest, files: {} }],
    ['files', { ...manifest, files: Array.from({ length: 1001 }, () => file) }],
    ['files.0', { ...manifest, files: [null] }],
    ['files.1.name', { ...manifest, files: [file, { ...file, name: undefined }] }],
    ['files.0.name', { ...manifest, files: [{ ...file, name: 'x'.repeat(501) }] }],
    ['files.0.sha256', { ...manifest, files: [{ ...file, sha256: `${sha256}0` }] }],
    ['the whole', [manifest]],
    ['the whole', null],
  ])('with a wrong %s is refused by name', (field, value) => {
    expect(() => parse(value)).toThrow(`the manifest is malformed: ${field}: `);
  });

  it('is refused when it is no JSON, no UTF-8 or too large', () => {
    expect(() => parseManifest(Buffer.from('{'))).toThrow('not JSON in UTF-8');
    expect(() => parseManifest(Buffer.from([0x22, 0xff, 0x22]))).toThrow('not JSON in UTF-8');
    expect(() => parseManifest(Buffer.alloc(1_000_001, ' '))).toThrow('at most 1000000 bytes');
  });

  it('is not written when it could not be read again', () => {
    const files = Array.from({ length: 1001 }, () => ({ name: 'x', ref: 'x', size: 1, sha256 }));
    expect(() => encodeManifest({ ...manifest, files })).toThrow('at most 1000');
    const long = files.slice(0, 1000).map((one) => ({ ...one, name: 'x'.repeat(1000) }));
    expect(() => encodeManifest({ ...manifest, files: long })).toThrow('at most 1000000 bytes');
  });
});
