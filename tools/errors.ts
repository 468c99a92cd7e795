/**
 * The one error class. An error is a code to branch on, a sentence with the offending value, and hints: things
 * to run or to edit. Expected outcomes are values; what is thrown is either this or a bug.
 */
export const errorCodes = [
  // command line and configuration
  'BAD_USAGE',
  'BAD_ROLE',
  'NO_ROLE',
  'NO_PROJECT',
  'NO_TOKEN',
  'BAD_INPUT',
  'NOT_FOUND',
  'CONFLICT',
  // store
  'STORE_LOCKED',
  'STORE_FULL',
  'STORE_CORRUPT',
  'STORE_TOO_NEW',
  'STORE_UNAVAILABLE',
  'STORE_DISCONNECTED',
  'ILLEGAL_TRANSITION',
  // queues
  'QUEUE_AUTH',
  'QUEUE_RATE_LIMITED',
  'QUEUE_UNAVAILABLE',
  'QUEUE_REJECTED',
  'QUEUE_TAKEN',
  // agents and workspaces
  'AGENT_SETUP',
  'WORKSPACE',
  // artifacts
  'ARTIFACTS_UNAVAILABLE',
  'UNVERIFIED',
  // workers in a shell
  'CLAIM_LOST',
] as const;
export type ErrorCode = (typeof errorCodes)[number];

export interface AppErrorOptions {
  hints?: string[];
  cause?: unknown;
  /** Epoch milliseconds before which asking again is pointless (rate limits). */
  retryAt?: number;
}

export class AppError extends Error {
  readonly code: ErrorCode;
  readonly hints: string[];
  readonly retryAt: number | undefined;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.hints = options.hints ?? [];
    this.retryAt = options.retryAt;
  }
}

/** Codes that time can cure; everything else needs a person or a different input. */
const retryable: ReadonlySet<ErrorCode> = new Set([
  'STORE_LOCKED',
  'STORE_FULL',
  'STORE_DISCONNECTED',
  'ARTIFACTS_UNAVAILABLE',
  'QUEUE_RATE_LIMITED',
  'QUEUE_UNAVAILABLE',
]);

export function isRetryable(error: unknown): boolean {
  return error instanceof AppError && retryable.has(error.code);
}

export function hasCode(error: unknown, code: ErrorCode): error is AppError {
  return error instanceof AppError && error.code === code;
}

/** The text of whatever was thrown; packages throw strings and plain objects too. */
export function messageOf(error: unknown): string {
  if (error instanceof Error) return error.message;
  if (typeof error === 'object' && error !== null && 'message' in error) return String(error.message);
  return String(error);
}
