/** Reading and writing records of one table. Writes go in batches of ten, Airtable's most. */
import type { ApiRequest, Client } from './client.ts';
import { Failure, usage } from './failure.ts';
import type { Fields } from './record-input.ts';

export interface AirtableRecord {
  id: string;
  createdTime?: string;
  fields: Fields;
}

export interface Table {
  client: Client;
  base: string;
  name: string;
}

export interface Listing {
  view?: string;
  formula?: string;
  only?: string[];
  max: number;
}

const batchSize = 10;
const pageSize = 100;

export async function listRecords(
  table: Table,
  listing: Listing,
): Promise<{ records: AirtableRecord[]; more: boolean }> {
  const records: AirtableRecord[] = [];
  let offset: string | undefined;
  do {
    const answer = await table.client.send(
      request(table, 'GET', '', {
        query: {
          pageSize: Math.min(pageSize, listing.max - records.length),
          ...(listing.view === undefined ? {} : { view: listing.view }),
          ...(listing.formula === undefined ? {} : { filterByFormula: listing.formula }),
          ...(listing.only === undefined ? {} : { fields: listing.only }),
          ...(offset === undefined ? {} : { offset }),
        },
      }),
    );
    records.push(...recordsOf(answer));
    offset = typeof answer['offset'] === 'string' ? answer['offset'] : undefined;
  } while (offset !== undefined && records.length < listing.max);
  return { records, more: offset !== undefined };
}

export async function getRecord(table: Table, id: string): Promise<AirtableRecord> {
  return recordOf(await table.client.send(request(table, 'GET', `/${recordId(id)}`, {})));
}

/** Not repeatable: an answer that is lost ends in UNKNOWN_EFFECT. */
export async function createRecords(
  table: Table,
  records: Fields[],
  typecast: boolean,
): Promise<AirtableRecord[]> {
  return inBatches(records, async (batch) => {
    const body = { records: batch.map((fields) => ({ fields })), typecast };
    return recordsOf(await table.client.send(request(table, 'POST', '', { body, repeatable: false })));
  });
}

/** Changes the fields given and leaves the others. */
export async function updateRecords(
  table: Table,
  records: { id: string; fields: Fields }[],
  typecast: boolean,
): Promise<AirtableRecord[]> {
  for (const { id } of records) recordId(id);
  return inBatches(records, async (batch) =>
    recordsOf(await table.client.send(request(table, 'PATCH', '', { body: { records: batch, typecast } }))),
  );
}

/** Runs one call for every ten; a failure says which records were written before it. */
export async function inBatches<T>(
  items: readonly T[],
  write: (batch: T[]) => Promise<AirtableRecord[]>,
): Promise<AirtableRecord[]> {
  const done: AirtableRecord[] = [];
  for (let start = 0; start < items.length; start += batchSize) {
    try {
      done.push(...(await write(items.slice(start, start + batchSize))));
    } catch (error) {
      if (error instanceof Failure) error.written = [...done.map((record) => record.id), ...error.written];
      throw error;
    }
  }
  return done;
}

export function request(
  table: Table,
  method: ApiRequest['method'],
  path: string,
  options: Partial<Pick<ApiRequest, 'query' | 'body' | 'repeatable'>>,
): ApiRequest {
  const prefix = `/${encodeURIComponent(tableName(table.name))}`;
  return { repeatable: true, ...options, base: table.base, table: table.name, method, path: prefix + path };
}

/** Dots alone would be read as a way up by every URL parser. */
function tableName(name: string): string {
  if (/^\.*$/.test(name) || /\p{Cc}/u.test(name))
    throw usage(`expected the name of a table, got: ${JSON.stringify(name)}`, 'airtable table list');
  return name;
}

export function recordId(id: string): string {
  if (/^rec[A-Za-z0-9]{3,40}$/.test(id)) return id;
  throw usage(`expected the id of a record such as recXXXXXXXXXXXXXX, got: ${JSON.stringify(id)}`);
}

export function recordsOf(answer: Record<string, unknown>): AirtableRecord[] {
  const records = answer['records'];
  if (Array.isArray(records)) return records.map(recordOf);
  throw new Failure('UNAVAILABLE', 'Airtable answered without records', ['try again later']);
}

function recordOf(value: unknown): AirtableRecord {
  const record = typeof value === 'object' && value !== null ? (value as Partial<AirtableRecord>) : {};
  if (typeof record.id !== 'string')
    throw new Failure('UNAVAILABLE', 'Airtable answered with a record without an id', ['try again later']);
  return {
    id: record.id,
    ...(record.createdTime === undefined ? {} : { createdTime: record.createdTime }),
    fields: record.fields ?? {},
  };
}
