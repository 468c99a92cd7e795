/**
 * Is the result still what was delivered? Everything is read again and hashed; nothing that a file or a store says about
 * itself counts. What is wrong comes back as sentences, each naming the reference.
 */
import { hasCode } from '../errors.ts';
import type { ExpectedOutput, ResultFormat } from '../queues/envelope.ts';
import type { ArtifactStore, StoredFile } from './artifacts.ts';
import { checkExpected } from './expected.ts';
import { storedFile } from './local-file.ts';
import { type Manifest, maxManifest, parseManifest } from './manifest.ts';
import { maxResult } from './publish.ts';
import { artifactsFolder, isRef, manifestRef, resultRef } from './refs.ts';

export interface VerifyRequest {
  taskId: string;
  /** As stored with the completion. Undefined: any manifest of the task will do. */
  manifestSha256?: string | undefined;
  expected?: Pick<ExpectedOutput, 'format' | 'artifacts'> | undefined;
  /** Where `expected` says nothing of it. */
  format?: ResultFormat | undefined;
}

export interface Checked extends StoredFile {
  ref: string;
}

export interface Verification {
  ok: boolean;
  problems: string[];
  /** Undefined: there is none, or it cannot be read as one. */
  manifest?: Manifest;
  /** What was found as the manifest says, the manifest itself first. */
  checked: Checked[];
}

/** Never throws for anything an agent could have done; throws ARTIFACTS_UNAVAILABLE and the store's other errors. */
export async function verifyResult(store: ArtifactStore, request: VerifyRequest): Promise<Verification> {
  const ref = manifestRef(request.taskId);
  const checked: Checked[] = [];
  const failed = (...problems: string[]): Verification => ({ ok: false, problems, checked });

  const bytes = await attempt(() => store.read(ref, maxManifest));
  if (typeof bytes === 'string') return failed(`${ref}: ${bytes}`);
  if (bytes === undefined) return failed(`${ref} does not exist`);
  const found = storedFile(bytes);
  if (request.manifestSha256 !== undefined && found.sha256 !== request.manifestSha256)
    return failed(
      `${ref} is not the manifest that was delivered (expected sha256 ${request.manifestSha256}, got: ${found.sha256})`,
    );
  const manifest = await attempt(() => parseManifest(bytes));
  if (typeof manifest === 'string') return failed(`${ref}: ${manifest}`);
  checked.push({ ref, ...found });

  const problems = await check(store, request, manifest, checked);
  return { ok: problems.length === 0, problems, manifest, checked };
}

/** The result is one of those that were told of; the first of them is named where it is none. */
export async function verifyTold(
  store: ArtifactStore,
  request: Omit<VerifyRequest, 'manifestSha256'>,
  told: readonly string[],
): Promise<Verification> {
  let first: Verification | undefined;
  for (const manifestSha256 of told) {
    const found = await verifyResult(store, { ...request, manifestSha256 });
    if (found.ok) return found;
    first ??= found;
  }
  return first ?? verifyResult(store, request);
}

async function check(
  store: ArtifactStore,
  request: VerifyRequest,
  manifest: Manifest,
  checked: Checked[],
): Promise<string[]> {
  const entries = [manifest.result, ...manifest.files];
  const problems = strangers(request, manifest);
  // A manifest that names what is not its own would have us read whatever it likes.
  if (problems.length > 0) return problems;
  for (const entry of entries) {
    const found = await attempt(() => store.measure(entry.ref, entry.size));
    const problem = typeof found === 'string' ? `${entry.ref}: ${found}` : difference(entry, found);
    if (problem === undefined) checked.push({ ref: entry.ref, size: entry.size, sha256: entry.sha256 });
    else problems.push(problem);
  }
  const resultStands = checked.some(({ ref }) => ref === manifest.result.ref);
  return resultStands ? [...problems, ...(await unmet(store, request, manifest))] : problems;
}

function strangers(request: VerifyRequest, manifest: Manifest): string[] {
  const ref = manifestRef(request.taskId);
  const results = [resultRef(request.taskId), resultRef(request.taskId, 'json')];
  const problems: string[] = [];
  if (manifest.task_id !== request.taskId) problems.push(`${ref} is the manifest of another task`);
  if (!results.includes(manifest.result.ref))
    problems.push(`${ref} names a result that is not this task's: ${JSON.stringify(manifest.result.ref)}`);
  const seen = new Set([ref]);
  for (const file of manifest.files) {
    if (!isRef(file.ref) || !file.ref.startsWith(`${artifactsFolder(request.taskId)}/`))
      problems.push(`${ref} names a file that is not this task's: ${JSON.stringify(file.ref)}`);
    else if (seen.has(file.ref)) problems.push(`${ref} names a file twice, or itself: ${file.ref}`);
    seen.add(file.ref);
  }
  return problems;
}

function difference(expected: Checked, found: StoredFile | undefined): string | undefined {
  const { ref } = expected;
  if (found === undefined) return `${ref} does not exist`;
  if (found.size !== expected.size)
    return `${ref} has changed (expected ${expected.size} bytes, got: ${found.size})`;
  if (found.sha256 !== expected.sha256)
    return `${ref} has changed (expected sha256 ${expected.sha256}, got: ${found.sha256})`;
  return undefined;
}

async function unmet(store: ArtifactStore, request: VerifyRequest, manifest: Manifest): Promise<string[]> {
  const format = request.expected?.format ?? request.format;
  if (format === undefined) return [];
  const { ref, sha256 } = manifest.result;
  const problems: string[] = [];
  if (ref !== resultRef(request.taskId, format)) problems.push(`${ref} is not of the format ${format}`);
  const bytes = await attempt(() => store.read(ref, maxResult));
  if (typeof bytes === 'string') return [...problems, `${ref}: ${bytes}`];
  if (bytes === undefined || storedFile(bytes).sha256 !== sha256) return [...problems, `${ref} has changed`];
  const names = manifest.files.filter(({ size }) => size > 0).map(({ name }) => name);
  const missing = checkExpected(bytes, names, { format, artifacts: request.expected?.artifacts ?? [] });
  return [...problems, ...missing.map((problem) => `${ref}: ${problem}`)];
}

/** What lies there and cannot be taken for a file or a manifest (BAD_INPUT) is a finding: its sentence. */
async function attempt<T>(work: () => T | Promise<T>): Promise<T | string> {
  try {
    return await work();
  } catch (error) {
    if (hasCode(error, 'BAD_INPUT') || hasCode(error, 'CONFLICT')) return error.message;
    throw error;
  }
}
