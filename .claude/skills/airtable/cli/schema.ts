/** Which bases and tables there are, cut down to what one needs to write a record. */
import type { Client } from './client.ts';

export async function listBases(client: Client): Promise<{ bases: unknown[] }> {
  const bases: unknown[] = [];
  let offset: string | undefined;
  do {
    const answer = await client.send({
      base: undefined,
      path: '/bases',
      method: 'GET',
      query: offset === undefined ? {} : { offset },
      repeatable: true,
      table: undefined,
    });
    bases.push(...listOf(answer['bases']).map((base) => pick(base, ['id', 'name', 'permissionLevel'])));
    offset = typeof answer['offset'] === 'string' ? answer['offset'] : undefined;
  } while (offset !== undefined);
  return { bases };
}

export async function listTables(client: Client, base: string): Promise<{ tables: unknown[] }> {
  const path = `/bases/${encodeURIComponent(base)}/tables`;
  const answer = await client.send({
    base: undefined,
    path,
    method: 'GET',
    repeatable: true,
    table: undefined,
  });
  return { tables: listOf(answer['tables']).map(tableOf) };
}

function tableOf(table: Record<string, unknown>): unknown {
  const fields = listOf(table['fields']).map((field) => {
    const choices = listOf(objectOf(field['options'])['choices']).map((choice) => choice['name']);
    return { ...pick(field, ['name', 'type']), ...(choices.length > 0 ? { choices } : {}) };
  });
  return { ...pick(table, ['id', 'name']), fields };
}

function pick(from: Record<string, unknown>, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(names.filter((name) => name in from).map((name) => [name, from[name]]));
}

function listOf(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.map(objectOf) : [];
}

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
