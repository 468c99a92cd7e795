/**
 * How requests travel: global fetch (which keeps connections open), one time limit over headers and body, every
 * failure named, and every good answer mended before the SDK parses it. Nothing is sent twice from here: the SDK
 * re-sends a request, POST included, when a fetch fails with a TypeError or a TimeoutError, so it is never shown one.
 */
import { AppError, messageOf } from '../../errors.ts';
import { failureFrom, TodoistFailure } from './failures.ts';
import { mendAnswer } from './mend.ts';

export interface TransportOptions {
  token: string;
  timeoutMs: number;
  now: () => number;
  /** Ends every request under way. */
  closed: AbortSignal;
  /** Objects of a page that could not be read and were left out. */
  onUnreadable: (problem: string) => void;
}

/** What the SDK wants back from a `customFetch`. */
interface Answer {
  ok: boolean;
  status: number;
  statusText: string;
  headers: Record<string, string>;
  text(): Promise<string>;
  json(): Promise<unknown>;
}

export type Send = (url: string, init?: RequestInit) => Promise<Answer>;

export function openTransport(options: TransportOptions): Send {
  return async (url, init) => {
    const request = `${init?.method ?? 'GET'} ${new URL(url).pathname.replace(/^\/api\/v1\//, '')}`;
    try {
      const { status, retryAfter, body } = await exchange(url, init, options);
      if (status < 200 || status >= 300)
        throw failureFrom({ request, status, retryAfter, body: hide(body, options.token) }, options.now());
      const text = JSON.stringify(mendAnswer(request, parse(body, request), options.onUnreadable));
      const json = async (): Promise<unknown> => JSON.parse(text);
      return { ok: true, status, statusText: 'OK', headers: {}, text: async () => text, json };
    } catch (error) {
      throw new Carrier(named(error, request, options));
    }
  };
}

interface Exchange {
  status: number;
  retryAfter: string | undefined;
  body: string;
}

async function exchange(
  url: string,
  init: RequestInit | undefined,
  options: TransportOptions,
): Promise<Exchange> {
  const ending = new AbortController();
  const timer = setTimeout(() => ending.abort(new Overtime()), options.timeoutMs);
  const onClosed = (): void =>
    ending.abort(new AppError('QUEUE_UNAVAILABLE', 'the Todoist queue was closed'));
  if (options.closed.aborted) onClosed();
  options.closed.addEventListener('abort', onClosed, { once: true });
  try {
    const response = await fetch(url, { ...init, signal: ending.signal, redirect: 'manual' });
    const retryAfter = response.headers.get('retry-after') ?? undefined;
    return { status: response.status, retryAfter, body: await response.text() };
  } finally {
    clearTimeout(timer);
    options.closed.removeEventListener('abort', onClosed);
  }
}

class Overtime extends Error {}

function parse(body: string, request: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    const got = body.trim() === '' ? 'nothing' : JSON.stringify(body.trim().slice(0, 40));
    throw new TodoistFailure('QUEUE_UNAVAILABLE', `expected JSON in the answer to ${request}, got: ${got}`);
  }
}

/** Whatever went wrong, as an AppError that cannot hold the token. */
function named(error: unknown, request: string, { token, timeoutMs }: TransportOptions): AppError {
  if (error instanceof AppError) return error;
  if (error instanceof Overtime)
    return new TodoistFailure(
      'QUEUE_UNAVAILABLE',
      `Todoist did not answer ${request} within ${timeoutMs / 1000} s`,
    );
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : undefined;
  const why = hide(
    [...new Set([messageOf(error), cause && messageOf(cause)])].filter(Boolean).join(': '),
    token,
  );
  return new TodoistFailure('QUEUE_UNAVAILABLE', `Todoist could not be reached for ${request}: ${why}`);
}

function hide(text: string, token: string): string {
  return text.replaceAll(token, '[token]');
}

/**
 * Takes a failure through the SDK. It turns whatever a fetch throws into its own error, and of the thrown it keeps
 * only `message`, `status` and `data` (transport/http-client.js of @doist/todoist-sdk 17.0.0).
 */
class Carrier extends Error {
  readonly status = 0;
  readonly data: AppError;

  constructor(failure: AppError) {
    super('the request failed');
    this.data = failure;
  }
}

/** The AppError in, or for, whatever a call of the SDK threw. */
export function failureOf(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (error instanceof Error && 'responseData' in error && error.responseData instanceof AppError)
    return error.responseData;
  const name = error instanceof Error ? error.name : typeof error;
  return new TodoistFailure('QUEUE_UNAVAILABLE', `Todoist's answer could not be read (${name})`, {
    cause: error,
  });
}
