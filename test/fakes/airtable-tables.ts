/** The tables behind the fake Airtable: what is stored, and what Airtable refuses to store. No network. */
export interface FakeField {
  name: string;
  type: 'singleLineText' | 'multilineText' | 'number' | 'singleSelect';
  choices?: string[];
}

export interface FakeRecord {
  id: string;
  createdTime: string;
  fields: Record<string, unknown>;
}

export interface FakeTable {
  name: string;
  fields: FakeField[];
  records: FakeRecord[];
}

export interface FakeBase {
  id: string;
  name: string;
  tables: FakeTable[];
}

export function contentBase(id = 'appFake0000000001'): FakeBase {
  const fields: FakeField[] = [
    { name: 'Task ID', type: 'singleLineText' },
    { name: 'Title', type: 'singleLineText' },
    { name: 'Body', type: 'multilineText' },
    { name: 'Status', type: 'singleSelect', choices: ['Draft', 'Published'] },
    { name: 'Platform', type: 'singleSelect', choices: ['LinkedIn', 'Newsletter'] },
    { name: 'Score', type: 'number' },
  ];
  return { id, name: 'Editorial', tables: [{ name: 'Content', fields, records: [] }] };
}

export interface Reply {
  status: number;
  body: unknown;
  headers?: Record<string, string>;
}

export function oneRecord(table: FakeTable, id: string): Reply {
  const record = table.records.find((candidate) => candidate.id === id);
  return record ? ok(record) : missing();
}

export function page(table: FakeTable, query: URLSearchParams): Reply {
  const formula = query.get('filterByFormula');
  const matches = formula === null ? () => true : matcher(formula);
  if (!matches)
    return refusal(422, 'INVALID_FILTER_BY_FORMULA', 'The formula for filtering records is invalid');
  const size = Math.min(100, Number(query.get('pageSize') ?? 100));
  const start = Number(query.get('offset')?.replace('itr/', '') ?? 0);
  const all = table.records.filter(({ fields }) => matches(fields));
  const more = all.length > start + size ? { offset: `itr/${start + size}` } : {};
  return ok({ records: all.slice(start, start + size), ...more });
}

/** Understands `({Field} & "") = "value"`, alone or within AND(…). */
function matcher(formula: string): ((fields: Record<string, unknown>) => boolean) | undefined {
  const inner = /^AND\((.*)\)$/s.exec(formula)?.[1] ?? formula;
  const one = String.raw`\(\{([^{}]+)\} & ""\) = ("(?:[^"\\]|\\.)*")`;
  if (!new RegExp(`^${one}(?:, ${one})*$`, 's').test(inner)) return undefined;
  const wanted = [...inner.matchAll(new RegExp(one, 'gs'))].map((match): [string, unknown] => [
    match[1] ?? '',
    JSON.parse(match[2] ?? '""'),
  ]);
  return (fields) => wanted.every(([name, value]) => textOf(fields[name]) === value);
}

interface WriteBody {
  records?: { id?: string; fields?: Record<string, unknown> }[];
  typecast?: boolean;
  performUpsert?: { fieldsToMergeOn?: string[] };
}

/** All or nothing: every record is checked before the first is written. */
export function write(
  table: FakeTable,
  method: string,
  given: unknown,
  upserts: 'supported' | 'rejected',
): Reply {
  const body: WriteBody = typeof given === 'object' && given !== null ? given : {};
  const records = body.records ?? [];
  if (records.length === 0 || records.length > 10)
    return refusal(422, 'INVALID_RECORDS', 'You must provide an array of up to 10 record objects');
  for (const { fields } of records) {
    const problem = fieldProblem(table, fields ?? {}, body.typecast === true);
    if (problem) return problem;
  }
  if (method === 'POST') return ok({ records: records.map(({ fields = {} }) => create(table, fields)) });
  if (method !== 'PATCH') return missing();
  return body.performUpsert ? upsert(table, body, upserts) : update(table, body);
}

function update(table: FakeTable, { records = [] }: WriteBody): Reply {
  const found = records.map(({ id }) => table.records.find((record) => record.id === id));
  if (found.includes(undefined)) return refusal(404, 'MODEL_ID_NOT_FOUND', 'Record not found');
  records.forEach(({ fields }, index) => Object.assign(found[index]?.fields ?? {}, fields));
  return ok({ records: found });
}

function upsert(table: FakeTable, { records = [], performUpsert }: WriteBody, upserts: string): Reply {
  const keys = performUpsert?.fieldsToMergeOn ?? [];
  if (keys.length < 1 || keys.length > 3 || upserts === 'rejected')
    return refusal(422, 'INVALID_REQUEST', 'fieldsToMergeOn cannot be used here');
  const matches = records.map(({ fields }) =>
    table.records.filter((record) => keys.every((key) => record.fields[key] === fields?.[key])),
  );
  if (matches.some((found) => found.length > 1))
    return refusal(422, 'INVALID_REQUEST', 'Cannot update more than one record with the same merge fields');
  const createdRecords: string[] = [];
  const updatedRecords: string[] = [];
  const written = records.map(({ fields = {} }, index) => {
    const known = matches[index]?.[0];
    const record = known ?? create(table, fields);
    if (known) Object.assign(known.fields, fields);
    (known ? updatedRecords : createdRecords).push(record.id);
    return record;
  });
  return ok({ records: written, createdRecords, updatedRecords });
}

function create(table: FakeTable, fields: Record<string, unknown>): FakeRecord {
  const id = `rec${String(table.records.length + 1).padStart(14, '0')}`;
  const record = { id, createdTime: new Date().toISOString(), fields: { ...fields } };
  table.records.push(record);
  return record;
}

function fieldProblem(
  table: FakeTable,
  fields: Record<string, unknown>,
  typecast: boolean,
): Reply | undefined {
  for (const [name, value] of Object.entries(fields)) {
    const field = table.fields.find((candidate) => candidate.name === name);
    if (!field) return refusal(422, 'UNKNOWN_FIELD_NAME', `Unknown field name: "${name}"`);
    if (typecast || value === null) continue;
    if (typeof value !== (field.type === 'number' ? 'number' : 'string'))
      return refusal(422, 'INVALID_VALUE_FOR_COLUMN', `Field "${name}" cannot accept the provided value`);
    if (field.choices && !field.choices.includes(textOf(value)))
      return refusal(
        422,
        'INVALID_MULTIPLE_CHOICE_OPTIONS',
        `Insufficient permissions to create new select option "${textOf(value)}"`,
      );
  }
  return undefined;
}

function textOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

export function ok(body: unknown): Reply {
  return { status: 200, body };
}

export function missing(): Reply {
  return { status: 404, body: { error: 'NOT_FOUND' } };
}

export function refusal(status: number, type: string, message: string): Reply {
  return { status, body: { error: { type, message } } };
}
