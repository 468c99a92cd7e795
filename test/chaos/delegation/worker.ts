/**
 * Program: one worker for a fleet under fire. Everything is the real thing but the agent, which lives in this process:
 * starting two thousand programs would be most of the work. `node worker.ts '<WorkerConfig as JSON>'`
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Agent, AgentResult } from '../../../tools/agents/agent.ts';
import { openArtifacts } from '../../../tools/artifacts/open-artifacts.ts';
import { openLocalQueue } from '../../../tools/queues/local.ts';
import type { Queue } from '../../../tools/queues/queue.ts';
import { openRabbitQueue } from '../../../tools/queues/rabbitmq/rabbitmq.ts';
import { openStore } from '../../../tools/store/store.ts';
import { work } from '../../../tools/worker/loop.ts';
import type { Worker } from '../../../tools/worker/worker.ts';
import { openWorkspace } from '../../../tools/workspaces/workspace.ts';
import { write } from './ledger.ts';
import { onMachine } from './machine.ts';
import { writerIn } from './role.ts';

export interface WorkerConfig {
  id: string;
  /** Workers on different ones cannot look at each other's processes. */
  machine: string;
  /** What this machine has for itself: store (if it is no shared one) and workspace. */
  folder: string;
  artifacts: string;
  ledger: string;
  databaseUrl: string | undefined;
  amqp: { url: string; prefix: string; ackTimeoutMs: number } | undefined;
  leaseMs: number;
  /** Agents at once. */
  slots: number;
  /** Most runs take up to this long, one in ten up to ten times as long. */
  paceMs: number;
}

const config = JSON.parse(process.argv[2] ?? '{}') as WorkerConfig;
const aborted = { kind: 'transient', code: 'aborted', message: 'The agent was stopped.' } as const;
const silent = {
  costUsd: undefined,
  turns: undefined,
  denials: [],
  sessionUsable: false,
  exit: { code: 0, signal: null },
} satisfies AgentResult;

const stop = new AbortController();
const stopNow = new AbortController();
process.on('SIGTERM', () => stop.abort());
// Nobody is left to judge it.
process.on('disconnect', () => process.exit(1));

const workspace = openWorkspace(join(config.folder, 'workspace'), join(config.folder, 'data'));
const store = onMachine(await openStore(workspace.dataDir, config.databaseUrl), config.machine);
const artifacts = await openArtifacts(config.artifacts, {});
const role = writerIn(workspace.root);
const log: Worker['log'] = (event) => {
  if (event.type === 'worker_started') process.send?.('ready');
  if (event.type === 'warning' || event.type === 'queue_down')
    process.stderr.write(`${event.type}: ${event.text}\n`);
};
const local = openLocalQueue();
const queues = new Map<string, Queue>([[local.name, local]]);
if (config.amqp) {
  const rabbit = openRabbitQueue({
    ...config.amqp,
    holder: store.id,
    roles: () => [role.name],
    sweepMs: 1000,
  });
  queues.set(rabbit.name, rabbit);
}
const worker: Worker = {
  id: config.id,
  startedAt: store.now(),
  store,
  queues,
  agent: inProcessAgent(),
  workspace,
  artifacts: async () => artifacts,
  knownRoles: () => [role],
  roles: () => [role],
  options: {
    lanes: { fast: 0, normal: config.slots, heavy: 0 },
    model: undefined,
    timeoutMs: undefined,
    maxAttempts: undefined,
    dailyBudgetUsd: undefined,
    pollIntervalMs: 200,
    leaseMs: config.leaseMs,
    heartbeatMs: config.leaseMs / 6,
    patience: 0.01,
  },
  now: () => store.now(),
  random: Math.random,
  log,
  running: new Map(),
};

try {
  await work(worker, { mode: 'watch', stop: stop.signal, stopNow: stopNow.signal });
} finally {
  await Promise.all([...queues.values()].map((queue) => queue.close()));
  await store.close();
}
process.exit(0);

function inProcessAgent(): Agent {
  return {
    name: 'command',
    supports: { resume: false, cost: false, grants: false },
    check: async () => ({ ok: true, detail: 'in this process', hints: [] }),
    describe: () => ({ file: 'in-process', args: [] }),
    async run(request, _onEvent, signal) {
      const { taskId, attemptId, attemptNumber: attempt, workerId, outputDir = '.' } = request;
      const about = { taskId, attemptId, attempt, workerId };
      write(config.ledger, { what: 'start', ...about });
      const pace = config.paceMs * (Math.random() < 0.1 ? 10 : 1) * Math.random();
      await sleep(pace, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) {
        write(config.ledger, { what: 'dropped', ...about });
        return { ...silent, failure: aborted };
      }
      mkdirSync(outputDir, { recursive: true });
      const file = join(outputDir, 'post.md');
      writeFileSync(file, `# Post\n\nWritten by ${attemptId}.\n`);
      write(config.ledger, { what: 'end', ...about });
      return {
        ...silent,
        outcome: { status: 'done', summary: `Written by ${attemptId}.`, artifacts: [file] },
      };
    },
  };
}
