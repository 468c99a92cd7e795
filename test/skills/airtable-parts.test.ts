import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { credentials, projectRoot, readEnvFile } from '../../.claude/skills/airtable/cli/credentials.ts';
import { readDraft } from '../../.claude/skills/airtable/cli/draft-file.ts';
import { equals } from '../../.claude/skills/airtable/cli/formula.ts';
import { standardLimits } from '../../.claude/skills/airtable/cli/limits.ts';
import { errorOf, judge, retryAfterMs } from '../../.claude/skills/airtable/cli/verdict.ts';
import { root } from './run-airtable.ts';

describe('credentials', () => {
  const file = {
    AIRTABLE_API_KEY: 'patFile',
    AIRTABLE_BASE_ID: 'appFile',
    AIRTABLE_ENDPOINT_URL: 'https://file.example',
  };

  it('come from the project of the script, wherever it is started', () => {
    expect(projectRoot()).toBe(root);
  });

  it('are read from .env', () => {
    const folder = mkdtempSync(join(tmpdir(), 'env-'));
    writeFileSync(join(folder, '.env'), '# key\nAIRTABLE_API_KEY="patFile"\n');
    expect(readEnvFile(folder)).toEqual({ AIRTABLE_API_KEY: 'patFile' });
    expect(readEnvFile(join(folder, 'none'))).toEqual({});
    rmSync(folder, { recursive: true });
  });

  it('of the environment win', () => {
    const environment = { AIRTABLE_API_KEY: 'patEnv', AIRTABLE_BASE_ID: 'appEnv' };
    expect(credentials(environment, file)).toEqual({
      apiKey: 'patEnv',
      baseId: 'appEnv',
      endpointUrl: 'https://file.example',
    });
    expect(credentials({}, file)).toEqual({
      apiKey: 'patFile',
      baseId: 'appFile',
      endpointUrl: 'https://file.example',
    });
  });

  it('never send the key of the file to an address of the environment', () => {
    const environment = { AIRTABLE_ENDPOINT_URL: 'https://elsewhere.example' };
    expect(credentials(environment, { AIRTABLE_API_KEY: 'patFile' }).endpointUrl).toBe(
      'https://api.airtable.com',
    );
  });

  it.each(['http://airtable.example', 'file:///etc', 'nonsense', 'https://me@airtable.example'])(
    'refuse the address %s',
    (url) => {
      const open = () => credentials({ AIRTABLE_API_KEY: 'pat', AIRTABLE_ENDPOINT_URL: url }, {});
      expect(open).toThrow('expected AIRTABLE_ENDPOINT_URL to be an https address');
    },
  );

  it('refuse a key with a line break, without showing it', () => {
    expect(() => credentials({ AIRTABLE_API_KEY: 'pat\nx' }, {})).toThrow(
      /^expected AIRTABLE_API_KEY to be one line without blanks$/,
    );
  });
});

function applied(status: number): string | undefined {
  const verdict = judge({ status, body: {}, retryAfter: null }, 'Content', 0);
  return verdict.kind === 'again' ? verdict.applied : undefined;
}

describe('verdicts', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');

  it.each([
    ['3', 3_000],
    ['0', 0],
    ['Thu, 01 Jan 2026 00:00:05 GMT', 5_000],
    ['Wed, 31 Dec 2025 00:00:00 GMT', undefined],
    ['soon', undefined],
    ['', undefined],
    [null, undefined],
  ])('Retry-After %j is %j ms', (header, ms) => expect(retryAfterMs(header, now)).toBe(ms));

  it.each([
    [{ error: 'NOT_FOUND' }, { type: 'NOT_FOUND', message: '' }],
    [{ error: { type: 'A', message: 'b' } }, { type: 'A', message: 'b' }],
    [{ errors: [{ error: 'A', message: 'b' }] }, { type: 'A', message: 'b' }],
    [undefined, { type: '', message: '' }],
    [
      { error: 3, errors: 4 },
      { type: '', message: '' },
    ],
  ])('reads the error in %j', (body, expected) => expect(errorOf(body)).toEqual(expected));

  it.each([
    [200, undefined, 'ok'],
    [401, 'X', 'BAD_CREDENTIALS'],
    [403, 'X', 'NO_PERMISSION'],
    [404, 'X', 'NOT_FOUND'],
    [413, 'X', 'REJECTED'],
    [422, 'UNKNOWN_FIELD_NAME', 'UNKNOWN_FIELD'],
    [422, 'INVALID_VALUE_FOR_COLUMN', 'BAD_VALUE'],
    [422, 'ELSE', 'REJECTED'],
    [429, 'X', 'RATE_LIMITED'],
    [429, 'PUBLIC_API_BILLING_LIMIT_EXCEEDED', 'QUOTA_USED_UP'],
    [502, 'X', 'UNAVAILABLE'],
  ])('%i %s is %s', (status, type, expected) => {
    const verdict = judge({ status, body: { error: type }, retryAfter: null }, 'Content', now);
    expect(verdict.kind === 'ok' ? 'ok' : verdict.failure.code).toBe(expected);
  });

  it('repeats after 429 because nothing happened, after 5xx only what may be', () => {
    expect([applied(429), applied(500), applied(422)]).toEqual(['no', 'unknown', undefined]);
  });
});

it('waits out the thirty seconds of a refusal within its own total', () => {
  expect(standardLimits.penaltyMs).toBe(30_000);
  expect(standardLimits.totalMs).toBeGreaterThan(2 * standardLimits.penaltyMs);
  expect(standardLimits.totalMs).toBeLessThan(120_000);
  expect(1000 / standardLimits.spacingMs).toBeLessThan(5);
});

it('writes formulas whose values stay values', () => {
  expect(equals('Task ID', 'a"b\\c\nd')).toBe('({Task ID} & "") = "a\\"b\\\\c\\nd"');
  expect(() => equals('A} = 1, {B', 'x')).toThrow('expected a field name without braces');
});

it('does not run above the project, where everything would be within reach', () => {
  const folder = mkdtempSync(join(tmpdir(), 'above-'));
  const project = join(folder, 'project');
  mkdirSync(project);
  for (const place of [folder, project]) writeFileSync(join(place, 'a.md'), 'text');
  expect(() => readDraft('a.md', folder, project)).toThrow(
    'expected "a.md" to be the command to run inside the project',
  );
  expect(readDraft('a.md', project, project)).toBe('text');
  rmSync(folder, { recursive: true });
});
