/**
 * Requests to Airtable through its official package, made to end: paced, time-limited, retried a few times.
 * Only `makeRequest` of the package is used, because its record methods never settle on an unreadable answer and end
 * the process; its own endless retry of 429 is off. Invariant: a request that may not be repeated is sent again only
 * when Airtable refused it before doing anything.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import Airtable from 'airtable';
import type { Credentials } from './credentials.ts';
import { Failure } from './failure.ts';
import type { Limits } from './limits.ts';
import { judge, unavailable } from './verdict.ts';
import type { Answer, Verdict } from './verdict.ts';

export interface ApiRequest {
  /** Undefined: the API about bases and tables. */
  base: string | undefined;
  /** Already encoded, begins with `/`. */
  path: string;
  method: 'GET' | 'POST' | 'PATCH';
  query?: Record<string, string | number | string[]>;
  body?: unknown;
  /** May this be sent again when nobody knows whether the first one was carried out? */
  repeatable: boolean;
  /** For messages. */
  table: string | undefined;
}

export interface Client {
  /** The JSON object of the answer. Throws Failure. */
  send(request: ApiRequest): Promise<Record<string, unknown>>;
}

/** Hands over status and headers of every answer instead of the package's fixed texts. */
class PlainBase extends Airtable.Base {
  override _checkStatusForError(): null {
    return null;
  }
}

export function openClient(credentials: Credentials, limits: Limits): Client {
  const airtable = new Airtable({
    apiKey: credentials.apiKey,
    endpointUrl: credentials.endpointUrl,
    noRetryIfRateLimited: true,
    requestTimeout: limits.requestMs,
  });
  const endsAt = Date.now() + limits.totalMs;
  let nextAt = 0;

  const once = async (request: ApiRequest): Promise<{ answer?: Answer; verdict: Verdict }> => {
    await sleep(Math.max(0, nextAt - Date.now()));
    nextAt = Date.now() + limits.spacingMs;
    const waitMs = Math.min(limits.requestMs, endsAt - Date.now());
    const answer = await ask(new PlainBase(airtable, request.base ?? 'meta'), request, waitMs);
    if (typeof answer !== 'string') return { answer, verdict: judge(answer, request.table, Date.now()) };
    return {
      verdict: { kind: 'again', applied: 'unknown', failure: unavailable(answer), waitMs: undefined },
    };
  };

  return {
    async send(request) {
      for (let attempt = 1; ; attempt++) {
        const { answer, verdict } = await once(request);
        if (verdict.kind === 'failed') throw verdict.failure;
        if (verdict.kind === 'ok') return objectOf(answer?.body);
        if (verdict.applied === 'unknown' && !request.repeatable) throw unknownEffect(verdict.failure);
        const waitMs = verdict.waitMs ?? delayMs(verdict.failure, attempt, limits);
        if (attempt >= limits.attempts || Date.now() + waitMs >= endsAt)
          throw gaveUp(verdict.failure, attempt);
        await sleep(waitMs);
      }
    },
  };
}

/** One request; a string says why there is no answer that could be read. */
async function ask(base: PlainBase, request: ApiRequest, waitMs: number): Promise<Answer | string> {
  if (waitMs <= 0) return 'the time for this command is over';
  const given = new AbortController();
  const late = sleep(waitMs, `Airtable did not answer within ${waitMs} ms`, { signal: given.signal });
  try {
    // The package's own limit ends with the headers; a body that never ends is left behind here.
    return await Promise.race([late, respond(base, request)]);
  } finally {
    given.abort();
  }
}

async function respond(base: PlainBase, request: ApiRequest): Promise<Answer | string> {
  const { path, method, query, body } = request;
  try {
    const response = await base.makeRequest({
      path,
      method,
      qs: query ?? {},
      ...(body === undefined ? {} : { body }),
    });
    return {
      status: response.statusCode,
      body: response.body,
      retryAfter: response.headers.get('retry-after'),
    };
  } catch (error) {
    return withoutJson(error);
  }
}

/** The package throws plain objects `{error, message, statusCode}`; a status means the body was not JSON. */
function withoutJson(error: unknown): Answer | string {
  const { statusCode, message } = objectOf(error);
  if (typeof statusCode === 'number' && statusCode >= 300)
    return { status: statusCode, body: undefined, retryAfter: null };
  if (typeof statusCode === 'number')
    return `Airtable answered ${statusCode} with something that is not JSON`;
  return `Airtable could not be reached: ${typeof message === 'string' ? message : 'no reason given'}`;
}

function delayMs(failure: Failure, attempt: number, limits: Limits): number {
  if (failure.code === 'RATE_LIMITED') return limits.penaltyMs;
  return Math.round(limits.backoffMs * 2 ** (attempt - 1) * (0.5 + Math.random() / 2));
}

function unknownEffect(cause: Failure): Failure {
  return new Failure('UNKNOWN_EFFECT', `${cause.message}; the records may have been created all the same`, [
    'look before you repeat it: airtable record find',
    'or use airtable record upsert with --key: it can be repeated',
  ]);
}

function gaveUp(cause: Failure, attempts: number): Failure {
  const times = attempts === 1 ? 'one attempt' : `${attempts} attempts`;
  return new Failure(cause.code, `${cause.message}; gave up after ${times}`, cause.hints);
}

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
