/** Program: run tasks, once or with `--watch`. Parses flags, wires the parts together, nothing else. */
import { randomUUID } from 'node:crypto';
import type { Agent } from './agents/agent.ts';
import { openArtifacts } from './artifacts/open-artifacts.ts';
import { readSettings, type Settings } from './cli/environment.ts';
import { runProgram } from './cli/failure.ts';
import { openBroker } from './cli/open-broker.ts';
import { startOutput } from './cli/worker-output.ts';
import { parseWorkerFlags, type WorkerFlags } from './cli/worker-options.ts';
import { AppError } from './errors.ts';
import { openLocalQueue } from './queues/local.ts';
import type { Queue } from './queues/queue.ts';
import type { Role } from './roles/role.ts';
import { openRoles, type WatchedRoles } from './roles/watch-roles.ts';
import { openStore } from './store/store.ts';
import { rolesFor } from './worker/desks.ts';
import { work } from './worker/loop.ts';
import type { Worker, WorkerOptions } from './worker/worker.ts';
import { openWorkspace } from './workspaces/workspace.ts';

async function main(argv: readonly string[]): Promise<void> {
  const flags = parseWorkerFlags(argv);
  const settings = readSettings();
  const roles = openRoles({ root: settings.root, workspace: settings.workspace });
  if (roles.current().length === 0) throw roles.problems()[0] ?? noRole();
  const wanted = new Set(wantedRoles(roles, flags).map((role) => role.name));
  for (const { message, hints } of roles.problems())
    process.stderr.write([`! ${message}`, ...hints.map((hint) => `    - ${hint}`), ''].join('\n'));
  const agent = await createAgent(flags, settings);
  if (flags.dryRun) {
    const queues = await openQueues(flags, settings);
    const { dryRun } = await import('./cli/dry-run.ts');
    const options = optionsFrom(flags);
    await dryRun({
      settings,
      options,
      json: flags.json,
      queues,
      agent,
      knownRoles: () => roles.current(),
      roles: () => served(roles, flags, wanted),
    });
    return;
  }
  const check = await agent.check();
  if (!check.ok) throw new AppError('AGENT_SETUP', check.detail, { hints: check.hints });
  const workspace = openWorkspace(settings.workspace, settings.dataDir);
  const store = await openStore(workspace.dataDir, settings.databaseUrl);
  const artifacts = await openArtifacts(settings.artifacts, settings.env);
  const queues = await openQueues(flags, settings);
  const servedRoles = (): Role[] => served(roles, flags, wanted);
  const broker = await openBroker(settings, {
    holder: store.id,
    roles: () => servedRoles().map((role) => role.name),
    log: (text) => worker.log({ type: 'warning', text, hints: [] }),
  });
  if (broker) queues.set(broker.name, broker);
  const worker: Worker = {
    id: randomUUID(),
    startedAt: store.now(),
    store,
    queues,
    agent,
    workspace,
    artifacts: async () => artifacts,
    knownRoles: () => roles.current(),
    roles: servedRoles,
    options: optionsFrom(flags),
    now: () => store.now(),
    random: Math.random,
    log: () => undefined,
    running: new Map(),
  };
  const output = startOutput(worker, flags);
  worker.log = output.log;
  const signals = onSignals();
  try {
    await work(worker, { mode: flags.watch ? 'watch' : 'once', ...signals });
  } finally {
    output.stop();
    await Promise.all([...queues.values()].map((queue) => queue.close()));
    await artifacts.close();
    await store.close();
  }
}

function noRole(): AppError {
  return new AppError('NO_ROLE', 'expected a role in .claude/agents/, got: none', {
    hints: ['a role is one Markdown file there; the README shows how to add one'],
  });
}

/** A project that nobody serves because its role file is broken is that file's mistake. */
function wantedRoles(roles: WatchedRoles, flags: WorkerFlags): Role[] {
  try {
    return rolesFor(roles.current(), flags.project);
  } catch (error) {
    throw roles.problems()[0] ?? error;
  }
}

/** The roles this run serves, as their files are now: all there are, or those that were named at the start. */
function served(roles: WatchedRoles, flags: WorkerFlags, wanted: ReadonlySet<string>): Role[] {
  roles.refresh();
  return roles.current().filter((role) => flags.project.length === 0 || wanted.has(role.name));
}

async function openQueues(flags: WorkerFlags, settings: Settings): Promise<Map<string, Queue>> {
  const local = openLocalQueue();
  const kind = flags.queue ?? (settings.todoistToken === undefined ? 'local' : 'todoist');
  if (kind === 'local') return new Map([[local.name, local]]);
  if (settings.todoistToken === undefined)
    throw new AppError('NO_TOKEN', 'expected TODOIST_API_TOKEN to be set for the todoist queue', {
      hints: [
        'copy it from Todoist: Settings → Integrations → Developer, into .env (cp .env.example .env)',
        'or work without Todoist: --queue local',
      ],
    });
  const { openTodoistQueue } = await import('./queues/todoist/todoist.ts');
  const todoist = openTodoistQueue({
    token: settings.todoistToken,
    ...(settings.todoistUrl === undefined ? {} : { baseUrl: settings.todoistUrl }),
  });
  return new Map([todoist, local].map((queue) => [queue.name, queue]));
}

async function createAgent(flags: WorkerFlags, settings: Settings): Promise<Agent> {
  switch (flags.agent) {
    case 'sample':
      return (await import('./agents/sample.ts')).createSampleAgent({ env: settings.env });
    case 'command':
      return (await import('./agents/command.ts')).createCommandAgent({
        argv: flags.command,
        env: settings.env,
      });
    case 'claude': {
      const { createClaudeAgent } = await import('./agents/claude.ts');
      const bin = settings.claudeBin === undefined ? {} : { bin: settings.claudeBin };
      return createClaudeAgent({ ...bin, env: settings.env });
    }
  }
}

function optionsFrom(flags: WorkerFlags): WorkerOptions {
  return {
    lanes: flags.lanes,
    model: flags.model,
    timeoutMs: flags.timeout,
    maxAttempts: flags.maxAttempts,
    dailyBudgetUsd: flags.dailyBudget,
    pollIntervalMs: flags.interval * 1000,
    leaseMs: 60_000,
    heartbeatMs: 10_000,
    // For tests and the demo: a tenth of the patience waits a tenth of the time.
    patience: Number(process.env['AGENT_PATIENCE'] ?? 1),
  };
}

/** The first SIGINT or SIGTERM finishes or parks what runs, the second stops now. */
function onSignals(): { stop: AbortSignal; stopNow: AbortSignal } {
  const stop = new AbortController();
  const stopNow = new AbortController();
  const onSignal = (): void => {
    if (stop.signal.aborted) stopNow.abort();
    stop.abort();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return { stop: stop.signal, stopNow: stopNow.signal };
}

const argv = process.argv.slice(2);
await runProgram(() => main(argv), argv.includes('--json'));
process.exit();
