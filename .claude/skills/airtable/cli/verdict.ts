/** What an answer of Airtable means: fine, worth another try, or final. Pure. */
import { tableHint } from './content-table.ts';
import { Failure } from './failure.ts';

export interface Answer {
  status: number;
  body: unknown;
  retryAfter: string | null;
}

export type Verdict =
  | { kind: 'ok' }
  | { kind: 'failed'; failure: Failure }
  /** `applied: 'no'`: refused before anything happened. `'unknown'`: only what may be repeated is sent again. */
  | { kind: 'again'; applied: 'no' | 'unknown'; failure: Failure; waitMs: number | undefined };

/** `table` is for the hints; undefined for calls about bases. */
export function judge(answer: Answer, table: string | undefined, now: number): Verdict {
  const { status } = answer;
  if (status >= 200 && status < 300) return { kind: 'ok' };
  const { type, message } = errorOf(answer.body);
  if (status === 429 && type === 'PUBLIC_API_BILLING_LIMIT_EXCEEDED') return failed(quota());
  if (status === 429)
    return {
      kind: 'again',
      applied: 'no',
      failure: rateLimited(),
      waitMs: retryAfterMs(answer.retryAfter, now),
    };
  if (status >= 500)
    return {
      kind: 'again',
      applied: 'unknown',
      failure: unavailable(`Airtable answered ${status} ${type}`.trim()),
      waitMs: retryAfterMs(answer.retryAfter, now),
    };
  return failed(refusal(status, type, message, table));
}

/** Seconds or a date, as HTTP allows both. */
export function retryAfterMs(header: string | null, now: number): number | undefined {
  if (header === null || header.trim() === '') return undefined;
  const seconds = Number(header);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - now;
  return Number.isFinite(ms) && ms >= 0 ? ms : undefined;
}

/** Airtable has three shapes: `{error:"X"}`, `{error:{type,message}}` and `{errors:[{error,message}]}`. */
export function errorOf(body: unknown): { type: string; message: string } {
  const outer = fieldsOf(body);
  const error = outer['error'] ?? (Array.isArray(outer['errors']) ? outer['errors'][0] : undefined);
  if (typeof error === 'string') return { type: error, message: '' };
  const inner = fieldsOf(error);
  return { type: textOf(inner['type'] ?? inner['error']), message: textOf(inner['message']) };
}

export function unavailable(message: string): Failure {
  return new Failure('UNAVAILABLE', message, ['try again later; what was written so far stays']);
}

function failed(failure: Failure): Verdict {
  return { kind: 'failed', failure };
}

function rateLimited(): Failure {
  return new Failure(
    'RATE_LIMITED',
    'Airtable takes five requests a second for each base and had enough of them',
    ['try again in a minute'],
  );
}

function quota(): Failure {
  return new Failure('QUOTA_USED_UP', "the workspace has used up this month's Airtable API calls", [
    'waiting does not help before the month ends: upgrade the plan in Airtable, or go on without it',
  ]);
}

function refusal(status: number, type: string, message: string, table: string | undefined): Failure {
  const said = [type, message].filter((part) => part !== '').join(': ') || `status ${status}`;
  const mend = table === undefined ? 'airtable base list' : tableHint(table);
  if (status === 401)
    return new Failure('BAD_CREDENTIALS', `Airtable does not accept AIRTABLE_API_KEY (${said})`, [
      'make a new personal access token in the Airtable builder hub and put it into .env',
    ]);
  if (status === 403)
    return new Failure('NO_PERMISSION', `Airtable refuses access${inTable(table)} (${said})`, [
      mend,
      'give the token the base and the scopes data.records:read, data.records:write, schema.bases:read',
    ]);
  if (status === 404)
    return new Failure('NOT_FOUND', `there is no such base, table or record${inTable(table)} (${said})`, [
      mend,
    ]);
  if (type === 'UNKNOWN_FIELD_NAME') return new Failure('UNKNOWN_FIELD', said, [mend]);
  if (type.startsWith('INVALID_VALUE_FOR_COLUMN') || type === 'INVALID_MULTIPLE_CHOICE_OPTIONS')
    return new Failure('BAD_VALUE', said, [
      'let Airtable convert the value and add a missing option: --typecast',
      'numbers and lists: --json \'{"Score": 3}\'',
      mend,
    ]);
  return new Failure('REJECTED', `Airtable refused the request (${said})`, [mend]);
}

function inTable(table: string | undefined): string {
  return table === undefined ? '' : ` to the table "${table}"`;
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
