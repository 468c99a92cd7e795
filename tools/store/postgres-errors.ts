/** What PostgreSQL, its driver and the network say went wrong, as our codes. The password is in none of it. */
import { AppError, messageOf, type ErrorCode } from '../errors.ts';

const gone: [ErrorCode, string, string] = [
  'STORE_DISCONNECTED',
  'the connection to the database is gone',
  'check that the database of DATABASE_URL runs; nothing was lost, the worker goes on by itself',
];
const locked: [ErrorCode, string, string] = [
  'STORE_LOCKED',
  'others hold the database for too long',
  'agentq doctor   (shows who works on this store)',
];
const refused: [ErrorCode, string, string] = [
  'STORE_UNAVAILABLE',
  'the database does not let us in',
  'check user, password, database and schema in DATABASE_URL',
];

/** PostgreSQL's own codes, or classes of them (postgresql.org/docs/current/errcodes-appendix.html), as ours. */
const codes: Record<string, [ErrorCode, string, string]> = {
  '08': gone,
  '25006': [gone[0], 'the database takes no writes right now', gone[2]],
  '25P03': gone,
  '26000': [
    'STORE_UNAVAILABLE',
    'the database does not know a statement that we have prepared',
    'a connection pooler in between must support prepared statements, or pool by session',
  ],
  '28': refused,
  '3D000': refused,
  '3F000': refused,
  '40001': locked,
  '40P01': locked,
  '42501': refused,
  '53': [gone[0], 'the database has no room for another connection or statement', gone[2]],
  '53100': [
    'STORE_FULL',
    "the database's disk is full",
    'free some space; nothing was lost, the worker goes on by itself',
  ],
  '55P03': locked,
  '57014': locked,
  '57P': gone,
  '58030': ['STORE_UNAVAILABLE', 'the database cannot read or write its files', "check the database's disk"],
  XX001: ['STORE_CORRUPT', 'the database is damaged', 'restore it from a backup'],
  XX002: ['STORE_CORRUPT', 'an index of the database is damaged', 'REINDEX DATABASE'],
};

/** The five characters by which PostgreSQL names what it refused; undefined: it never answered. */
export function sqlState(error: unknown): string | undefined {
  const code = codeOf(error);
  return code !== undefined && /^[0-9A-Z]{5}$/.test(code) && !/^E[A-Z]{4}$/.test(code) ? code : undefined;
}

function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** Is the connection of no more use? True of everything that the database has not answered itself. */
export function isBroken(error: unknown): boolean {
  const state = sqlState(error);
  return state === undefined || /^(08|25P03|57P|0A000|26000)/.test(state);
}

/** Of what the driver or the database threw; `where` names the database, without its password. */
export function toStoreError(error: unknown, where: string, redact: (text: string) => string): unknown {
  if (error instanceof AppError) return error;
  const state = sqlState(error);
  const known = state === undefined ? unanswered(error) : meaningOf(state);
  if (!known) return error;
  const detail = [codeOf(error), redact(messageOf(error))].filter(Boolean).join(': ');
  return new AppError(known[0], `${known[1]}: ${where} (${detail})`, { hints: [known[2]] });
}

function meaningOf(state: string): [ErrorCode, string, string] | undefined {
  return codes[state] ?? codes[state.slice(0, 3)] ?? codes[state.slice(0, 2)];
}

/** Certificates and passwords are a matter of settings; whatever else happens to a connection may pass. */
function unanswered(error: unknown): [ErrorCode, string, string] {
  const isSetting = /TLS|SSL|CERT|SIGNATURE|ISSUER|SASL|does not support SSL/.test(
    `${codeOf(error) ?? ''} ${messageOf(error)}`,
  );
  return isSetting ? refused : gone;
}
