/** The verbs and their options. What they do stands in the files beside this one. */
import { Command, InvalidArgumentError } from 'commander';
import { usage } from './failure.ts';
import { allOf, equals } from './formula.ts';
import type { Fields, WriteOptions } from './record-input.ts';
import { fieldsFrom, pair } from './record-input.ts';
import type { Table } from './records.ts';
import { createRecords, getRecord, listRecords, recordId, updateRecords } from './records.ts';
import { listBases, listTables } from './schema.ts';
import { upsertRecords } from './upsert.ts';
import type { Client } from './client.ts';

/** What the verbs need from outside; opened only when a verb asks, so that --help and --dry-run need no key. */
export interface Context {
  client(): Client;
  base(): string;
  /** Text of a file named by an argument. Throws FILE_REFUSED. */
  read: (path: string) => string;
  /** Standard output, one text at a time. */
  say: (text: string) => void;
}

type WriteFlags = WriteOptions & { table: string; typecast: boolean; dryRun: boolean };

const examples = `
Examples:
  airtable record upsert --table Content --key "Task ID" --field "Task ID=todoist:6X7r" \\
    --field "Title=Why queues win" --field-file "Body=why-queues-win.md"
  airtable record find --table Content --where "Status=Draft"
  airtable table list`;

export function buildProgram(context: Context): Command {
  const program = new Command('airtable')
    .description('Records of the Airtable base this project files its work in. JSON in, JSON out.')
    .addHelpText('after', examples)
    .exitOverride()
    .configureOutput({ writeOut: context.say, writeErr: () => undefined });
  program
    .command('base')
    .description('bases')
    .command('list')
    .description('bases the token can see')
    .action(async () => {
      print(context, await listBases(context.client()));
    });
  program
    .command('table')
    .description('tables')
    .command('list')
    .description('tables of the base, with their fields')
    .action(async () => print(context, await listTables(context.client(), context.base())));
  const record = program.command('record').description('records of one table');
  addReads(record, context);
  addWrites(record, context);
  return program;
}

function addReads(record: Command, context: Context): void {
  record
    .command('list')
    .description('records, in the order of the view')
    .requiredOption('--table <name>')
    .option('--view <name>')
    .option('--formula <formula>', "a filter in Airtable's formula language")
    .option('--only <field>', 'only this field; repeatable', collect)
    .option('--max <n>', 'at most so many, up to 1000', wholeNumber, 100)
    .action(
      async (flags: { table: string; view?: string; formula?: string; only?: string[]; max: number }) => {
        if ((flags.formula ?? '').length > 4000)
          throw usage('expected --formula to have at most 4000 characters');
        print(context, await listRecords(tableOf(context, flags.table), flags));
      },
    );
  record
    .command('get <id>')
    .description('one record')
    .requiredOption('--table <name>')
    .action(async (id: string, flags: { table: string }) => {
      print(context, await getRecord(tableOf(context, flags.table), id));
    });
  record
    .command('find')
    .description('records whose fields have these values')
    .requiredOption('--table <name>')
    .requiredOption('--where <Name=value>', 'repeatable: all must hold', collect)
    .option('--max <n>', 'at most so many, up to 1000', wholeNumber, 100)
    .action(async (flags: { table: string; where: string[]; max: number }) => {
      const formula = allOf(flags.where.map((text) => equals(...pair(text, '--where'))));
      print(context, await listRecords(tableOf(context, flags.table), { formula, max: flags.max }));
    });
}

function addWrites(record: Command, context: Context): void {
  write(record, 'create', 'make new records; prefer upsert, which can be repeated').action(
    async (flags: WriteFlags) => {
      const records = fieldsFrom(flags, context.read);
      if (flags.dryRun) return print(context, { dryRun: true, create: records });
      const made = await createRecords(tableOf(context, flags.table), records, flags.typecast);
      return print(context, { records: made });
    },
  );
  write(
    record,
    'update [id]',
    'change fields; without an id, --json holds [{"id": …, "fields": {…}}]',
  ).action(async (id: string | undefined, flags: WriteFlags) => {
    const records = changesFrom(id, fieldsFrom(flags, context.read));
    if (flags.dryRun) return print(context, { dryRun: true, update: records });
    return print(context, {
      records: await updateRecords(tableOf(context, flags.table), records, flags.typecast),
    });
  });
  write(record, 'upsert', 'change the record with this key, or make it')
    .requiredOption('--key <field>', 'the field that tells records apart; up to three', collect)
    .action(async (flags: WriteFlags & { key: string[] }) => {
      const records = fieldsFrom(flags, context.read);
      if (flags.dryRun) return print(context, { dryRun: true, key: flags.key, upsert: records });
      return print(
        context,
        await upsertRecords(tableOf(context, flags.table), flags.key, records, flags.typecast),
      );
    });
}

function write(record: Command, name: string, description: string): Command {
  return record
    .command(name)
    .description(description)
    .requiredOption('--table <name>')
    .option('--field <Name=value>', 'repeatable', collect)
    .option('--field-file <Name=path>', 'the text of a file in the current folder; repeatable', collect)
    .option(
      '--without-head',
      'leave out what stands between --- lines at the beginning of those files',
      false,
    )
    .option('--json <json>', 'fields of one record, or a list of them')
    .option('--json-file <path>', 'the same from a file in the current folder')
    .option('--typecast', 'let Airtable convert values and add select options', false)
    .option('--dry-run', 'show what would be written', false);
}

function changesFrom(id: string | undefined, records: Fields[]): { id: string; fields: Fields }[] {
  if (id !== undefined) {
    const [fields, ...more] = records;
    if (fields === undefined || more.length > 0)
      throw usage('expected the fields of one record, got: several');
    return [{ id: recordId(id), fields }];
  }
  return records.map(({ id: own, fields }) => {
    if (typeof own !== 'string' || typeof fields !== 'object' || fields === null)
      throw usage('expected an id, or --json with [{"id": …, "fields": {…}}]');
    return { id: recordId(own), fields: { ...fields } };
  });
}

function print(context: Context, result: unknown): void {
  context.say(JSON.stringify(result, null, 2) + '\n');
}

function tableOf(context: Context, name: string): Table {
  return { client: context.client(), base: context.base(), name };
}

function collect(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value];
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= 1000) return value;
  throw new InvalidArgumentError('expected a whole number from 1 to 1000.');
}
