/**
 * Airtable's REST API on a real port: stateful bases, its limits, its error shapes, and faults on demand.
 * Enough for records, upserts and schema; what it does not know it answers with 404 rather than with a guess.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { FakeBase, FakeRecord, Reply } from './airtable-tables.ts';
import { contentBase, missing, ok, oneRecord, page, refusal, write } from './airtable-tables.ts';

/** What goes wrong with a request instead of, or after, its being carried out. */
export type AirtableFault =
  | { kind: 'status'; status: number; retryAfter?: string; type?: string }
  | { kind: 'text'; status: number; text: string; commit?: boolean }
  | { kind: 'truncated' | 'stalled-body' | 'silent' | 'reset'; commit?: boolean };

export interface RecordedCall {
  method: string;
  path: string;
  query: URLSearchParams;
  body: unknown;
  at: number;
  /** Status of the answer; 0 when there was none. */
  status: number;
}

export interface FakeAirtableOptions {
  token?: string;
  bases?: FakeBase[];
  /** Requests a second and base; more are refused for `penaltyMs`. */
  perSecond?: number;
  penaltyMs?: number;
  /** `rejected`: performUpsert is answered with 422, as for key fields it cannot merge on. */
  upsert?: 'supported' | 'rejected';
  readOnly?: boolean;
}

export interface FakeAirtable {
  url: string;
  token: string;
  bases: FakeBase[];
  calls: RecordedCall[];
  /** The next `times` requests meet this fault. */
  fail(fault: AirtableFault, times?: number): void;
  /** Records of a table in the first base. */
  records(table: string): FakeRecord[];
  close(): Promise<void>;
}

export async function startFakeAirtable(options: FakeAirtableOptions = {}): Promise<FakeAirtable> {
  const token = options.token ?? 'patFake.0123456789abcdef';
  const bases = options.bases ?? [contentBase()];
  const calls: RecordedCall[] = [];
  const faults: AirtableFault[] = [];
  const throttle = openThrottle(options.perSecond ?? 5, options.penaltyMs ?? 30_000);
  const api: Api = {
    token,
    bases,
    upsert: options.upsert ?? 'supported',
    readOnly: options.readOnly ?? false,
  };

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://fake');
    const method = request.method ?? 'GET';
    const body = await bodyOf(request);
    const call = { method, path: url.pathname, query: url.searchParams, body, at: Date.now(), status: 0 };
    calls.push(call);
    const fault = faults.shift();
    const run = () => throttle(url.pathname.split('/')[2] ?? '') ?? answer(api, call, request);
    if (fault) misbehave(fault, run, call, response);
    else send(response, run(), call);
  };
  const server = createServer((request, response) => void serve(request, response));
  const port = await listening(server);
  return {
    url: `http://127.0.0.1:${port}`,
    token,
    bases,
    calls,
    fail: (fault, times = 1) => faults.push(...Array.from({ length: times }, () => fault)),
    records: (table) => bases[0]?.tables.find(({ name }) => name === table)?.records ?? [],
    close: () => closed(server),
  };
}

interface Api {
  token: string;
  bases: FakeBase[];
  upsert: 'supported' | 'rejected';
  readOnly: boolean;
}

function answer(api: Api, call: RecordedCall, request: IncomingMessage): Reply {
  if (request.headers.authorization !== `Bearer ${api.token}`)
    return refusal(401, 'AUTHENTICATION_REQUIRED', 'Authentication required');
  const [version, baseId, second, third, fourth] = call.path.split('/').slice(1).map(decodeURIComponent);
  if (version !== 'v0') return missing();
  if (baseId === 'meta') return metaAnswer(api, second, third, fourth);
  const base = api.bases.find(({ id }) => id === baseId);
  if (!base) return missing();
  const table = base.tables.find(({ name }) => name === second);
  if (!table)
    return refusal(
      403,
      'INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND',
      'Invalid permissions, or the requested model was not found.',
    );
  if (call.method === 'GET') return third ? oneRecord(table, third) : page(table, call.query);
  if (api.readOnly)
    return refusal(403, 'INVALID_PERMISSIONS', 'You are not permitted to perform this operation');
  return write(table, call.method, call.body, api.upsert);
}

function metaAnswer(api: Api, what?: string, baseId?: string, part?: string): Reply {
  if (what !== 'bases') return missing();
  if (baseId === undefined)
    return ok({ bases: api.bases.map(({ id, name }) => ({ id, name, permissionLevel: 'create' })) });
  const base = api.bases.find(({ id }) => id === baseId);
  if (!base || part !== 'tables') return missing();
  const tables = base.tables.map(({ name, fields }) => ({
    id: `tbl${name}`,
    name,
    fields: fields.map((field) => ({
      name: field.name,
      type: field.type,
      ...(field.choices ? { options: { choices: field.choices.map((choice) => ({ name: choice })) } } : {}),
    })),
  }));
  return ok({ tables });
}

/** More than `perSecond` in any second, and everything is refused until the penalty is over. */
function openThrottle(perSecond: number, penaltyMs: number): (base: string) => Reply | undefined {
  const starts = new Map<string, number[]>();
  const refusedUntil = new Map<string, number>();
  return (base) => {
    const now = Date.now();
    const recent = [...(starts.get(base) ?? []), now].filter((at) => now - at < 1000);
    starts.set(base, recent);
    if (recent.length > perSecond) refusedUntil.set(base, now + penaltyMs);
    if ((refusedUntil.get(base) ?? 0) <= now) return undefined;
    return {
      status: 429,
      body: { errors: [{ error: 'RATE_LIMIT_REACHED', message: 'Rate limit exceeded.' }] },
    };
  };
}

function misbehave(
  fault: AirtableFault,
  run: () => Reply,
  call: RecordedCall,
  response: ServerResponse,
): void {
  if (fault.kind === 'status') {
    const headers = fault.retryAfter === undefined ? {} : { 'retry-after': fault.retryAfter };
    return send(response, { ...refusal(fault.status, fault.type ?? 'SCRIPTED', 'Scripted'), headers }, call);
  }
  const body = JSON.stringify(fault.commit ? run().body : { records: [] });
  if (fault.kind === 'reset') return void response.socket?.resetAndDestroy();
  if (fault.kind === 'silent') return undefined;
  call.status = fault.kind === 'text' ? fault.status : 200;
  const text = fault.kind === 'text' ? fault.text : body.slice(0, -4);
  if (fault.kind === 'truncated') response.setHeader('content-length', body.length);
  response.writeHead(call.status, { 'content-type': 'application/json' });
  if (fault.kind === 'text') return void response.end(text);
  response.write(text);
  if (fault.kind === 'truncated') setImmediate(() => response.socket?.destroy());
  return undefined;
}

function send(response: ServerResponse, reply: Reply, call: RecordedCall): void {
  call.status = reply.status;
  response.writeHead(reply.status, { 'content-type': 'application/json', ...reply.headers });
  response.end(JSON.stringify(reply.body));
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  let text = '';
  request.setEncoding('utf8');
  for await (const part of request) text += String(part);
  return text === '' ? undefined : JSON.parse(text);
}

function listening(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address ? address.port : 0);
    });
  });
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
