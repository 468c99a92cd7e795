/**
 * An S3-compatible server on a real port: one bucket, addressed by path, whose objects lie in a temporary folder. It
 * checks signatures and the hash of what is uploaded, and refuses what simple servers do not know: bodies in aws-chunked
 * encoding and trailing checksums. Anything it does not know is answered with 501 rather than with a guess.
 */
import { createHash, randomUUID } from 'node:crypto';
import {
  createReadStream,
  createWriteStream,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { signatureProblem } from './s3-signature.ts';

export type S3Fault =
  /** Refused and not carried out. */
  | { kind: 'refuse'; status: number; code: string }
  /** The connection is cut, nothing is carried out. */
  | { kind: 'reset-before' }
  /** Carried out, then the connection is cut without an answer. */
  | { kind: 'commit-then-drop' }
  /** A download ends in the middle. */
  | { kind: 'truncated' }
  /** A download stops in the middle, and the connection stays. */
  | { kind: 'stalled-body' }
  /** Never answered. */
  | { kind: 'stall' };

export interface FakeS3 {
  /** `s3://bucket/prefix?endpoint=…` */
  where: string;
  env: { AWS_ACCESS_KEY_ID: string; AWS_SECRET_ACCESS_KEY: string };
  bucket: string;
  /** Keys that are there, sorted. */
  keys(): string[];
  read(key: string): Buffer;
  /** Puts an object there as somebody else would. */
  put(key: string, bytes: Uint8Array): void;
  metadata(key: string): Record<string, string>;
  /** "METHOD key → status", 0 where there was no answer. */
  calls: string[];
  /** The next `times` requests, or those whose "METHOD key" matches, meet this fault. */
  fail(fault: S3Fault, times?: number, match?: RegExp): void;
  clearFaults(): void;
  close(): Promise<void>;
}

export interface FakeS3Options {
  bucket?: string;
  prefix?: string;
  /** Keys on one page of a listing. */
  pageSize?: number;
}

interface StoredObject {
  path: string;
  etag: string;
  headers: Record<string, string>;
}

interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  url: URL;
  key: string;
}

