/** Turns one entry of a role file into a typed value, or refuses it. Absent entries give undefined. Pure. */
import { parseDuration } from './duration.ts';
import type { Entry, FrontMatter } from './front-matter.ts';
import { unexpected } from './front-matter.ts';

/** Timers of the platform cannot wait longer than this. */
const longestTimerMs = 24 * 86_400_000;

export function text(entry: Entry): string | undefined {
  if (entry.value === undefined) return undefined;
  if (typeof entry.value === 'string' && entry.value.trim() !== '') return entry.value.trim();
  throw unexpected(entry, 'a text', `write: ${lastKey(entry)}: some text`);
}

export function choice<T extends string>(entry: Entry, known: readonly T[]): T | undefined {
  if (entry.value === undefined) return undefined;
  const found = known.find((name) => name === entry.value);
  if (found) return found;
  const names = [...known];
  const last = names.pop();
  throw unexpected(entry, `${names.join(', ')} or ${last}`, `write: ${lastKey(entry)}: ${known[0]}`);
}

export function duration(entry: Entry, longestMs = longestTimerMs): number | undefined {
  if (entry.value === undefined) return undefined;
  const ms = typeof entry.value === 'string' ? parseDuration(entry.value) : undefined;
  if (ms !== undefined && ms <= longestMs) return ms;
  const limit = ms === undefined ? '' : ` of at most ${longestMs / 86_400_000}d`;
  throw unexpected(entry, `a duration${limit}`, 'write a number and a unit: 90s, 15m, 24h or 7d');
}

export function count(entry: Entry, least: number, most: number): number | undefined {
  if (entry.value === undefined) return undefined;
  const value = entry.value;
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value;
  throw unexpected(
    entry,
    `a whole number from ${least} to ${most}`,
    `write: ${lastKey(entry)}: ${least + 2}`,
  );
}

export function dollars(entry: Entry): number | undefined {
  if (entry.value === undefined) return undefined;
  if (typeof entry.value === 'number' && Number.isFinite(entry.value) && entry.value > 0) return entry.value;
  throw unexpected(
    entry,
    'an amount in US dollars above 0',
    `write the bare number: ${lastKey(entry)}: 2.00`,
  );
}

export function yesNo(entry: Entry): boolean | undefined {
  if (entry.value === undefined || typeof entry.value === 'boolean') return entry.value;
  throw unexpected(entry, 'true or false', `write: ${lastKey(entry)}: true`);
}

/** A YAML list, or one text with commas; commas inside parentheses do not split. */
export function list(matter: FrontMatter, entry: Entry): { value: string; line: number }[] {
  if (entry.value === undefined) return [];
  if (typeof entry.value === 'string')
    return splitOutsideParentheses(entry.value).map((value) => ({ value, line: entry.line }));
  if (!Array.isArray(entry.value))
    throw unexpected(entry, 'a list', `write: ${lastKey(entry)}: [first, second]`);
  return matter.items(entry).map((item) => {
    if (typeof item.value === 'string' && item.value.trim() !== '')
      return { value: item.value.trim(), line: item.line };
    throw unexpected(item, 'a text', 'put quotes around it');
  });
}

function splitOutsideParentheses(source: string): string[] {
  const parts = [''];
  let depth = 0;
  for (const char of source) {
    if (char === '(') depth++;
    if (char === ')') depth = Math.max(0, depth - 1);
    if (char === ',' && depth === 0) parts.push('');
    else parts[parts.length - 1] += char;
  }
  return parts.map((part) => part.trim()).filter((part) => part !== '');
}

function lastKey(entry: Entry): string {
  return entry.path.split('.').at(-1) ?? entry.path;
}
