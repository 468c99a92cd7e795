/**
 * Artifacts in a folder, which may be a network share. A file is written beside its place and renamed onto it, so
 * readers never see half of one. Agents can write here too, so nothing is taken on trust: no component below the root
 * may be a link, and what is read must be a regular file.
 *
 * Errors: ARTIFACTS_UNAVAILABLE where time may help (disk full, share gone, too many open files), WORKSPACE where a
 * person must (read-only, no rights, a link or a file where a folder belongs), BAD_INPUT for what lies at a reference
 * and cannot be read as a file (a link, a folder, a FIFO, more than the limit).
 */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, readdir, realpath, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AppError, messageOf } from '../errors.ts';
import type { ArtifactStore, StoredFile } from './artifacts.ts';
import { contentOf, hashed, openLocal, openRegular, storedFile, systemCode } from './local-file.ts';
import type { LocalFile } from './local-file.ts';
import { assertRef, isRef } from './refs.ts';

/** References that `list` yields at most. */
const maxListed = 10_000;

/** Makes the folder where it is missing. Throws WORKSPACE or ARTIFACTS_UNAVAILABLE. */
export async function openFolder(where: string): Promise<ArtifactStore> {
  try {
    await makeFolders(where);
    const root = await realpath(where);
    if (!(await lstat(root)).isDirectory())
      throw new AppError('WORKSPACE', `expected a folder, got: ${where}`, {
        hints: ['correct AGENT_ARTIFACTS'],
      });
    return new Folder(root);
  } catch (error) {
    throw failure(error, where);
  }
}

class Folder implements ArtifactStore {
  readonly description: string;
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
    this.description = root;
  }

  write(ref: string, bytes: Uint8Array | string, before?: () => Promise<void>): Promise<StoredFile> {
    const content = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
    const fill = async (handle: FileHandle): Promise<StoredFile> => {
      await handle.writeFile(content);
      return storedFile(content);
    };
    return this.#replace(ref, fill, before);
  }

  async writeFile(ref: string, path: string, before?: () => Promise<void>): Promise<StoredFile> {
    assertRef(ref);
    const source = await openLocal(path);
    try {
      return await this.#replace(ref, (handle) => hashed(copied(source, path, handle)), before);
    } finally {
      await source.handle.close();
    }
  }

  async read(ref: string, maxBytes: number): Promise<Buffer | undefined> {
    return this.#withFile(ref, async (file) => {
      if (file.size > maxBytes) throw tooLarge(ref, maxBytes);
      return gathered(contentOf(file, ref));
    });
  }

  measure(ref: string, maxBytes = Number.POSITIVE_INFINITY): Promise<StoredFile | undefined> {
    return this.#withFile(ref, async (file) => {
      if (file.size > maxBytes) throw tooLarge(ref, maxBytes);
      return hashed(contentOf(file, ref));
    });
  }

  async list(folder: string): Promise<string[]> {
    assertRef(folder);
    return this.#guarded(folder, async () => {
      const refs: string[] = [];
      if (await this.#descend(folder, false)) await this.#collect(folder, refs);
      return refs.sort();
    });
  }

  async remove(ref: string): Promise<void> {
    assertRef(ref);
    await this.#guarded(ref, async () => {
      if (await this.#descend(dirname(ref), false)) await rm(join(this.#root, ref), { force: true });
    });
  }

  async close(): Promise<void> {
    await Promise.resolve();
  }

  /** What a killed writer leaves is named as no reference can be, so it is never listed or read. */
  #replace(
    ref: string,
    fill: (handle: FileHandle) => Promise<StoredFile>,
    before?: () => Promise<void>,
  ): Promise<StoredFile> {
    return this.#guarded(ref, async () => {
      assertRef(ref);
      await this.#descend(dirname(ref), true);
      const target = join(this.#root, ref);
      await refuseFolder(target, ref);
      const temporary = join(dirname(target), `~${randomBytes(8).toString('hex')}`);
      const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
      const handle = await open(temporary, flags, 0o644);
      try {
        let stored: StoredFile;
        try {
          stored = await fill(handle);
          await handle.sync();
        } finally {
          await handle.close();
        }
        await before?.();
        await rename(temporary, target);
        await syncFolder(dirname(target));
        return stored;
      } catch (error) {
        await rm(temporary, { force: true });
        throw error;
      }
    });
  }

  /** Runs `work` on the file; undefined when there is none. */
  async #withFile<T>(ref: string, work: (file: LocalFile) => Promise<T>): Promise<T | undefined> {
    assertRef(ref);
    return this.#guarded(ref, async () => {
      if (!(await this.#descend(dirname(ref), false))) return undefined;
      const file = await this.#open(ref);
      if (file === undefined) return undefined;
      try {
        return await work(file);
      } finally {
        await file.handle.close();
      }
    });
  }

  async #open(ref: string): Promise<LocalFile | undefined> {
    try {
      return await openRegular(join(this.#root, ref), ref);
    } catch (error) {
      const code = systemCode(error);
      if (code === 'ENOENT') return undefined;
      if (code === 'ELOOP') throw new AppError('BAD_INPUT', `expected a file, got a link: ${ref}`);
      if (['EACCES', 'ENXIO', 'EISDIR'].includes(code))
        throw new AppError('BAD_INPUT', `expected a file that can be read, got: ${ref} (${code})`);
      throw error;
    }
  }

  /**
   * Walks down to a folder and refuses links on the way. Yields false when it is missing, unless `make`. The root is
   * never made again: were it gone, an unmounted share would look like an empty one.
   */
  async #descend(folder: string, make: boolean): Promise<boolean> {
    await lstat(this.#root);
    let path = this.#root;
    for (const part of folder === '.' ? [] : folder.split('/')) {
      path = join(path, part);
      if (make) await makeFolder(path);
      const facts = await lstat(path).catch((error: unknown) => {
        if (systemCode(error) === 'ENOENT') return undefined;
        throw error;
      });
      if (facts === undefined) return false;
      if (!facts.isDirectory())
        throw new AppError(make ? 'WORKSPACE' : 'BAD_INPUT', `expected a folder, got: ${path}`, {
          hints: ['links are not followed: remove it, or move it away'],
        });
    }
    return true;
  }

  async #collect(folder: string, refs: string[]): Promise<void> {
    for (const entry of await readdir(join(this.#root, folder), { withFileTypes: true })) {
      const ref = `${folder}/${entry.name}`;
      if (!isRef(ref)) continue;
      if (entry.isDirectory()) await this.#collect(ref, refs);
      else if (entry.isFile()) refs.push(ref);
      if (refs.length > maxListed) throw tooMany(folder);
    }
  }

  async #guarded<T>(ref: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw failure(error, join(this.#root, ref));
    }
  }
}