export async function startFakeS3(options: FakeS3Options = {}): Promise<FakeS3> {
  const bucket = options.bucket ?? 'agents';
  const keys = { accessKeyId: 'AKIAFAKE', secretAccessKey: 'fake/secret+key' };
  const folder = mkdtempSync(join(tmpdir(), 'fake-s3-'));
  const objects = new Map<string, StoredObject>();
  const faults: { fault: S3Fault; left: number; match: RegExp }[] = [];
  const calls: string[] = [];
  const bucketApi = openBucket(folder, objects, options.pageSize ?? 1000);

  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://fake');
    const [, name = '', ...rest] = url.pathname.split('/').map(decodeURIComponent);
    const exchange = { request, response, url, key: rest.join('/') };
    const line = `${request.method} ${exchange.key}`;
    response.on('close', () =>
      calls.push(`${line} → ${response.writableFinished ? response.statusCode : 0}`),
    );
    const next = faults.find((one) => one.left > 0 && one.match.test(line));
    if (next) next.left -= 1;
    const problem = signatureProblem(request, keys) ?? (name === bucket ? undefined : 'NoSuchBucket');
    const done = next
      ? misbehave(next.fault, exchange, bucketApi)
      : problem === undefined
        ? bucketApi(exchange)
        : refuse(exchange, problem === 'NoSuchBucket' ? 404 : 403, problem);
    done.catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const known = (key: string): StoredObject => {
    const object = objects.get(key);
    if (!object) throw new Error(`expected an object, got none: ${key}`);
    return object;
  };
  return {
    where: `s3://${bucket}/${options.prefix ?? 'some/prefix'}?endpoint=${encodeURIComponent(endpoint)}&region=eu-central-1`,
    env: { AWS_ACCESS_KEY_ID: keys.accessKeyId, AWS_SECRET_ACCESS_KEY: keys.secretAccessKey },
    bucket,
    keys: () => [...objects.keys()].sort(),
    read: (key) => readFileSync(known(key).path),
    put: (key, bytes) => {
      const path = join(folder, randomUUID());
      writeFileSync(path, bytes);
      objects.set(key, { path, etag: '"by hand"', headers: {} });
    },
    metadata: (key) => known(key).headers,
    calls,
    fail: (fault, times = 1, match = /^/) => void faults.push({ fault, left: times, match }),
    clearFaults: () => void faults.splice(0),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Half of it, but something. */
function half(chunk: Buffer): Buffer {
  return chunk.subarray(0, Math.max(1, chunk.length >> 1));
}

type Api = (exchange: Exchange) => Promise<void>;

async function misbehave(fault: S3Fault, exchange: Exchange, api: Api): Promise<void> {
  const { request, response } = exchange;
  switch (fault.kind) {
    case 'refuse':
      return refuse(exchange, fault.status, fault.code);
    case 'reset-before':
      response.socket?.resetAndDestroy();
      return undefined;
    case 'stall':
      request.resume();
      return undefined;
    case 'commit-then-drop': {
      response.end = () => {
        response.socket?.resetAndDestroy();
        return response;
      };
      return api(exchange);
    }
    case 'truncated':
    case 'stalled-body': {
      const write = response.write.bind(response) as (chunk: Buffer, done: () => void) => boolean;
      const after = (): unknown => fault.kind === 'truncated' && response.socket?.destroy();
      response.write = (chunk: Buffer) => {
        write(half(chunk), after);
        // Who pipes into this waits for a drain that never comes.
        return false;
      };
      return api(exchange);
    }
  }
}

function openBucket(folder: string, objects: Map<string, StoredObject>, pageSize: number): Api {
  return async (exchange) => {
    const { request, response, key, url } = exchange;
    const object = objects.get(key);
    if (request.method === 'PUT' && key !== '') return put(exchange, folder, objects);
    if (request.method === 'DELETE' && key !== '') {
      objects.delete(key);
      response.writeHead(204).end();
      return undefined;
    }
    if (request.method === 'GET' && key === '' && url.searchParams.get('list-type') === '2')
      return list(exchange, objects, pageSize);
    if ((request.method !== 'GET' && request.method !== 'HEAD') || key === '')
      return refuse(exchange, 501, 'NotImplemented');
    if (object === undefined) return refuse(exchange, 404, 'NoSuchKey');
    const { size, mtime } = statSync(object.path);
    response.writeHead(200, {
      ...object.headers,
      'content-length': size,
      etag: object.etag,
      'last-modified': mtime.toUTCString(),
    });
    if (request.method === 'GET') return pipeline(createReadStream(object.path), response);
    response.end();
    return undefined;
  };
}

async function put(exchange: Exchange, folder: string, objects: Map<string, StoredObject>): Promise<void> {
  const { request, response, key } = exchange;
  const { headers } = request;
  const claimed = String(headers['x-amz-content-sha256']);
  if (headers['content-length'] === undefined) return refuse(exchange, 411, 'MissingContentLength');
  if (
    headers['content-encoding'] !== undefined ||
    headers['x-amz-trailer'] !== undefined ||
    claimed.startsWith('STREAMING')
  )
    return refuse(exchange, 501, 'NotImplemented');
  const path = join(folder, randomUUID());
  const sha256 = createHash('sha256');
  const md5 = createHash('md5');
  await pipeline(
    request,
    async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        sha256.update(chunk);
        md5.update(chunk);
        yield chunk;
      }
    },
    createWriteStream(path),
  );
  if (claimed !== 'UNSIGNED-PAYLOAD' && sha256.digest('hex') !== claimed)
    return refuse(exchange, 400, 'XAmzContentSHA256Mismatch');
  const kept = Object.entries(headers).filter(
    ([name]) => name === 'content-type' || name.startsWith('x-amz-meta-'),
  );
  const etag = `"${md5.digest('hex')}"`;
  objects.set(key, { path, etag, headers: Object.fromEntries(kept) as Record<string, string> });
  response.writeHead(200, { etag }).end();
  return undefined;
}

async function list(exchange: Exchange, objects: Map<string, StoredObject>, pageSize: number): Promise<void> {
  const query = exchange.url.searchParams;
  const prefix = query.get('prefix') ?? '';
  const after = Buffer.from(query.get('continuation-token') ?? '', 'base64').toString();
  const all = [...objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort();
  const page = all.slice(0, Math.min(pageSize, Number(query.get('max-keys') ?? 1000)));
  const more = all.length > page.length;
  const next = Buffer.from(page.at(-1) ?? '').toString('base64');
  const contents = page.map((key) => `<Contents><Key>${escaped(key)}</Key></Contents>`).join('');
  const token = more ? `<NextContinuationToken>${next}</NextContinuationToken>` : '';
  const xml = `<ListBucketResult><KeyCount>${page.length}</KeyCount><IsTruncated>${more}</IsTruncated>${token}${contents}</ListBucketResult>`;
  exchange.response.writeHead(200, { 'content-type': 'application/xml' }).end(xml);
  await Promise.resolve();
}

/** The body is read first: a refusal must not look like a broken connection. */
async function refuse({ request, response }: Exchange, status: number, code: string): Promise<void> {
  if (!request.readableEnded && !request.destroyed)
    await new Promise((resolve) => request.on('close', resolve).on('end', resolve).resume());
  const xml = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>As scripted: ${code}</Message></Error>`;
  response.writeHead(status, { 'content-type': 'application/xml' }).end(request.method === 'HEAD' ? '' : xml);
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
