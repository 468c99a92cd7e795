/**
 * Artifacts in Amazon S3 or a server that speaks its protocol. An object is replaced as a whole or not at all. Hashes
 * are taken from the bytes themselves, here; what the server says about an object is not believed. One file has at most
 * 5 GB, the limit of a single upload.
 *
 * Errors: ARTIFACTS_UNAVAILABLE (network, 5xx, throttling, after several tries), WORKSPACE (keys, rights, bucket: a
 * person must act), BAD_INPUT (no reference, or too large). Every wait ends.
 */
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { DeleteObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import type { S3ClientConfig } from '@aws-sdk/client-s3';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError, isRetryable } from '../errors.ts';
import type { ArtifactStore, StoredFile } from './artifacts.ts';
import { contentOf, hashed, openLocal, storedFile } from './local-file.ts';
import { assertRef, isRef } from './refs.ts';
import { parseS3Address, type S3Address } from './s3-address.ts';
import { isMissing, s3Failure } from './s3-failures.ts';

const maxListed = 10_000;
const tries = 4;

/**
 * Nothing is asked of the server yet. `idleMs`: how long a connection may bring nothing before it is given up. Throws
 * BAD_INPUT for an address that is none.
 */
export function openS3(where: string, env: NodeJS.ProcessEnv, idleMs = 30_000): ArtifactStore {
  const address = parseS3Address(where, env);
  return new S3(address, new S3Client(configOf(address, env, idleMs)), idleMs);
}

function configOf(address: S3Address, env: NodeJS.ProcessEnv, idleMs: number): S3ClientConfig {
  const accessKeyId = env['AWS_ACCESS_KEY_ID'];
  const secretAccessKey = env['AWS_SECRET_ACCESS_KEY'];
  const sessionToken = env['AWS_SESSION_TOKEN'];
  return {
    region: address.region,
    maxAttempts: tries,
    // Many servers that speak S3 know neither trailing checksums nor aws-chunked bodies.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: { connectionTimeout: 5000, socketTimeout: idleMs },
    ...(address.endpoint === undefined ? {} : { endpoint: address.endpoint, forcePathStyle: true }),
    ...(accessKeyId && secretAccessKey
      ? { credentials: { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) } }
      : {}),
  };
}

class S3 implements ArtifactStore {
  readonly description: string;
  readonly #client: S3Client;
  readonly #address: S3Address;

  readonly #idleMs: number;

  constructor(address: S3Address, client: S3Client, idleMs: number) {
    this.#address = address;
    this.#idleMs = idleMs;
    this.#client = client;
    const at = address.endpoint === undefined ? '' : ` at ${address.endpoint}`;
    this.description = `s3://${address.bucket}/${address.prefix}${at}`;
  }

  async write(ref: string, bytes: Uint8Array | string, before?: () => Promise<void>): Promise<StoredFile> {
    const body = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
    const stored = storedFile(body);
    await before?.();
    await this.#put(ref, body, stored);
    return stored;
  }

  /** Read twice: the hash goes ahead of the bytes, and the server refuses bytes that do not fit it. */
  async writeFile(ref: string, path: string, before?: () => Promise<void>): Promise<StoredFile> {
    assertRef(ref);
    const shown = JSON.stringify(path.slice(0, 300));
    const file = await openLocal(path);
    try {
      const stored = await hashed(contentOf(file, shown));
      // The SDK cannot repeat a stream; we can, from the file.
      for (let round = 1; ; round += 1) {
        try {
          await before?.();
          await this.#putStream(ref, Readable.from(contentOf(file, shown)), stored);
          return stored;
        } catch (error) {
          if (round >= tries || !isRetryable(error)) throw error;
          await sleep(pauseMs(round));
        }
      }
    } finally {
      await file.handle.close();
    }
  }