async function gathered(content: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of content) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function* copied(source: LocalFile, path: string, handle: FileHandle): AsyncGenerator<Buffer> {
  for await (const chunk of contentOf(source, JSON.stringify(path.slice(0, 300)))) {
    await handle.writeFile(chunk);
    yield chunk;
  }
}

async function refuseFolder(target: string, ref: string): Promise<void> {
  const facts = await lstat(target).catch(() => undefined);
  if (facts?.isDirectory() !== true) return;
  throw new AppError('WORKSPACE', `expected a file or nothing, got a folder: ${ref}`, {
    hints: ['remove the folder, or move it away'],
  });
}

/** Not by Node's own `recursive`: below a folder that takes none, such as /proc, that tries for ever. */
async function makeFolders(path: string): Promise<void> {
  try {
    await makeFolder(path);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
    if (!(await isThere(dirname(path)))) await makeFolders(dirname(path));
    await makeFolder(path);
  }
}

async function isThere(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined)) !== undefined;
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
  }
}

/** Makes the rename itself last. Some network file systems cannot, and need not, sync a folder. */
async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } catch (error) {
    if (!['EINVAL', 'ENOTSUP', 'EPERM'].includes(systemCode(error))) throw error;
  } finally {
    await handle.close();
  }
}

const needsPerson = new Set(['EROFS', 'EACCES', 'EPERM', 'ENOTDIR', 'EEXIST', 'ELOOP', 'ENAMETOOLONG']);

function failure(error: unknown, path: string): unknown {
  if (error instanceof AppError || !(error instanceof Error) || !('code' in error)) return error;
  const code = systemCode(error);
  if (needsPerson.has(code))
    return new AppError('WORKSPACE', `the artifact folder cannot be used: ${messageOf(error)}`, {
      hints: [`check the rights of ${dirname(path)}, and AGENT_ARTIFACTS`],
      cause: error,
    });
  return new AppError('ARTIFACTS_UNAVAILABLE', `the artifact folder cannot be reached: ${messageOf(error)}`, {
    hints: ['check its free space, and that a network share is mounted'],
    cause: error,
  });
}

function tooLarge(ref: string, maxBytes: number): AppError {
  return new AppError('BAD_INPUT', `expected at most ${maxBytes} bytes, got more: ${ref}`);
}

function tooMany(folder: string): AppError {
  return new AppError('BAD_INPUT', `expected at most ${maxListed} files, got more: ${folder}`);
}
