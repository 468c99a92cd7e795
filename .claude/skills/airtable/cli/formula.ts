/** Formulas for Airtable's filterByFormula, with values that cannot break out of their quotes. Pure. */
import { usage } from './failure.ts';

/** Compares as text, so that numbers and dates can be looked for too. */
export function equals(field: string, value: string): string {
  if (/[{}\\\p{Cc}]/u.test(field))
    throw usage(
      `expected a field name without braces, got: ${JSON.stringify(field)}`,
      'use --formula with record list',
    );
  return `({${field}} & "") = "${escaped(value)}"`;
}

export function allOf(conditions: readonly string[]): string {
  return conditions.length === 1 ? String(conditions[0]) : `AND(${conditions.join(', ')})`;
}

function escaped(value: string): string {
  return value
    .replace(/\\/g, '\\\\')
    .replace(/"/g, '\\"')
    .replace(/\n/g, '\\n')
    .replace(/\r/g, '\\r')
    .replace(/\t/g, '\\t');
}
