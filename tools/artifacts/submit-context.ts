/** The context of a task, as it was submitted: written once, and checked by its hash wherever it is read. */
import { AppError } from '../errors.ts';
import type { ArtifactStore } from './artifacts.ts';
import { decoded } from './expected.ts';
import { storedFile } from './local-file.ts';
import { contextRef } from './refs.ts';

/** The same bytes again are fine; other bytes are a CONFLICT. Two that submit one id at the same moment may both win. */
export async function storeContext(
  store: ArtifactStore,
  taskId: string,
  bytes: Uint8Array,
): Promise<{ ref: string; sha256: string }> {
  const ref = contextRef(taskId);
  const { size, sha256 } = storedFile(bytes);
  const known = await store.measure(ref);
  if (known === undefined) await store.write(ref, bytes);
  else if (known.size !== size || known.sha256 !== sha256)
    throw new AppError('CONFLICT', `another context was submitted for this task: ${ref}`, {
      hints: ['contexts never change: submit a new task'],
    });
  return { ref, sha256 };
}

/** Throws BAD_INPUT when it is missing, is not what was submitted, is no UTF-8, or has more than `maxBytes`. */
export async function readContext(
  store: ArtifactStore,
  ref: string,
  expectedSha256: string | undefined,
  maxBytes: number,
): Promise<string> {
  const bytes = await store.read(ref, maxBytes);
  if (bytes === undefined) throw new AppError('BAD_INPUT', `the context does not exist: ${ref}`);
  const { sha256 } = storedFile(bytes);
  if (expectedSha256 !== undefined && sha256 !== expectedSha256)
    throw new AppError(
      'BAD_INPUT',
      `the context is not what was submitted: ${ref} (expected sha256 ${expectedSha256}, got: ${sha256})`,
      { hints: ['submit the task again with the context as it is now'] },
    );
  const text = decoded(bytes);
  if (text === undefined) throw new AppError('BAD_INPUT', `expected a text in UTF-8, got: ${ref}`);
  return text;
}
