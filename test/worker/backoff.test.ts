import { expect, test } from 'vitest';
import { attemptBackoff, backoff, pauseBackoff, queueBackoff } from '../../tools/worker/backoff.ts';

test('the wait doubles with every failure, up to its longest', () => {
  const limits = { baseMs: 100, maxMs: 1000 };
  const longest = [1, 2, 3, 4, 5, 6, 1000].map((failures) => backoff(failures, limits, 1));
  expect(longest).toEqual([100, 200, 400, 800, 1000, 1000, 1000]);
});

test('jitter is full but for a tenth, so that nobody returns at once', () => {
  const limits = { baseMs: 100, maxMs: 1000 };
  expect(backoff(4, limits, 0)).toBe(80);
  expect(backoff(4, limits, 0.5)).toBe(440);
});

test.each([attemptBackoff, queueBackoff, pauseBackoff])(
  '%o stays in its bounds for every input',
  (limits) => {
    for (let failures = 0; failures < 100; failures += 1)
      for (const random of [0, 0.25, 0.5, 0.999_999]) {
        const wait = backoff(failures, limits, random);
        expect(wait).toBeGreaterThanOrEqual(limits.baseMs / 10);
        expect(wait).toBeLessThanOrEqual(limits.maxMs);
        expect(Number.isInteger(wait)).toBe(true);
      }
  },
);
