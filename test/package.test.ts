/** The package as a stranger gets it: what `npm ci` needs, and that the lock file names no registry. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

interface Lock {
  packages: Record<string, { optionalDependencies?: Record<string, string>; resolved?: string }>;
}

const lock = JSON.parse(readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8')) as Lock;

test('the lock file has every optional build that a package names; npm ci refuses it otherwise', () => {
  const named = Object.values(lock.packages).flatMap((entry) =>
    Object.keys(entry.optionalDependencies ?? {}),
  );
  const missing = named.filter((name) => !(`node_modules/${name}` in lock.packages));
  expect(named.length).toBeGreaterThan(10);
  expect(missing, 'run: node .ci/complete-lock.mjs').toEqual([]);
});

test('the lock file names no registry', () => {
  expect(Object.values(lock.packages).filter((entry) => entry.resolved !== undefined)).toEqual([]);
});
