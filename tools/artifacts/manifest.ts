/** The list of a task's files with size and hash, written last: what is not in it was not delivered. Pure. */
import { AppError } from '../errors.ts';

export interface ManifestFile {
  /** As the agent called it, for people; made fit for a terminal. */
  name: string;
  ref: string;
  /** Bytes. */
  size: number;
  /** Hex. */
  sha256: string;
}

export interface Manifest {
  schema: 'agentq/manifest/1';
  task_id: string;
  /** 1-based; 0: a task that was completed without an attempt. */
  attempt: number;
  /** The role that did the work. */
  producer: string;
  /** ISO 8601. */
  created_at: string;
  result: Omit<ManifestFile, 'name'>;
  files: ManifestFile[];
}

export const manifestSchema = 'agentq/manifest/1';
export const maxManifest = 1_000_000;
export const maxFiles = 1000;

/** The same manifest always gives the same bytes. Throws BAD_INPUT where it would be too large to be read again. */
export function encodeManifest(manifest: Manifest): Buffer {
  const { task_id, attempt, producer, created_at, result, files } = manifest;
  const listed = files.map(({ name, ref, size, sha256 }) => ({ name, ref, size, sha256 }));
  const found = { ref: result.ref, size: result.size, sha256: result.sha256 };
  const whole = {
    schema: manifestSchema,
    task_id,
    attempt,
    producer,
    created_at,
    result: found,
    files: listed,
  };
  const bytes = Buffer.from(`${JSON.stringify(whole, null, 2)}\n`);
  if (files.length > maxFiles) throw bad(`files: expected at most ${maxFiles}, got: ${files.length}`);
  if (bytes.length > maxManifest) throw bad(`expected at most ${maxManifest} bytes, got: ${bytes.length}`);
  return bytes;
}

/** Throws BAD_INPUT naming the first field that is wrong. Unknown fields are left out. */
export function parseManifest(bytes: Uint8Array): Manifest {
  if (bytes.length > maxManifest) throw bad(`expected at most ${maxManifest} bytes, got: ${bytes.length}`);
  const whole = object(parseJson(bytes), 'the whole');
  if (whole['schema'] !== manifestSchema)
    throw bad(`schema: expected ${manifestSchema}, got: ${shown(whole['schema'])}`);
  const listed = whole['files'];
  if (!Array.isArray(listed)) throw bad(`files: expected a list, got: ${shown(listed)}`);
  if (listed.length > maxFiles) throw bad(`files: expected at most ${maxFiles}, got: ${listed.length}`);
  return {
    schema: manifestSchema,
    task_id: text(whole['task_id'], 'task_id'),
    attempt: count(whole['attempt'], 'attempt'),
    producer: text(whole['producer'], 'producer'),
    created_at: instant(whole['created_at']),
    result: entry(whole['result'], 'result'),
    files: listed.map((file: unknown, index) => {
      const field = `files.${index}`;
      return { name: text(object(file, field)['name'], `${field}.name`), ...entry(file, field) };
    }),
  };
}

function entry(value: unknown, field: string): Omit<ManifestFile, 'name'> {
  const found = object(value, field);
  const sha256 = text(found['sha256'], `${field}.sha256`);
  if (!/^[0-9a-f]{64}$/.test(sha256))
    throw bad(`${field}.sha256: expected 64 hex digits, got: ${shown(sha256)}`);
  const size = count(found['size'], `${field}.size`);
  return { ref: text(found['ref'], `${field}.ref`), size, sha256 };
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw bad('it is not JSON in UTF-8');
  }
}

function object(value: unknown, field: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw bad(`${field}: expected an object, got: ${shown(value)}`);
}

function text(value: unknown, field: string): string {
  if (typeof value === 'string' && value !== '' && value.length <= 500) return value;
  throw bad(`${field}: expected a text of 1 to 500 characters, got: ${shown(value)}`);
}

function count(value: unknown, field: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw bad(`${field}: expected a whole number from 0, got: ${shown(value)}`);
}

function instant(value: unknown): string {
  const found = text(value, 'created_at');
  if (/^\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)$/.test(found) && !Number.isNaN(Date.parse(found)))
    return found;
  throw bad(`created_at: expected a time such as 2026-01-31T12:00:00Z, got: ${shown(value)}`);
}

const shown = (value: unknown): string => (JSON.stringify(value) ?? 'nothing').slice(0, 100);

function bad(problem: string): AppError {
  return new AppError('BAD_INPUT', `the manifest is malformed: ${problem}`);
}
