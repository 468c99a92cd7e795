/** Turns the arguments of a write into records. Nothing here goes to the network. */
import { usage } from './failure.ts';

export type Fields = Record<string, unknown>;

export interface WriteOptions {
  /** `Name=value`. */
  field?: string[];
  /** `Name=path`. */
  fieldFile?: string[];
  /** Leave out the front matter of those files. */
  withoutHead?: boolean;
  json?: string;
  jsonFile?: string;
}

/** One record or many; `read` gives the text of a file the arguments name. */
export function fieldsFrom(options: WriteOptions, read: (path: string) => string): Fields[] {
  const single = singleFields(options, read);
  const source = options.json ?? (options.jsonFile === undefined ? undefined : read(options.jsonFile));
  if (options.json !== undefined && options.jsonFile !== undefined)
    throw usage('expected one of --json and --json-file, got: both');
  if (source === undefined) {
    if (single.size === 0)
      throw usage('expected fields to write, got: none', 'e.g. --field "Title=Why queues win"');
    return [Object.fromEntries(single)];
  }
  const records = parseJson(source);
  if (single.size === 0) return records;
  const [only, ...more] = records;
  if (only === undefined || more.length > 0)
    throw usage('expected --field together with one record in --json, got: ' + records.length);
  for (const name of single.keys())
    if (Object.hasOwn(only, name))
      throw usage(`expected each field once, got: ${JSON.stringify(name)} twice`);
  return [Object.fromEntries([...Object.entries(only), ...single])];
}

/** `Name=value`, split at the first `=`. */
export function pair(text: string, option: string): [name: string, value: string] {
  const at = text.indexOf('=');
  const name = text.slice(0, Math.max(0, at)).trim();
  if (name === '') throw usage(`expected ${option} to be "Name=value", got: ${JSON.stringify(text)}`);
  return [name, text.slice(at + 1)];
}

function singleFields(options: WriteOptions, read: (path: string) => string): Map<string, unknown> {
  const fields = new Map<string, unknown>();
  const add = (name: string, value: string) => {
    if (fields.has(name)) throw usage(`expected each field once, got: ${JSON.stringify(name)} twice`);
    fields.set(name, value);
  };
  for (const text of options.field ?? []) add(...pair(text, '--field'));
  for (const option of options.fieldFile ?? []) {
    const [name, path] = pair(option, '--field-file');
    const text = read(path.trim());
    add(name, options.withoutHead === true ? withoutHead(text) : text);
  }
  return fields;
}

/** What follows the block between two `---` lines at the beginning, if there is one. */
function withoutHead(text: string): string {
  return text.replace(/^---\r?\n[^]*?\r?\n---[ \t]*(?:\r?\n|$)\s*/, '');
}

function parseJson(source: string): Fields[] {
  let value: unknown;
  try {
    value = JSON.parse(source);
  } catch {
    throw usage(
      'expected --json to be JSON, got: something else',
      'e.g. --json \'{"Title": "Why queues win"}\'',
    );
  }
  const list: unknown[] = Array.isArray(value) ? value : [value];
  if (list.length === 0) throw usage('expected records in --json, got: an empty list');
  return list.map((item) => {
    if (typeof item === 'object' && item !== null && !Array.isArray(item)) return { ...item };
    throw usage(`expected an object of fields in --json, got: ${JSON.stringify(item).slice(0, 60)}`);
  });
}
