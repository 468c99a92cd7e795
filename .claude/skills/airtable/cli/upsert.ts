/**
 * Writes records by a key of their own (for drafts: the task's id), so that doing it twice has one effect.
 * Airtable's own upsert does it; where Airtable refuses that, the record is looked up and then changed or made.
 * Invariant: never two records with one key, and never a guess which of several is meant.
 */
import { Failure, usage } from './failure.ts';
import { allOf, equals } from './formula.ts';
import type { Fields } from './record-input.ts';
import type { AirtableRecord, Table } from './records.ts';
import { createRecords, inBatches, listRecords, recordsOf, request, updateRecords } from './records.ts';

export interface Upserted {
  records: AirtableRecord[];
  created: string[];
  updated: string[];
}

export async function upsertRecords(
  table: Table,
  keys: string[],
  records: Fields[],
  typecast: boolean,
): Promise<Upserted> {
  refuseAmbiguousInput(keys, records);
  const created: string[] = [];
  const written = await inBatches(records, async (batch) => {
    try {
      const result = await nativeUpsert(table, keys, batch, typecast);
      created.push(...result.created);
      return result.records;
    } catch (error) {
      if (!(error instanceof Failure && error.code === 'REJECTED')) throw error;
      const result = await oneByOne(table, keys, batch, typecast);
      created.push(...result.created);
      return result.records;
    }
  });
  const isNew = new Set(created);
  return { records: written, created, updated: written.map(({ id }) => id).filter((id) => !isNew.has(id)) };
}

async function nativeUpsert(table: Table, keys: string[], batch: Fields[], typecast: boolean) {
  const body = {
    performUpsert: { fieldsToMergeOn: keys },
    records: batch.map((fields) => ({ fields })),
    typecast,
  };
  const answer = await table.client.send(request(table, 'PATCH', '', { body }));
  const created = Array.isArray(answer['createdRecords']) ? answer['createdRecords'].map(String) : [];
  return { records: recordsOf(answer), created };
}

async function oneByOne(table: Table, keys: string[], batch: Fields[], typecast: boolean) {
  const created: string[] = [];
  const records: AirtableRecord[] = [];
  for (const fields of batch) {
    const found = await lookUp(table, keys, fields);
    const [record] = found
      ? await updateRecords(table, [{ id: found.id, fields }], typecast)
      : await createRecords(table, [fields], typecast);
    if (!record)
      throw new Failure('UNAVAILABLE', 'Airtable answered without the record', ['try again later']);
    if (!found) created.push(record.id);
    records.push(record);
  }
  return { records, created };
}

async function lookUp(table: Table, keys: string[], fields: Fields): Promise<AirtableRecord | undefined> {
  const formula = allOf(keys.map((key) => equals(key, keyText(fields, key))));
  const { records } = await listRecords(table, { formula, max: 10 });
  // Airtable's comparison may be looser than ours.
  const same = records.filter((record) =>
    keys.every((key) => String(record.fields[key]) === keyText(fields, key)),
  );
  if (same.length > 1) throw duplicates(table, keys, fields, same);
  return same[0];
}

function duplicates(table: Table, keys: string[], fields: Fields, found: AirtableRecord[]): Failure {
  const wanted = keys.map((key) => `${key} = ${JSON.stringify(keyText(fields, key))}`).join(', ');
  const ids = found.map((record) => record.id).join(', ');
  return new Failure('DUPLICATE_KEY', `expected one record with ${wanted} in "${table.name}", got: ${ids}`, [
    'delete all but one of them in Airtable, or change the right one: airtable record update <id>',
  ]);
}

/** Airtable takes one to three keys; a record without its key would match any that lacks it too. */
function refuseAmbiguousInput(keys: string[], records: Fields[]): void {
  if (keys.length < 1 || keys.length > 3 || new Set(keys).size !== keys.length)
    throw usage(`expected one to three different --key, got: ${keys.length}`);
  const seen = new Set<string>();
  for (const fields of records) {
    const id = JSON.stringify(keys.map((key) => keyText(fields, key)));
    if (seen.has(id)) throw usage(`expected every record to have a key of its own, got: ${id} twice`);
    seen.add(id);
  }
}

function keyText(fields: Fields, key: string): string {
  const value = Object.hasOwn(fields, key) ? fields[key] : undefined;
  if ((typeof value === 'string' && value.trim() !== '') || typeof value === 'number') return String(value);
  throw usage(
    `expected every record to have a value for the key ${JSON.stringify(key)}, got: ${JSON.stringify(value ?? null)}`,
    `e.g. --field "${key}=todoist:123"`,
  );
}
