/**
 * The port to where tasks' files lie: contexts, results and artifacts, under one root that all machines can reach. A
 * reference is a path below the root. Errors are AppError: ARTIFACTS_UNAVAILABLE (time may cure it), WORKSPACE (a person
 * must: rights, keys, bucket), BAD_INPUT (a reference that is none; what lies there is no file, or too large).
 */
import { hasCode } from '../errors.ts';

export interface StoredFile {
  /** Bytes. */
  size: number;
  /** Hex. */
  sha256: string;
}

export interface ArtifactStore {
  /** What a person would call it; without credentials. */
  readonly description: string;
  /**
   * All of it or nothing: a reader sees the old file or the new one. `before` is asked when only the last step is missing;
   * what it throws leaves the old one.
   */
  write(ref: string, bytes: Uint8Array | string, before?: () => Promise<void>): Promise<StoredFile>;
  /**
   * The same from a local file of at most 5 GB, not read into memory. Links are not followed. Throws BAD_INPUT for what is
   * no such file, CONFLICT where it changes meanwhile.
   */
  writeFile(ref: string, path: string, before?: () => Promise<void>): Promise<StoredFile>;
  /** Undefined: there is none. Throws BAD_INPUT when it has more than `maxBytes`. */
  read(ref: string, maxBytes: number): Promise<Buffer | undefined>;
  /** Reads the whole file to hash it. Undefined: there is none. Throws BAD_INPUT when it has more than `maxBytes`. */
  measure(ref: string, maxBytes?: number): Promise<StoredFile | undefined>;
  /** References below a folder such as `artifacts/task-1`, sorted. Throws BAD_INPUT for more than 10 000. */
  list(folder: string): Promise<string[]>;
  remove(ref: string): Promise<void>;
  close(): Promise<void>;
}

/** What lies there and is no file that can be read counts as nothing: others can write below the root as well. */
export async function unlessUnusable<T>(found: Promise<T | undefined>): Promise<T | undefined> {
  try {
    return await found;
  } catch (error) {
    if (hasCode(error, 'BAD_INPUT')) return undefined;
    throw error;
  }
}
