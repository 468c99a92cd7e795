/** A scripted API, a project folder and the real program between them. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Agent, AgentRequest } from '../../tools/agents/agent.ts';
import { createClaudeAgent } from '../../tools/agents/claude.ts';
import { makeRequest, runAgent, temporaryFolder, testRole } from '../agents/run-agent.ts';
import type { Run, RunOptions } from '../agents/run-agent.ts';
import { startMessagesApi } from '../../tools/agents/scripted-api.ts';
import type { MessagesApi, Step } from '../../tools/agents/scripted-api.ts';

export interface Desk extends AsyncDisposable {
  api: MessagesApi;
  agent: Agent;
  request: AgentRequest;
  /** The agent's home: its sessions are kept there. */
  home: string;
  /** Folder of the scripts offered to the agent as commands. */
  commandsDir: string;
  run(overrides?: Partial<AgentRequest>, options?: RunOptions): Promise<Run>;
}

export interface DeskOptions {
  steps: Step[];
  tools?: string[];
  ask?: string[];
  env?: NodeJS.ProcessEnv;
}

/** `desk.request.cwd` is the output folder; the agent's home and its commands are folders of their own. */
export async function openDesk({
  steps,
  tools = testRole.tools,
  ask = [],
  env = {},
}: DeskOptions): Promise<Desk> {
  const api = await startMessagesApi(steps);
  const home = temporaryFolder();
  const commandsDir = temporaryFolder();
  const agent = createClaudeAgent({
    bin: process.env['CLAUDE_BIN']!,
    env: {
      PATH: '/usr/local/bin:/usr/bin:/bin',
      HOME: home,
      LANG: 'C.UTF-8',
      ANTHROPIC_API_KEY: 'sk-ant-test',
      ANTHROPIC_BASE_URL: api.url,
      ...env,
    },
  });
  const role = { ...testRole, tools, ask };
  const request = makeRequest({
    role,
    commandsDir,
    prompt: 'You are a background agent.\n\nWhy queues matter',
  });
  return {
    api,
    agent,
    request,
    home,
    commandsDir,
    run: (overrides = {}, options = {}) => runAgent(agent, { ...request, ...overrides }, options),
    [Symbol.asyncDispose]: () => api[Symbol.asyncDispose](),
  };
}

/** A command for the agent: a shell script. */
export function addCommand(folder: string, name: string, script: string): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
}

export function bash(...commands: string[]): Step {
  return { tools: commands.map((command) => ({ tool: 'Bash', input: { command, description: 'test' } })) };
}

export function done(summary = 'finished', artifacts: string[] = []): Step {
  return { outcome: { status: 'done', summary, artifacts } };
}
