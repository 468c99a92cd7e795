import { expect, it } from 'vitest';
import { parseDuration } from '../../tools/roles/duration.ts';
import { nearest } from '../../tools/roles/nearest.ts';

it.each([
  ['90s', 90_000],
  ['15m', 900_000],
  ['24h', 86_400_000],
  ['7d', 604_800_000],
  [' 1h ', 3_600_000],
  ['0m', undefined],
  ['1.5h', undefined],
  ['15', undefined],
  ['1w', undefined],
  ['-1h', undefined],
  ['1h30m', undefined],
  ['9999999999d', undefined],
  ['', undefined],
])('the duration %j is %j ms', (text, ms) => expect(parseDuration(text)).toBe(ms));

it.each([
  ['Timeout', 'timeout'],
  ['tiemout', 'timeout'],
  ['daily-budget', 'daily_budget'],
  ['unrelated', undefined],
])('%j is near to %j', (word, expected) => {
  expect(nearest(word, ['timeout', 'budget', 'daily_budget'])).toBe(expected);
});
