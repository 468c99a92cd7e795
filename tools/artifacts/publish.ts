/**
 * Delivers what an attempt made: files first, then the result, the manifest last. Whoever finds the manifest finds all
 * of it. Doing it again with the same request gives the same bytes, so a worker that died in between just repeats it.
 */
import { messageOf, AppError } from '../errors.ts';
import { oneLine } from '../agents/printable.ts';
import type { ResultFormat } from '../queues/envelope.ts';
import type { ArtifactStore, StoredFile } from './artifacts.ts';
import { composeJson, composeMarkdown, textOf } from './compose.ts';
import { changed, openLocal } from './local-file.ts';
import { encodeManifest, type ManifestFile, manifestSchema, maxFiles } from './manifest.ts';
import { artifactRef, artifactsFolder, manifestRef, resultRef } from './refs.ts';
import { checkExpected } from './expected.ts';

export interface PublishFile extends StoredFile {
  /** Absolute. Size and hash are those that the evidence was taken from. */
  path: string;
  /** For people, relative to wherever the agent worked. */
  name: string;
}

interface Delivery {
  taskId: string;
  attempt: number;
  /** The role that did the work. */
  producer: string;
  /** Epoch ms; becomes the manifest's `created_at`. The same in each repetition. */
  now: number;
  format: ResultFormat;
  files: PublishFile[];
}

export interface PublishRequest extends Delivery {
  title: string;
  summary: string;
}

export interface PublishGivenRequest extends Delivery {
  /** Absolute path of the file that is the result, as it is. */
  result: string;
}

export interface Published {
  /** Of the result. */
  ref: string;
  manifestRef: string;
  manifestSha256: string;
}

/** Bytes of a result, which has to be read as a whole to be checked. */
export const maxResult = 16 * 1024 * 1024;

/**
 * Composes the result of the summary and the files. Throws CONFLICT when a file is no longer what the evidence saw (take
 * the evidence again), UNVERIFIED when the result cannot be of the format asked for, and the store's errors.
 */
export async function publishResult(store: ArtifactStore, request: PublishRequest): Promise<Published> {
  const files = await copyFiles(store, request);
  const body = await compose(store, request, files);
  const ref = resultRef(request.taskId, request.format);
  return finish(store, request, { ref, ...(await store.write(ref, body)) }, files);
}

/** The given file is the result. Throws BAD_INPUT when it cannot be read, UNVERIFIED when it is not of its format. */
export async function publishGiven(store: ArtifactStore, request: PublishGivenRequest): Promise<Published> {
  await (await openLocal(request.result, maxResult)).handle.close();
  const files = await copyFiles(store, request);
  const ref = resultRef(request.taskId, request.format);
  const stored = await store.writeFile(ref, request.result);
  const bytes = await store.read(ref, maxResult);
  const problems = checkExpected(bytes ?? Buffer.alloc(0), [], { format: request.format, artifacts: [] });
  if (problems.length > 0)
    throw new AppError('UNVERIFIED', `${problems.join('; ')}: ${oneLine(request.result)}`);
  return finish(store, request, { ref, ...stored }, files);
}

async function copyFiles(store: ArtifactStore, request: Delivery): Promise<ManifestFile[]> {
  if (request.files.length > maxFiles)
    throw new AppError('BAD_INPUT', `expected at most ${maxFiles} files, got: ${request.files.length}`);
  const taken: string[] = [];
  const copies: ManifestFile[] = [];
  for (const file of request.files) {
    const ref = freeRef(request.taskId, file.name, taken);
    taken.push(ref.toLowerCase());
    const { size, sha256 } = await store.writeFile(ref, file.path);
    const name = oneLine(file.name, 200) || 'file';
    if (size !== file.size || sha256 !== file.sha256) throw changed(JSON.stringify(name));
    copies.push({ name, ref, size, sha256 });
  }
  return copies;
}

/** Different names may become one reference, or a file where another needs a folder; those get a number. */
function freeRef(taskId: string, name: string, taken: string[]): string {
  const ref = artifactRef(taskId, name);
  const inTheWay = (one: string): boolean =>
    taken.some((other) => other === one || other.startsWith(`${one}/`) || one.startsWith(`${other}/`));
  if (!inTheWay(ref.toLowerCase())) return ref;
  const below = ref.slice(artifactsFolder(taskId).length + 1);
  return `${artifactsFolder(taskId)}/also-${taken.length + 1}/${below}`;
}

async function compose(
  store: ArtifactStore,
  request: PublishRequest,
  files: ManifestFile[],
): Promise<Buffer> {
  if (request.format !== 'json') {
    const first = await textOf(store, files);
    return Buffer.from(
      composeMarkdown({ title: request.title, summary: request.summary, text: first, files }),
    );
  }
  const [only, ...more] = files.filter((file) => /\.json$/i.test(file.name));
  if (only === undefined || more.length > 0) return Buffer.from(composeJson(request.summary, files));
  return readJson(store, only);
}

async function readJson(store: ArtifactStore, file: ManifestFile): Promise<Buffer> {
  const shown = JSON.stringify(file.name);
  if (file.size > maxResult)
    throw new AppError('UNVERIFIED', `expected a result of at most ${maxResult} bytes, got: ${shown}`);
  const bytes = await store.read(file.ref, maxResult);
  if (bytes === undefined) throw changed(shown);
  try {
    JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new AppError(
      'UNVERIFIED',
      `expected JSON in UTF-8, got: ${shown} (${oneLine(messageOf(error), 200)})`,
    );
  }
  return bytes;
}

async function finish(
  store: ArtifactStore,
  request: Delivery,
  result: Omit<ManifestFile, 'name'>,
  files: ManifestFile[],
): Promise<Published> {
  const ref = manifestRef(request.taskId);
  const manifest = encodeManifest({
    schema: manifestSchema,
    task_id: request.taskId,
    attempt: request.attempt,
    producer: request.producer,
    created_at: new Date(request.now).toISOString(),
    result,
    files,
  });
  const { sha256 } = await store.write(ref, manifest);
  return { ref: result.ref, manifestRef: ref, manifestSha256: sha256 };
}
