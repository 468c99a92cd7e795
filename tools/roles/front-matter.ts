/**
 * The YAML block between two `---` lines at the head of a Markdown file, with the line of every value, so that a
 * mistake can be pointed at. Invariant: whatever is wrong is a BAD_ROLE whose message ends in `(file:line)`.
 */
import { isMap, isNode, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import type { Document, YAMLMap } from 'yaml';
import { AppError } from '../errors.ts';

/** One value of the block, or the whole block. `path` is dotted, e.g. `worker.lane`. */
export interface Entry {
  path: string;
  /** Plain JSON; undefined when the key is absent or empty. */
  value: unknown;
  /** Line in the file, 1-based; of the whole block when the key is absent. */
  line: number;
  file: string;
}

export interface FrontMatter {
  root: Entry;
  body: string;
  get(...path: string[]): Entry;
  /** The keys of a mapping as they are written, each with its line. */
  keys(...path: string[]): { name: string; line: number }[];
  /** The items of a list, each with its own line. */
  items(entry: Entry): Entry[];
}

export function badRole(
  file: string,
  line: number,
  message: string,
  hint: string,
  cause?: unknown,
): AppError {
  return new AppError('BAD_ROLE', `${message} (${file}:${line})`, { hints: [hint], cause });
}

/** `expected X to be Y, got: Z`, the form of every complaint about a value. */
export function unexpected(entry: Entry, expected: string, hint: string): AppError {
  const found = entry.value === undefined ? 'nothing' : JSON.stringify(entry.value);
  const message = `expected \`${entry.path}\` to be ${expected}, got: ${found}`;
  return badRole(entry.file, entry.line, message, hint);
}

export function parseFrontMatter(text: string, file: string): FrontMatter {
  const { yaml, body } = split(text, file);
  const lines = new LineCounter();
  // The opening `---` becomes an empty first line: line numbers of the block are those of the file.
  const document = parseDocument(`\n${yaml}`, { lineCounter: lines, prettyErrors: false });
  refuseBrokenYaml(document, lines, file);
  const value: unknown = document.toJS();
  const top = document.contents;
  if (!isMap(top)) throw unexpected({ path: 'front matter', value, line: 1, file }, 'a mapping', hintShape);
  const lineOf = (node: unknown): number | undefined =>
    isNode(node) && node.range ? lines.linePos(node.range[0]).line : undefined;
  const nodeAt = (path: string[]): unknown => (path.length === 0 ? top : top.getIn(path, true));

  return {
    root: { path: '', value, line: 1, file },
    body,
    get: (...path) => ({
      path: path.join('.'),
      value: valueAt(value, path),
      line: lineOfKey(top, path, lineOf),
      file,
    }),
    keys: (...path) => {
      const map = nodeAt(path);
      if (!isMap(map)) return [];
      return map.items.map(({ key }) => ({ name: String(key), line: lineOf(key) ?? 1 }));
    },
    items: (entry) => {
      const node = nodeAt(entry.path.split('.'));
      const values: unknown[] = Array.isArray(entry.value) ? entry.value : [];
      return values.map((item, index) => ({
        path: `${entry.path}[${index}]`,
        value: item ?? undefined,
        line: (isSeq(node) ? lineOf(node.items[index]) : undefined) ?? entry.line,
        file,
      }));
    },
  };
}

const hintShape = 'start the file with: ---, name: <file name>, description: <one line>, ---';

function split(text: string, file: string): { yaml: string; body: string } {
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  if (lines[0]?.trimEnd() !== '---')
    throw badRole(
      file,
      1,
      `expected the file to begin with ---, got: ${JSON.stringify(lines[0])}`,
      hintShape,
    );
  const end = lines.findIndex((line, index) => index > 0 && line.trimEnd() === '---');
  if (end === -1)
    throw badRole(file, 1, 'expected a second --- that closes the front matter, got: none', hintShape);
  return {
    yaml: lines.slice(1, end).join('\n'),
    body: lines
      .slice(end + 1)
      .join('\n')
      .trim(),
  };
}

function refuseBrokenYaml(document: Document.Parsed, lines: LineCounter, file: string): void {
  const error = document.errors[0] ?? document.warnings[0];
  if (!error) return;
  const line = lines.linePos(error.pos[0]).line;
  const hint = 'put quotes around a text that contains ": " or begins with one of @ ` * & ! % [ {';
  throw badRole(file, line, `expected valid YAML, got: ${error.message}`, hint, error);
}

function valueAt(value: unknown, path: readonly string[]): unknown {
  let found = value;
  for (const key of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return undefined;
    found = Reflect.get(found, key);
  }
  return found ?? undefined;
}

/** The line of the key; where there is none, of the block that lacks it. */
function lineOfKey(
  top: YAMLMap,
  path: readonly string[],
  lineOf: (node: unknown) => number | undefined,
): number {
  let map: unknown = top;
  let line = 1;
  for (const name of path) {
    const pair = isMap(map) ? map.items.find(({ key }) => isScalar(key) && key.value === name) : undefined;
    if (!pair) break;
    line = lineOf(pair.key) ?? line;
    map = pair.value;
  }
  return line;
}
