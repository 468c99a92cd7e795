/**
 * `--dry-run`: what would be run now, with which tools and which prompt. It works on a copy of the store in memory
 * and only reads from the queue, so nothing is written anywhere.
 */
import { randomUUID } from 'node:crypto';
import { openArtifacts } from '../artifacts/open-artifacts.ts';
import type { Agent } from '../agents/agent.ts';
import type { Queue } from '../queues/queue.ts';
import type { Role } from '../roles/role.ts';
import { copyStore } from '../store/copy.ts';
import { claim, type Claim } from '../worker/claim.ts';
import { missingProject, planDesks } from '../worker/desks.ts';
import { intake } from '../worker/intake.ts';
import { buildPrompt } from '../worker/prompt.ts';
import { cannotStart, gather, requestFor } from '../worker/prepare-attempt.ts';
import type { Worker, WorkerOptions } from '../worker/worker.ts';
import { plannedPlaces } from '../workspaces/workspace.ts';
import type { Settings } from './environment.ts';
import { print } from './session.ts';

export interface DryRun {
  settings: Settings;
  options: WorkerOptions;
  json: boolean;
  queues: Map<string, Queue>;
  agent: Agent;
  knownRoles: () => Role[];
  roles: () => Role[];
}

export async function dryRun(plan: DryRun): Promise<void> {
  const worker = await inMemory(plan);
  for (const queue of plan.queues.values()) await read(worker, queue);
  let count = 0;
  for (let next = await claim(worker); next; next = await claim(worker)) {
    count += 1;
    await show(worker, next, plan.json);
  }
  if (!plan.json)
    print(count === 0 ? 'nothing is ready to be run' : `\n${count} would be run; nothing was written`);
  await Promise.all([...plan.queues.values()].map((queue) => queue.close()));
}

async function inMemory(plan: DryRun): Promise<Worker> {
  const lanes = { fast: 1000, normal: 1000, heavy: 1000 };
  return {
    id: randomUUID(),
    startedAt: Date.now(),
    store: await copyStore(plan.settings.dataDir, plan.settings.databaseUrl),
    queues: plan.queues,
    agent: plan.agent,
    workspace: { root: plan.settings.workspace, dataDir: plan.settings.dataDir },
    artifacts: () => openArtifacts(plan.settings.artifacts, plan.settings.env),
    knownRoles: plan.knownRoles,
    roles: plan.roles,
    options: { ...plan.options, lanes },
    now: Date.now,
    random: Math.random,
    log: () => undefined,
    running: new Map(),
  };
}

async function read(worker: Worker, queue: Queue): Promise<void> {
  if (!queue.supports.poll) return;
  const projects = await queue.projects();
  const plan = planDesks(worker.knownRoles(), projects);
  if (plan.desks.size === 0) throw missingProject(plan.missing, projects);
  queue.watch(plan.projects);
  await intake(worker, queue, plan.desks);
}

async function show(worker: Worker, claimed: Claim, json: boolean): Promise<void> {
  const { task, role } = claimed;
  const failure = cannotStart(claimed);
  const at = plannedPlaces(worker.workspace, {
    taskId: task.id,
    attemptId: claimed.attemptId,
    role,
    branch: undefined,
  });
  const request = requestFor(worker, claimed, at, buildPrompt(await gather(worker, claimed, undefined)));
  const call = worker.agent.describe(request);
  const budget = claimed.budgetUsd;
  if (json) {
    const refused = failure?.message;
    print(
      JSON.stringify({
        task_id: task.id,
        role: role.name,
        title: task.title,
        tools: role.tools,
        cwd: request.cwd,
        budget_usd: budget ?? null,
        call,
        prompt: request.prompt,
        refused: refused ?? null,
      }),
    );
    return;
  }
  print([
    `── ${task.title}`,
    `task       ${task.id}  p${task.priority}`,
    `role       ${role.name} (${role.file})`,
    `tools      ${role.tools.join(', ') || 'none'}`,
    `works in   ${request.cwd}`,
    `budget     ${budget === undefined ? 'no cap' : `$${budget.toFixed(2)}`}`,
    ...(failure ? [`not run    ${failure.message}`] : []),
    `call       ${[call.file, ...call.args].map(word).join(' ')}`,
    'prompt',
    ...request.prompt.split('\n').map((line) => `  │ ${line}`),
  ]);
}

function word(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
