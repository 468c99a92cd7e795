/**
 * What an answer of Todoist that is no success means. Pure. Only an answer that is certainly Todoist's own may say
 * that something does not exist: the 404 of a proxy or of a wrong address must never read as "deleted".
 */
import { AppError, type AppErrorOptions, type ErrorCode } from '../../errors.ts';

/** Finer than the code, for the driver alone. `unreadable`: one object in an otherwise good answer does not fit. */
export type FailureKind = 'missing' | 'stale-token' | 'unreadable';

export class TodoistFailure extends AppError {
  readonly kind: FailureKind | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: AppErrorOptions & { kind?: FailureKind | undefined } = {},
  ) {
    super(code, message, options);
    this.kind = options.kind;
  }
}

export function isKind(error: unknown, kind: FailureKind): boolean {
  return error instanceof TodoistFailure && error.kind === kind;
}

export interface Refusal {
  /** "GET tasks/6X7r…": what was asked, never with a header. */
  request: string;
  status: number;
  /** The Retry-After header. */
  retryAfter?: string | undefined;
  /** The body as text, with the token already hidden. */
  body: string;
}

const authHints = [
  'copy the token anew from Todoist: Settings → Integrations → Developer, into .env as TODOIST_API_TOKEN',
];
const addressHints = ['check the network, and TODOIST_API_URL if it is set: this is not how Todoist answers'];

/** Todoist's error object: https://developer.todoist.com/api/v1/#tag/Errors; `error_extra.retry_after` in seconds. */
interface ErrorBody {
  error?: unknown;
  error_code?: unknown;
  error_tag?: unknown;
  error_extra?: { retry_after?: unknown };
}

export function failureFrom(refusal: Refusal, now: number): TodoistFailure {
  const body = parseObject(refusal.body);
  const tag = typeof body?.error_tag === 'string' ? body.error_tag : undefined;
  const own = body !== undefined && (tag !== undefined || typeof body.error_code === 'number');
  const code = codeOf(refusal, own, tag);
  const message = `Todoist answered ${refusal.status} to ${refusal.request}${saying(body, tag)}`;
  const retryAt = retryAtOf(refusal, body, now);
  return new TodoistFailure(code, message, {
    hints: code === 'QUEUE_AUTH' ? authHints : own || refusal.status >= 429 ? [] : addressHints,
    ...(code === 'QUEUE_RATE_LIMITED' || code === 'QUEUE_UNAVAILABLE' ? retryAt : {}),
    kind: code === 'QUEUE_REJECTED' ? kindOf(refusal) : undefined,
  });
}

function codeOf({ status, body }: Refusal, own: boolean, tag: string | undefined): ErrorCode {
  if (status === 401) return 'QUEUE_AUTH';
  if (status === 429) return 'QUEUE_RATE_LIMITED';
  if (status < 400 || status >= 500 || status === 408 || status === 425) return 'QUEUE_UNAVAILABLE';
  if (body.trimStart().startsWith('<') || (status === 404 && !own)) return 'QUEUE_UNAVAILABLE';
  // 403 is also how plan limits (MAX_ITEMS_LIMIT_REACHED) and foreign objects are refused.
  if (status === 403)
    return tag === undefined || /AUTH|TOKEN|SCOPE/.test(tag) ? 'QUEUE_AUTH' : 'QUEUE_REJECTED';
  return 'QUEUE_REJECTED';
}

/** How an unknown or expired sync token is refused is not documented: any 4xx that speaks of it counts. */
function kindOf({ request, status, body }: Refusal): FailureKind | undefined {
  if (request.endsWith(' sync') && /sync[ _-]?token/i.test(body)) return 'stale-token';
  return status === 404 ? 'missing' : undefined;
}

function saying(body: ErrorBody | undefined, tag: string | undefined): string {
  const text = typeof body?.error === 'string' ? body.error.slice(0, 200) : '';
  return text || tag ? `: ${[text, tag && `(${tag})`].filter(Boolean).join(' ')}` : '';
}

const longestWaitMs = 60 * 60_000;
const defaultWaitMs = 60_000;

/** The later of header and body, within reason; a rate limit that names no time gets a minute. */
function retryAtOf(refusal: Refusal, body: ErrorBody | undefined, now: number): { retryAt?: number } {
  const seconds = [Number(body?.error_extra?.retry_after ?? Number.NaN), secondsOf(refusal.retryAfter, now)];
  const waits = seconds.filter((value) => Number.isFinite(value) && value >= 0).map((value) => value * 1000);
  if (waits.length > 0) return { retryAt: now + Math.min(longestWaitMs, Math.max(...waits)) };
  return refusal.status === 429 ? { retryAt: now + defaultWaitMs } : {};
}

/** Retry-After is seconds or an HTTP date (RFC 9110, 10.2.3). */
function secondsOf(header: string | undefined, now: number): number {
  if (header === undefined || header.trim() === '') return Number.NaN;
  const seconds = Number(header);
  return Number.isFinite(seconds) ? seconds : (Date.parse(header) - now) / 1000;
}

function parseObject(text: string): ErrorBody | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    // Not JSON is an answer too: it says that this is not Todoist speaking.
    return undefined;
  }
}
