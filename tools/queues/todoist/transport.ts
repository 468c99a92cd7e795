/**
 * The way to Todoist under the SDK: our own time-out over headers and body, one connection kept open, and no
 * repeats. The SDK re-sends every request up to three times on network errors, writes included (measured with 17.0.0:
 * four comments after one lost answer), unless the error looks like none of those it knows; ours do not.
 */
import { AppError, messageOf } from '../../errors.ts';

export interface TransportOptions {
  timeoutMs: number;
  now: () => number;
  /** Makes a sync answer fit for the SDK's all-or-nothing parser. */
  sanitize: (body: unknown) => unknown;
}

interface SdkResponse {
  ok: boolean;
  status: number;
  statusText: string;
  headers: Record<string, string>;
  text(): Promise<string>;
  json(): Promise<unknown>;
}

type SdkFetch = (url: string, options?: RequestInit & { timeout?: number }) => Promise<SdkResponse>;

/** Carries our verdict through the SDK, which wraps or hides what its fetch throws. */
export interface Verdict {
  error: AppError | undefined;
}

export function createFetch(options: TransportOptions, verdict: Verdict): SdkFetch {
  return async (url, request = {}) => {
    verdict.error = undefined;
    try {
      return await fetchOnce(url, request, options);
    } catch (error) {
      verdict.error = error instanceof AppError ? error : unreachable(error);
      // A plain name and message: nothing the SDK would take for a network error and repeat.
      throw Object.assign(new Error('todoist request ended'), { name: 'TodoistEnded' });
    }
  };
}

async function fetchOnce(url: string, request: RequestInit, options: TransportOptions): Promise<SdkResponse> {
  const response = await fetch(url, { ...request, signal: AbortSignal.timeout(options.timeoutMs), redirect: 'error' });
  const text = await response.text();
  if (!response.ok) throw refused(response, text, options.now());
  const body = response.status === 204 ? undefined : parsed(text);
  const clean = url.endsWith('/sync') ? options.sanitize(body) : body;
  return {
    ok: true,
    status: response.status,
    statusText: response.statusText,
    headers: Object.fromEntries(response.headers),
    text: async () => (clean === undefined ? '' : JSON.stringify(clean)),
    json: async () => clean,
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const kind = /^\s*</.test(text) ? 'a web page' : text === '' ? 'nothing' : 'something broken';
    throw new AppError('QUEUE_UNAVAILABLE', `Todoist answered with ${kind} instead of JSON`, { cause: error });
  }
}

interface ErrorBody {
  error?: string;
  error_code?: number;
  error_tag?: string;
  error_extra?: { retry_after?: number };
}

/** HTTP statuses as our codes. 403 is both "wrong token" and "plan limit"; only the tag tells them apart. */
function refused(response: Response, text: string, now: number): AppError {
  const { status } = response;
  const body = errorBody(text);
  const said = body?.error ?? response.statusText;
  if (status === 429) {
    const seconds = Number(response.headers.get('retry-after') ?? body?.error_extra?.retry_after ?? 30);
    return new AppError('QUEUE_RATE_LIMITED', 'Todoist asks for a pause (429)', {
      retryAt: now + Math.min(3600, Math.max(1, Number.isFinite(seconds) ? seconds : 30)) * 1000,
    });
  }
  const isPlanLimit = body?.error_tag !== undefined && /LIMIT|PREMIUM|PLAN/.test(body.error_tag);
  if (status === 401 || (status === 403 && !isPlanLimit))
    return new AppError('QUEUE_AUTH', `Todoist does not accept the token (${status})`, {
      hints: ['check TODOIST_API_TOKEN in .env: Todoist → Settings → Integrations → Developer'],
    });
  if (status >= 500 || status === 408 || body === undefined)
    return new AppError('QUEUE_UNAVAILABLE', `Todoist answered ${status}`);
  return new AppError('QUEUE_REJECTED', `Todoist refused (${status} ${body.error_tag ?? ''}): ${said}`, { cause: { status } });
}

function errorBody(text: string): ErrorBody | undefined {
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === 'object' && body !== null ? body : undefined;
  } catch {
    return undefined;
  }
}

function unreachable(error: unknown): AppError {
  const timedOut = error instanceof Error && error.name === 'TimeoutError';
  const cause = error instanceof Error && error.cause !== undefined ? messageOf(error.cause) : messageOf(error);
  return new AppError('QUEUE_UNAVAILABLE', timedOut ? 'Todoist did not answer in time' : `Todoist cannot be reached (${cause})`, {
    cause: error,
  });
}