  async read(ref: string, maxBytes: number): Promise<Buffer | undefined> {
    return this.#get(ref, async (body) => {
      const chunks: Buffer[] = [];
      for await (const chunk of atMost(maxBytes, body, ref)) chunks.push(chunk);
      return Buffer.concat(chunks);
    });
  }

  measure(ref: string, maxBytes = Number.POSITIVE_INFINITY): Promise<StoredFile | undefined> {
    return this.#get(ref, (body) => hashed(atMost(maxBytes, body, ref)));
  }

  async list(folder: string): Promise<string[]> {
    assertRef(folder);
    const { bucket: Bucket, prefix } = this.#address;
    const refs: string[] = [];
    let ContinuationToken: string | undefined;
    do {
      const page = await this.#asked(`list ${folder}`, (abortSignal) =>
        this.#client.send(
          new ListObjectsV2Command({ Bucket, Prefix: `${prefix}${folder}/`, ContinuationToken }),
          { abortSignal },
        ),
      );
      const keys = (page.Contents ?? []).map(({ Key }) => (Key ?? '').slice(prefix.length));
      refs.push(...keys.filter(isRef));
      if (refs.length > maxListed)
        throw new AppError('BAD_INPUT', `expected at most ${maxListed} files, got more: ${folder}`);
      ContinuationToken = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (ContinuationToken !== undefined);
    return refs.sort();
  }

  async remove(ref: string): Promise<void> {
    const target = this.#target(ref);
    await this.#asked(`remove ${ref}`, async (abortSignal) => {
      try {
        await this.#client.send(new DeleteObjectCommand(target), { abortSignal });
      } catch (error) {
        if (!isMissing(error)) throw error;
      }
    });
  }

  async close(): Promise<void> {
    this.#client.destroy();
    await Promise.resolve();
  }

  #target(ref: string): { Bucket: string; Key: string } {
    assertRef(ref);
    return { Bucket: this.#address.bucket, Key: `${this.#address.prefix}${ref}` };
  }

  /** The SDK does not notice when a stream breaks: it would wait for the rest of it. */
  async #putStream(ref: string, body: Readable, stored: StoredFile): Promise<void> {
    const stop = new AbortController();
    let broken: unknown;
    body.once('error', (error) => {
      broken = error;
      stop.abort();
    });
    try {
      await this.#put(ref, body, stored, stop.signal);
    } catch (error) {
      throw broken ?? error;
    } finally {
      body.destroy();
    }
  }

  async #put(
    ref: string,
    body: Uint8Array | Readable,
    stored: StoredFile,
    stop = new AbortController().signal,
  ): Promise<void> {
    const put = new PutObjectCommand({
      ...this.#target(ref),
      Body: body,
      ContentLength: stored.size,
      ContentType: contentType(ref),
      Metadata: { sha256: stored.sha256 },
    });
    // The server checks the body against the hash that is part of the signature.
    put.middlewareStack.add(
      (next) => async (args) => {
        const request = args.request as { headers: Record<string, string> };
        request.headers['x-amz-content-sha256'] = stored.sha256;
        return next(args);
      },
      { step: 'build', name: 'agentqContentSha256' },
    );
    await this.#asked(
      `write ${ref}`,
      (signal) => this.#client.send(put, { abortSignal: AbortSignal.any([signal, stop]) }),
      // Enough for 100 kB a second.
      120_000 + Math.ceil(stored.size / 100),
    );
  }

  /** Undefined: there is none. A body that breaks off is asked for again; a request that fails, the SDK has repeated. */
  async #get<T>(ref: string, use: (body: AsyncIterable<Buffer>) => Promise<T>): Promise<T | undefined> {
    const target = this.#target(ref);
    for (let round = 1; ; round += 1) {
      const response = await this.#asked(`read ${ref}`, (abortSignal) =>
        this.#client.send(new GetObjectCommand(target), { abortSignal }).catch((error: unknown) => {
          if (isMissing(error)) return undefined;
          throw error;
        }),
      );
      if (response === undefined) return undefined;
      try {
        return await use(whole(response.Body as Readable, response.ContentLength, this.#idleMs));
      } catch (error) {
        const failure = s3Failure(error, `read ${ref}`);
        if (round >= tries || !isRetryable(failure)) throw failure;
        await sleep(pauseMs(round));
      }
    }
  }

  async #asked<T>(what: string, ask: (signal: AbortSignal) => Promise<T>, ms = 120_000): Promise<T> {
    try {
      return await ask(AbortSignal.timeout(ms));
    } catch (error) {
      throw s3Failure(error, what);
    }
  }
}

async function* atMost(maxBytes: number, body: AsyncIterable<Buffer>, ref: string): AsyncGenerator<Buffer> {
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > maxBytes)
      throw new AppError('BAD_INPUT', `expected at most ${maxBytes} bytes, got more: ${ref}`);
    yield chunk;
  }
}

/** All bytes that were announced, or an error. */
async function* whole(body: Readable, announced: number | undefined, idleMs: number): AsyncGenerator<Buffer> {
  const idle = setTimeout(() => body.destroy(new Error(`nothing came for ${idleMs} ms`)), idleMs);
  try {
    let size = 0;
    for await (const chunk of body as AsyncIterable<Buffer>) {
      idle.refresh();
      size += chunk.length;
      yield chunk;
    }
    if (announced !== undefined && size !== announced)
      throw new Error(`expected ${announced} bytes, got: ${size}`);
  } finally {
    clearTimeout(idle);
    body.destroy();
  }
}

/** 0.2, 0.4, 0.8 s, and up to as much again, lest all workers come back at once. */
function pauseMs(round: number): number {
  return 100 * 2 ** round * (1 + Math.random());
}

function contentType(ref: string): string {
  if (ref.endsWith('.md')) return 'text/markdown; charset=utf-8';
  if (ref.endsWith('.json')) return 'application/json';
  return ref.endsWith('.txt') ? 'text/plain; charset=utf-8' : 'application/octet-stream';
}
