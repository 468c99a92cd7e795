/** What this command reports when it cannot do what was asked: a code to branch on, a sentence, things to do. */
export const failureCodes = [
  'BAD_USAGE',
  'FILE_REFUSED',
  'NO_CREDENTIALS',
  'BAD_CREDENTIALS',
  'NO_PERMISSION',
  'NOT_FOUND',
  'UNKNOWN_FIELD',
  'BAD_VALUE',
  'DUPLICATE_KEY',
  'REJECTED',
  'RATE_LIMITED',
  'QUOTA_USED_UP',
  'UNAVAILABLE',
  'UNKNOWN_EFFECT',
  'INTERNAL',
] as const;
export type FailureCode = (typeof failureCodes)[number];

export class Failure extends Error {
  readonly code: FailureCode;
  readonly hints: string[];
  /** Records that were written before this happened; only for writes in several batches. */
  written: string[] = [];

  constructor(code: FailureCode, message: string, hints: string[] = []) {
    super(message);
    this.name = 'Failure';
    this.code = code;
    this.hints = hints;
  }
}

export function usage(message: string, ...hints: string[]): Failure {
  return new Failure('BAD_USAGE', message, hints.length > 0 ? hints : ['airtable --help']);
}
