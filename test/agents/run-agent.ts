/** A request with sensible limits in a fresh folder, and a run that collects its events. Nothing may be left running. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { randomUUID } from 'node:crypto';
import { afterEach } from 'vitest';
import { workerMarker } from '../../tools/agents/agent.ts';
import type { Agent, AgentEvent, AgentRequest, AgentResult } from '../../tools/agents/agent.ts';
import { createCommandAgent } from '../../tools/agents/command.ts';
import { startGuard } from '../../tools/agents/guard.ts';
import { killMarked, markedProcesses } from '../../tools/agents/processes.ts';
import { roleDefaults } from '../../tools/roles/role.ts';
import type { Role } from '../../tools/roles/role.ts';

export const testRole: Role = {
  ...roleDefaults,
  name: 'tester',
  description: 'Tests agents.',
  file: '.claude/agents/tester.md',
  body: 'Write short drafts.',
  tools: ['Read', 'Write', 'Edit', 'Glob', 'Grep'],
  model: undefined,
  skills: [],
  project: undefined,
  deadlineMs: undefined,
  budgetUsd: undefined,
  dailyBudgetUsd: undefined,
  requires: [],
  output: undefined,
  repo: undefined,
  ask: [],
  sharesOutput: false,
  acceptsFrom: undefined,
  irreversible: false,
  edits: false,
  hash: '0'.repeat(64),
};

const workerId = `test-worker-${randomUUID()}`;
const folders: string[] = [];

afterEach(async () => {
  const left = await markedProcesses(workerMarker, workerId);
  await killMarked(workerMarker, workerId);
  await startGuard(workerId).stop();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  if (left.length > 0) throw new Error(`expected no process to be left running, got: ${left.join(', ')}`);
});

/** A folder that is removed after the test. */
export function temporaryFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'agent-test-')));
  folders.push(folder);
  return folder;
}

export function makeRequest(overrides: Partial<AgentRequest> = {}): AgentRequest {
  const folder = temporaryFolder();
  const outputDir = join(folder, 'output');
  const attemptDir = join(folder, 'attempt');
  mkdirSync(outputDir);
  mkdirSync(attemptDir);
  return {
    taskId: 'task-1',
    attemptId: randomUUID(),
    attemptNumber: 1,
    role: testRole,
    prompt: 'Task: Why queues matter',
    sessionId: randomUUID(),
    resume: false,
    cwd: outputDir,
    outputDir,
    readableDirs: [],
    attemptDir,
    commandsDir: undefined,
    timeoutMs: 20_000,
    timeoutIsDeadline: false,
    stallMs: 20_000,
    toolStallMs: 20_000,
    model: undefined,
    budgetUsd: undefined,
    sessionCostUsd: 0,
    grants: [],
    workerId,
    ...overrides,
  };
}

export interface Run {
  result: AgentResult;
  events: AgentEvent[];
  steps: string[];
}

export interface RunOptions {
  signal?: AbortSignal;
  onEvent?: (event: AgentEvent) => unknown;
}

export async function runAgent(agent: Agent, request: AgentRequest, options: RunOptions = {}): Promise<Run> {
  const events: AgentEvent[] = [];
  const collect = (event: AgentEvent) => {
    events.push(event);
    options.onEvent?.(event);
  };
  const result = await agent.run(request, collect, options.signal ?? new AbortController().signal);
  const steps = events.flatMap((event) => (event.type === 'step' ? [event.text] : []));
  return { result, events, steps };
}

/** The fixture program of that name as a command agent. */
export function fixture(name: string, ...args: string[]): Agent {
  return createCommandAgent({ argv: [process.execPath, fixturePath(name), ...args] });
}

export function fixturePath(name: string): string {
  return fileURLToPath(new URL(`../fixtures/agents/${name}.ts`, import.meta.url));
}
