/** The real Claude Code as a coordinator: it submits a task to another role, looks at it, and may not do what is a person's. */
import { execa } from 'execa';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startMessagesApi, type MessagesApi } from '../../tools/agents/scripted-api.ts';
import { bash, done } from './run-claude.ts';

const bin = join(import.meta.dirname, '..', '..', 'tools', 'bin');
let api: MessagesApi;
let folder: string;

beforeEach(async () => {
  api = await startMessagesApi([]);
  folder = mkdtempSync(join(tmpdir(), 'claude-delegate-'));
});
afterEach(async () => {
  await api[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

async function program(name: string, ...args: string[]): Promise<string> {
  const env = {
    AGENT_DATA_DIR: join(folder, 'data'),
    AGENT_WORKSPACE: join(folder, 'workspace'),
    AGENT_ARTIFACTS: join(folder, 'workspace'),
    AGENT_PATIENCE: '0.01',
    ANTHROPIC_API_KEY: 'sk-ant-test',
    ANTHROPIC_BASE_URL: api.url,
    CLAUDE_BIN: process.env['CLAUDE_BIN'] ?? '',
    HOME: folder,
  };
  const { stdout } = await execa(process.execPath, [join(bin, `${name}.mjs`), ...args], {
    env,
    stdin: 'ignore',
  });
  return stdout;
}

/** The id that a key stands for. */
function childOf(from: string, key: string): string {
  const hex = createHash('sha256').update(`${from}\n${key}`).digest('hex');
  return `task-${[hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-')}`;
}

test('a coordinator delegates in its role’s name, looks, and is refused what is for people', async () => {
  const parent = await program('agentq', 'submit', 'Is the plan sound?', '--to', 'coordinator', '-q');
  const child = childOf('coordinator', `${parent}:plan-review`);
  const own = join(folder, 'workspace', 'coordination', parent);
  const submit =
    'agentq submit "Challenge the plan" --to review-worker --type review --file plan.md --key plan-review';
  api.script([
    {
      tools: [
        {
          tool: 'Write',
          input: { file_path: join(own, 'plan.md'), content: '# Challenge this plan\n\nThe whole plan.\n' },
        },
        { tool: 'Write', input: { file_path: join(own, 'report.md'), content: `# Report\n\n${child}\n` } },
      ],
    },
    bash(submit),
    bash(submit),
    bash(`agentq status ${child}`, `agentq list --parent ${parent} --json`),
    bash(`agentq answer ${child} approve`, `agentq redrive ${child}`, `agentq cancel ${parent}`),
    bash(`agentq submit "Steal" --to review-worker --file ${join(folder, 'data', 'store.db')}`),
    bash(`agentq once key -- touch ${join(folder, 'once-was-run')}`),
    done('Delegated, not yet reviewed.', ['report.md']),
  ]);
  await program('agent-worker', '--queue', 'local', '--project', 'Coordinator');
  const listed = JSON.parse(await program('agentq', 'list', '--json')) as unknown;
  expect(listed).toEqual(
    expect.objectContaining({
      tasks: expect.arrayContaining([
        expect.objectContaining({ id: parent, state: 'completed' }),
        expect.objectContaining({ id: child, role: 'review-worker', state: 'queued' }),
      ]),
    }),
  );
  expect(readFileSync(join(folder, 'workspace', 'tasks', `${child}.md`), 'utf8')).toContain(
    'The whole plan.',
  );
  const told = api.transcript();
  for (const text of [
    `${child}  queued for review-worker`,
    'known already under this key, queued',
    'agentq answer is for people; an agent cannot use it',
    'agentq redrive is for people; an agent cannot use it',
    'an agent can cancel only tasks that it has submitted',
    'expected --file to name something in',
    'agentq once is for people',
  ])
    expect(told).toContain(text);
  expect(readdirSync(folder)).not.toContain('once-was-run');
});
