/**
 * Any program as an agent. It gets the prompt on standard input and the AGENT_* variables below; it may print a line
 * `{"step":"…"}` for every step worth showing and, as its last line, an outcome (`{"status":"done","summary":"…"}`).
 * Without one, exit code 0 means done. Exit code 75 (EX_TEMPFAIL) means: try again later.
 */
import { basename, dirname } from 'node:path';
import type { Agent, AgentCheck, AgentEvent, AgentRequest, AgentResult } from './agent.ts';
import { CommandOutput, classifyCommand } from './command-classify.ts';
import { agentEnvironment } from './environment.ts';
import { supervise } from './process.ts';
import { findProgram } from './programs.ts';

export interface CommandAgentOptions {
  /** The program and its arguments; never taken from a task. */
  argv: string[];
  /** The worker's environment; default: this process's. */
  env?: NodeJS.ProcessEnv;
}

export function createCommandAgent(options: CommandAgentOptions): Agent {
  return commandAgent('command', options);
}

/** The same under another name: the sample agent is a command. */
export function commandAgent(
  name: 'command' | 'sample',
  { argv, env = process.env }: CommandAgentOptions,
): Agent {
  const [program = '', ...args] = argv;
  return {
    name,
    // It remembers nothing between runs, so every prompt tells the whole task with its thread.
    supports: { resume: false, cost: false, grants: false },
    check: () => Promise.resolve(checkProgram(program, env)),
    describe: () => ({ file: program, args }),
    run: (request, onEvent, signal) => runCommand({ program, args, env }, request, onEvent, signal),
  };
}

function checkProgram(program: string, env: NodeJS.ProcessEnv): AgentCheck {
  const file = findProgram(program, env['PATH'] ?? '');
  if (file) return { ok: true, detail: `${program} (${file})`, hints: [] };
  return {
    ok: false,
    detail: `expected ${JSON.stringify(program)} to be an executable program, found none`,
    hints: [`install ${program}, or put its folder on the PATH`],
  };
}

async function runCommand(
  command: { program: string; args: string[]; env: NodeJS.ProcessEnv },
  request: AgentRequest,
  onEvent: (event: AgentEvent) => void,
  signal: AbortSignal,
): Promise<AgentResult> {
  const env = commandEnvironment(command.env, request);
  const output = new CommandOutput();
  const ended = await supervise({
    request,
    file: findProgram(command.program, env['PATH'] ?? '') ?? command.program,
    args: command.args,
    env,
    signal,
    onStart: (pid) => onEvent({ type: 'started', pid }),
    onLine: (line) => {
      const step = output.read(line);
      if (step !== undefined) onEvent({ type: 'step', text: step });
    },
  });
  return {
    ...classifyCommand(basename(command.program), ended, output, request.timeoutIsDeadline),
    costUsd: undefined,
    turns: undefined,
    denials: [],
    sessionUsable: false,
    exit: ended.exit,
  };
}

function commandEnvironment(parent: NodeJS.ProcessEnv, request: AgentRequest): Record<string, string> {
  return agentEnvironment(parent, {
    pathFirst: [request.commandsDir, dirname(process.execPath)],
    set: {
      AGENT_TASK_ID: request.taskId,
      AGENT_SESSION_ID: request.sessionId,
      AGENT_ATTEMPT: String(request.attemptNumber),
      ...(request.outputDir === undefined ? {} : { AGENT_OUTPUT_DIR: request.outputDir }),
    },
  });
}
