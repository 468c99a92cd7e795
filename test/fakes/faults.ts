/**
 * What goes wrong on the way, for any fake that answers with JSON: scripted, or by chance from a seed. A fault is
 * picked for a request and then played instead of, or after, carrying it out.
 */
import type { ServerResponse } from 'node:http';

export type FaultKind =
  /** Refused with this status and not carried out; 429 brings a Retry-After. */
  | 429
  | 500
  | 502
  | 503
  /** Carried out, but the answer is not the answer. */
  | 'html-200'
  | 'empty-200'
  | 'truncated'
  /** Carried out, then the connection is dropped without an answer. */
  | 'commit-then-drop'
  /** The connection is dropped, nothing is carried out. */
  | 'reset-before'
  /** Never answered; carried out only with `commit`. */
  | 'stall'
  /** Carried out; the answer comes byte by byte, one each `delayMs`. */
  | 'slow-body';

export interface Fault<Call> {
  kind: FaultKind;
  /** Of which requests; a pattern is tested on "METHOD path". Default: any. */
  match?: RegExp | ((call: Call) => boolean);
  /** How often, at most. Default: once, or without end where there is a `rate`. */
  times?: number;
  /** Chance in 0…1 that a matching request meets it. Default: 1. */
  rate?: number;
  /** Seconds, or an HTTP date. Default for 429: 1. */
  retryAfter?: number | string;
  commit?: boolean;
  delayMs?: number;
}

export interface Reply {
  status: number;
  body?: unknown;
  headers?: Record<string, string>;
}

export interface Faults<Call> {
  add(fault: Fault<Call>): void;
  clear(): void;
  /** The fault this request meets, if any; it counts as met. */
  pick(call: Call & { method: string; path: string }): Fault<Call> | undefined;
}

export function scriptFaults<Call>(random: () => number): Faults<Call> {
  const scripted: { fault: Fault<Call>; left: number }[] = [];
  return {
    add: (fault) =>
      void scripted.push({
        fault,
        left: fault.times ?? (fault.rate === undefined ? 1 : Number.POSITIVE_INFINITY),
      }),
    clear: () => void scripted.splice(0),
    pick: (call) => {
      for (const one of scripted) {
        if (one.left <= 0 || !matches(one.fault, call)) continue;
        if (one.fault.rate !== undefined && random() >= one.fault.rate) continue;
        one.left -= 1;
        return one.fault;
      }
      return undefined;
    },
  };
}

function matches<Call>({ match }: Fault<Call>, call: Call & { method: string; path: string }): boolean {
  if (match === undefined) return true;
  return match instanceof RegExp ? match.test(`${call.method} ${call.path}`) : match(call);
}

const page = '<!doctype html><html><body><h1>Something went wrong</h1></body></html>';

/** Plays a fault. `run` carries the request out and gives its true answer. Yields the status sent, 0 for none. */
export function misbehave<Call>(fault: Fault<Call>, run: () => Reply, response: ServerResponse): number {
  switch (fault.kind) {
    case 429:
      return refuse(response, 429, { 'retry-after': String(fault.retryAfter ?? 1) });
    case 500:
    case 502:
    case 503:
      return refuse(
        response,
        fault.kind,
        fault.retryAfter === undefined ? {} : { 'retry-after': String(fault.retryAfter) },
      );
    case 'reset-before':
      return drop(response);
    case 'commit-then-drop':
      run();
      return drop(response);
    case 'stall':
      if (fault.commit === true) run();
      return 0;
    case 'html-200':
    case 'empty-200':
      run();
      response.writeHead(200, { 'content-type': 'text/html' });
      response.end(fault.kind === 'html-200' ? page : '');
      return 200;
    case 'truncated':
      return truncate(response, run());
    case 'slow-body':
      return dribble(response, run(), fault.delayMs ?? 50);
  }
}

function refuse(response: ServerResponse, status: number, headers: Record<string, string>): number {
  response.writeHead(status, { 'content-type': 'text/html', ...headers });
  response.end(page);
  return status;
}

function drop(response: ServerResponse): number {
  response.socket?.resetAndDestroy();
  return 0;
}

function truncate(response: ServerResponse, reply: Reply): number {
  const body = Buffer.from(JSON.stringify(reply.body ?? {}));
  response.writeHead(reply.status, { 'content-type': 'application/json', 'content-length': body.length });
  response.write(body.subarray(0, Math.floor(body.length / 2)), () => response.socket?.destroy());
  return reply.status;
}

function dribble(response: ServerResponse, reply: Reply, delayMs: number): number {
  const body = Buffer.from(JSON.stringify(reply.body ?? {}));
  response.writeHead(reply.status, { 'content-type': 'application/json', 'content-length': body.length });
  let at = 0;
  const timer = setInterval(() => {
    response.write(body.subarray(at, at + 1));
    at += 1;
    if (at < body.length) return;
    clearInterval(timer);
    response.end();
  }, delayMs);
  response.on('close', () => clearInterval(timer));
  return reply.status;
}

/** The same numbers in [0, 1) for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
