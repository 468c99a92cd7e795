/**
 * Claude Code as an agent: `claude -p` under supervision, its event stream read as it comes, its end judged by
 * claude-classify.ts. What it may do is fixed by arguments and a settings file made anew for every attempt.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { briefing } from '../roles/briefing.ts';
import type { Agent, AgentEvent, AgentRequest, AgentResult } from './agent.ts';
import {
  claudeArguments,
  claudeCredentials,
  claudeQuiet,
  claudeSettings,
  claudeSwitches,
  filesOf,
  rulesOf,
  safePrompt,
} from './claude-call.ts';
import { checkClaude } from './claude-check.ts';
import { classifyClaude } from './claude-classify.ts';
import { attemptCost } from './claude-cost.ts';
import { emptyStream, readClaudeLine } from './claude-stream.ts';
import type { ClaudeStream } from './claude-stream.ts';
import { agentEnvironment } from './environment.ts';
import { numberOf } from './json.ts';
import { supervise } from './process.ts';
import type { Ended } from './process.ts';
import { findProgram } from './programs.ts';

export interface ClaudeAgentOptions {
  /** Name or path of the program; default: `claude`. */
  bin?: string;
  /** The worker's environment, of which an allow-list is passed on; default: this process's. */
  env?: NodeJS.ProcessEnv;
}

export function createClaudeAgent({ bin = 'claude', env = process.env }: ClaudeAgentOptions = {}): Agent {
  const find = () => findProgram(bin, env['PATH'] ?? '');
  return {
    name: 'claude',
    supports: { resume: true, cost: true, grants: true },
    check: () => checkClaude(find(), environment(env, undefined, claudeQuiet)),
    describe: (request) => ({ file: bin, args: claudeArguments(request) }),
    async run(request, onEvent, signal) {
      const file = find();
      if (file === undefined) return notInstalled(bin);
      return runClaude(file, env, request, onEvent, signal);
    },
  };
}

/** Two retries because it was not let in: it is a bad key, not an expired token that was just being renewed. */
const authRetriesBeforeEnd = 2;

async function runClaude(
  file: string,
  parent: NodeJS.ProcessEnv,
  request: AgentRequest,
  onEvent: (event: AgentEvent) => void,
  signal: AbortSignal,
): Promise<AgentResult> {
  writeFiles(request);
  let stream = emptyStream;
  const ended = await supervise({
    request: { ...request, prompt: safePrompt(request.prompt) },
    file,
    args: claudeArguments(request),
    env: environment(parent, request.commandsDir, claudeSwitches(request)),
    signal,
    onStart: (pid) => onEvent({ type: 'started', pid }),
    isToolOpen: () => stream.openTools.length > 0,
    onLine: (line, end) => {
      const read = readClaudeLine(stream, line, request);
      stream = read.state;
      for (const event of read.events) onEvent(event);
      if (stream.authRetries >= authRetriesBeforeEnd) end();
    },
  });
  return resultOf(request, ended, stream);
}

function resultOf(request: AgentRequest, ended: Ended, stream: ClaudeStream): AgentResult {
  const verdict = classifyClaude({ ended, stream, timeoutIsDeadline: request.timeoutIsDeadline });
  const total = numberOf(stream.result?.['total_cost_usd']);
  return {
    ...verdict,
    costUsd: total === undefined ? undefined : attemptCost(total, request.sessionCostUsd),
    turns: numberOf(stream.result?.['num_turns']),
    denials: [...stream.denials.values()],
    sessionUsable: verdict.failure?.resumable ?? (stream.started || request.resume),
    exit: ended.exit,
  };
}

/** The folder is private: what a human approved and how the agent is briefed is nobody else's business. */
function writeFiles(request: AgentRequest): void {
  const files = filesOf(request.attemptDir);
  const rules = rulesOf(request);
  mkdirSync(request.attemptDir, { recursive: true });
  const needsHook = rules.except.guarded.length > 0;
  const hook = needsHook ? hookCommand(files.except) : undefined;
  writeFileSync(files.settings, JSON.stringify(claudeSettings(rules, { hook }), undefined, 2), {
    mode: 0o600,
  });
  writeFileSync(files.briefing, briefing(request.role, request.outputDir), { mode: 0o600 });
  writeFileSync(files.except, JSON.stringify(rules.except), { mode: 0o600 });
}

/** Whatever goes wrong in the hook must refuse: only exit code 2 does. */
function hookCommand(exceptFile: string): string {
  const program = fileURLToPath(new URL('./ask-hook.ts', import.meta.url));
  return `${[process.execPath, program, exceptFile].map(quoted).join(' ')} || exit 2`;
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

function environment(
  parent: NodeJS.ProcessEnv,
  commandsDir: string | undefined,
  set: Record<string, string>,
): Record<string, string> {
  return agentEnvironment(parent, {
    pathFirst: [commandsDir, dirname(process.execPath)],
    alsoPass: claudeCredentials,
    set,
  });
}

function notInstalled(bin: string): AgentResult {
  const message = `The program ${JSON.stringify(bin)} was not found: npm install -g @anthropic-ai/claude-code`;
  return {
    failure: { kind: 'setup', code: 'claude_missing', message },
    costUsd: undefined,
    turns: undefined,
    denials: [],
    sessionUsable: false,
    exit: { code: null, signal: null },
  };
}
