import { expect, test } from 'vitest';
import { openDesk } from './run-claude.ts';
import type { Step } from '../../tools/agents/scripted-api.ts';

const unified = {
  'anthropic-ratelimit-unified-status': 'rejected',
  'anthropic-ratelimit-unified-reset': '1795482067',
  'anthropic-ratelimit-unified-representative-claim': 'five_hour',
  'retry-after': '7200',
  'x-should-retry': 'false',
};
const subscription = { ANTHROPIC_API_KEY: '', CLAUDE_CODE_OAUTH_TOKEN: 'sk-ant-oat01-test' };

const cases: [string, Step, NodeJS.ProcessEnv, object][] = [
  ['401', { error: 401 }, {}, { kind: 'setup', code: 'authentication_failed' }],
  ['403', { error: 403 }, {}, { kind: 'setup', code: 'authentication_failed' }],
  [
    'no key at all',
    { text: 'unused' },
    { ANTHROPIC_API_KEY: '' },
    { kind: 'setup', code: 'authentication_failed' },
  ],
  ['unknown model', { error: 404 }, {}, { kind: 'setup', code: 'model_not_found' }],
  ['429', { error: 429 }, {}, { kind: 'transient', code: 'api_429' }],
  ['429 for an hour', { error: 429, headers: { 'retry-after': '3600' } }, {}, { kind: 'usage_limit' }],
  [
    'a plan’s limit',
    { error: 429, headers: unified },
    subscription,
    { kind: 'usage_limit', resetAt: 1_795_482_067_000 },
  ],
  ['500', { error: 500 }, {}, { kind: 'transient', code: 'api_500' }],
  ['529', { error: 529 }, {}, { kind: 'transient', code: 'api_529' }],
  ['refusal', { refusal: true }, {}, { kind: 'policy', code: 'refused', resumable: false }],
];

test.each(cases)('%s is told apart within seconds', async (_, step, env, failure) => {
  await using desk = await openDesk({ steps: [step], env });
  const started = performance.now();
  const { result } = await desk.run();
  expect(result.failure).toMatchObject(failure);
  expect(result.outcome).toBeUndefined();
  expect(performance.now() - started).toBeLessThan(10_000);
});

test('a server that is not there is transient', async () => {
  await using desk = await openDesk({ steps: [], env: { ANTHROPIC_BASE_URL: 'http://127.0.0.1:9' } });
  const { result } = await desk.run();
  expect(result.failure).toMatchObject({ kind: 'transient', code: 'connection_failed' });
});
