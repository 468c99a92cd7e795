/**
 * Key, base and address of Airtable: from the environment, else from the `.env` of the project this file belongs to.
 * Invariants: no argument of the command can change where they come from; and a key out of `.env` only ever goes to
 * the address that stands in the same `.env` (or Airtable's own), whatever the environment says.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parse } from 'dotenv';
import { Failure } from './failure.ts';

export interface Credentials {
  apiKey: string;
  /** Undefined: not set; only `base list` can do without. */
  baseId: string | undefined;
  endpointUrl: string;
}

type Variables = Readonly<Record<string, string | undefined>>;

const airtableUrl = 'https://api.airtable.com';

/** The folder with package.json above this file. */
export function projectRoot(from: string = import.meta.dirname): string | undefined {
  if (existsSync(join(from, 'package.json'))) return from;
  return dirname(from) === from ? undefined : projectRoot(dirname(from));
}

export function readEnvFile(root: string | undefined): Variables {
  const file = root === undefined ? undefined : join(root, '.env');
  return file !== undefined && existsSync(file) ? parse(readFileSync(file)) : {};
}

export function credentials(environment: Variables, file: Variables): Credentials {
  const given = (from: Variables, name: string) => from[name]?.trim() || undefined;
  const ownKey = given(environment, 'AIRTABLE_API_KEY');
  const apiKey = ownKey ?? given(file, 'AIRTABLE_API_KEY');
  if (apiKey === undefined) throw noKey();
  if (!/^[\x21-\x7e]+$/.test(apiKey))
    throw new Failure('BAD_CREDENTIALS', 'expected AIRTABLE_API_KEY to be one line without blanks', [
      whereToGetKey,
    ]);
  const sources = ownKey === undefined ? [file] : [environment, file];
  return {
    apiKey,
    baseId: baseOf(given(environment, 'AIRTABLE_BASE_ID') ?? given(file, 'AIRTABLE_BASE_ID')),
    endpointUrl: endpointOf(
      sources.map((source) => given(source, 'AIRTABLE_ENDPOINT_URL')).find((url) => url !== undefined),
    ),
  };
}

const whereToGetKey =
  'make a personal access token in the Airtable builder hub with the scopes data.records:read, data.records:write and schema.bases:read';

function noKey(): Failure {
  return new Failure('NO_CREDENTIALS', 'expected AIRTABLE_API_KEY to be set, got: nothing', [
    whereToGetKey,
    'put AIRTABLE_API_KEY=… and AIRTABLE_BASE_ID=… into .env in the project folder',
    'without Airtable the draft in the workspace is the delivery: say so in the summary and go on',
  ]);
}

function baseOf(id: string | undefined): string | undefined {
  if (id === undefined || /^app[A-Za-z0-9]{3,40}$/.test(id)) return id;
  throw new Failure(
    'BAD_CREDENTIALS',
    `expected AIRTABLE_BASE_ID to look like appXXXXXXXXXXXXXX, got: "${id}"`,
    ['open the base in a browser and copy the part of the address that begins with app'],
  );
}

/** A key is not sent in clear text, except to this machine. */
function endpointOf(given: string | undefined): string {
  const url = URL.parse(given ?? airtableUrl);
  const local = url !== null && ['127.0.0.1', 'localhost', '[::1]'].includes(url.hostname);
  if (
    url !== null &&
    url.username === '' &&
    (url.protocol === 'https:' || (url.protocol === 'http:' && local))
  )
    return url.href.replace(/\/+$/, '');
  throw new Failure(
    'BAD_CREDENTIALS',
    `expected AIRTABLE_ENDPOINT_URL to be an https address, got: "${given}"`,
    ['delete AIRTABLE_ENDPOINT_URL to use Airtable itself'],
  );
}
