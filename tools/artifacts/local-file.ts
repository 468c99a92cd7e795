/**
 * Files that agents made, read without trust: links are not followed, only regular files are opened (a FIFO would hold
 * us up for ever), and never more is read than the file had when it was opened.
 */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { AppError, messageOf } from '../errors.ts';
import type { StoredFile } from './artifacts.ts';

export interface LocalFile {
  handle: FileHandle;
  /** Bytes, when it was opened. */
  size: number;
}

const chunkSize = 256 * 1024;
/** Bytes: what S3 takes at once. A sparse file may claim any size, and reading it would take as long as that. */
const maxLocal = 5 * 1024 ** 3;

/** The `code` of a system error such as ENOENT; otherwise its text. */
export function systemCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : messageOf(error);
}

/** Throws the system's error, or BAD_INPUT for what is no regular file. The caller closes the handle. */
export async function openRegular(path: string, shown: string): Promise<LocalFile> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const facts = await handle.stat();
    if (facts.isFile()) return { handle, size: facts.size };
    throw new AppError('BAD_INPUT', `expected a regular file, got something else: ${shown}`);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** A file outside the artifact root. Throws BAD_INPUT for more than `maxBytes`, and for what cannot be read as a file. */
export async function openLocal(path: string, maxBytes = maxLocal): Promise<LocalFile> {
  const shown = JSON.stringify(path.slice(0, 300));
  try {
    const file = await openRegular(path, shown);
    if (file.size <= maxBytes) return file;
    await file.handle.close();
    throw new AppError('BAD_INPUT', `expected at most ${maxBytes} bytes, got: ${file.size}, ${shown}`);
  } catch (error) {
    if (error instanceof AppError) throw error;
    const reason = systemCode(error) === 'ELOOP' ? 'it is a link' : systemCode(error);
    throw new AppError('BAD_INPUT', `expected a file that can be read, got: ${shown} (${reason})`, {
      cause: error,
    });
  }
}

/** Exactly `size` bytes. Throws CONFLICT where the file has become shorter or longer meanwhile. */
export async function* contentOf(file: LocalFile, shown: string): AsyncGenerator<Buffer> {
  let at = 0;
  for (;;) {
    // One byte more than expected shows that the file grew.
    const buffer = Buffer.allocUnsafe(Math.min(chunkSize, file.size - at + 1));
    const { bytesRead } = await file.handle.read(buffer, 0, buffer.length, at);
    if (bytesRead === 0 && at === file.size) return;
    at += bytesRead;
    if (bytesRead === 0 || at > file.size) throw changed(shown);
    yield buffer.subarray(0, bytesRead);
  }
}

export function changed(shown: string): AppError {
  return new AppError('CONFLICT', `the file changed while it was being read: ${shown}`, {
    hints: ['wait until whatever writes the file has ended, then try again'],
  });
}

/** Size and hash of a local file, as `publish` wants to be told them. Throws BAD_INPUT or CONFLICT. */
export async function measureLocal(path: string): Promise<StoredFile> {
  const file = await openLocal(path);
  try {
    return await hashed(contentOf(file, JSON.stringify(path.slice(0, 300))));
  } finally {
    await file.handle.close();
  }
}

export async function hashed(content: AsyncIterable<Buffer>): Promise<StoredFile> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of content) {
    hash.update(chunk);
    size += chunk.length;
  }
  return { size, sha256: hash.digest('hex') };
}

export function storedFile(bytes: Uint8Array): StoredFile {
  return { size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}
