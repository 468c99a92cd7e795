import { expect, test } from 'vitest';
import { createClaudeAgent } from '../../tools/agents/claude.ts';
import { claudeSettings, rulesOf } from '../../tools/agents/claude-call.ts';
import { agentEnvironment } from '../../tools/agents/environment.ts';
import { makeRequest, runAgent, testRole } from './run-agent.ts';

const agent = createClaudeAgent();

function argumentsOf(overrides: Parameters<typeof makeRequest>[0] = {}): string[] {
  return agent.describe(makeRequest(overrides)).args;
}

test('the flags that shut out a project’s own settings are always there', () => {
  expect(argumentsOf()).toEqual(
    expect.arrayContaining([
      '--restricted',
      '--strict-mcp-config',
      '--setting-sources=',
      '--disable-slash-commands',
      'dontAsk',
    ]),
  );
});

test('nothing of a task stands in the arguments', () => {
  const args = argumentsOf({
    taskId: 'task---evil',
    prompt: '--dangerously-skip-permissions',
    grants: ['Bash(echo --dangerously-skip-permissions)'],
  });
  expect(args.join('\0')).not.toMatch(/dangerously|evil/u);
});

test('a session is begun or resumed, capped and pinned', () => {
  const args = argumentsOf({ sessionId: 'abc', resume: true, budgetUsd: 1.5, model: 'sonnet' }).join(' ');
  expect(args).toContain('--resume abc');
  expect(args).toContain('--max-budget-usd 1.5000');
  expect(args).toContain('--model sonnet');
  expect(argumentsOf({ sessionId: 'abc' }).join(' ')).toContain('--session-id abc');
  expect(argumentsOf({ budgetUsd: 0 }).join(' ')).toContain('--max-budget-usd 0.0001');
});

test('further readable folders are added once, the working directory is not', () => {
  const args = argumentsOf({ cwd: '/w', outputDir: '/w/out', readableDirs: ['/skills', '/w', '/skills'] });
  const start = args.indexOf('--add-dir');
  expect(args.slice(start, start + 4)).toEqual(['--add-dir', '/w/out', '/skills', '--max-turns']);
});

test('the settings deny secrets and sign nothing', () => {
  const role = { ...testRole, ask: ['Bash(git push:*)'] };
  const settings = claudeSettings(rulesOf(makeRequest({ role, grants: ['Bash(ls -la)'] })), {
    hook: undefined,
  });
  expect(settings).toMatchObject({
    permissions: {
      ask: ['Bash(git push:*)'],
      allow: ['Bash(ls -la)'],
      deny: expect.arrayContaining(['Read(//**/.env)']),
    },
    attribution: { commit: '', pr: '' },
  });
});

test('a missing program is a setup failure with the way to mend it', async () => {
  const missing = createClaudeAgent({ bin: 'no-such-claude' });
  expect(await missing.check()).toMatchObject({
    ok: false,
    hints: [expect.stringContaining('npm install'), expect.any(String)],
  });
  const { result } = await runAgent(missing, makeRequest());
  expect(result).toMatchObject({ failure: { kind: 'setup', code: 'claude_missing' }, sessionUsable: false });
});

test('the environment: what is named passes, the rest stays', () => {
  const parent = {
    PATH: '/bin',
    HOME: '/h',
    LC_ALL: 'C',
    TODOIST_API_TOKEN: 't',
    NODE_OPTIONS: '--x',
    MY_KEY: 'k',
    CLAUDE_CONFIG_DIR: '/c',
  };
  expect(
    agentEnvironment(parent, {
      pathFirst: ['/shims', undefined, '/node'],
      alsoPass: ['MY_KEY'],
      set: { HOME: '/other' },
    }),
  ).toEqual({
    PATH: '/shims:/node:/bin',
    HOME: '/other',
    LC_ALL: 'C',
    MY_KEY: 'k',
  });
});
