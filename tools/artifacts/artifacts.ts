/**
 * The port to where tasks' files lie: contexts, results and artifacts, under one root that all machines can reach. A
 * reference is a path below the root. Errors are AppError: ARTIFACTS_UNAVAILABLE (time may cure it), BAD_INPUT (a
 * reference that is none), WORKSPACE (the folder cannot be written).
 */
export interface StoredFile {
  /** Bytes. */
  size: number;
  /** Hex. */
  sha256: string;
}

export interface ArtifactStore {
  /** What a person would call it; without credentials. */
  readonly description: string;
  /** All of it or nothing: a reader sees the old file or the new one. */
  write(ref: string, bytes: Uint8Array | string): Promise<StoredFile>;
  /** The same from a local file of any size, not read into memory. Links are not followed. */
  writeFile(ref: string, path: string): Promise<StoredFile>;
  /** Undefined: there is none. Throws BAD_INPUT when it has more than `maxBytes`. */
  read(ref: string, maxBytes: number): Promise<Buffer | undefined>;
  /** Reads the whole file to hash it. Undefined: there is none. */
  measure(ref: string): Promise<StoredFile | undefined>;
  /** References below a folder such as `artifacts/task-1`, sorted. */
  list(folder: string): Promise<string[]>;
  remove(ref: string): Promise<void>;
  close(): Promise<void>;
}
