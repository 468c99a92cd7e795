/** The worker of the fast-lane benchmark: the real loop, with an agent that sleeps for heavy tasks. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { openArtifacts } from '../../tools/artifacts/open-artifacts.ts';
import { createCommandAgent } from '../../tools/agents/command.ts';
import { openLocalQueue } from '../../tools/queues/local.ts';
import { openStore } from '../../tools/store/store.ts';
import { work } from '../../tools/worker/loop.ts';
import { openWorkspace } from '../../tools/workspaces/workspace.ts';
import { benchRole } from './fast-lane.ts';

const [folder = '.'] = process.argv.slice(2);
const roles = [benchRole('heavy', 'heavy'), benchRole('fast', 'fast')];
const queue = openLocalQueue();
const stop = new AbortController();
process.on('SIGTERM', () => stop.abort());
const store = await openStore(join(folder, 'data'));
await work(
  {
    id: randomUUID(),
    startedAt: Date.now(),
    store,
    queues: new Map([[queue.name, queue]]),
    agent: createCommandAgent({ argv: ['sh', '-c', 'grep -q "# heavy" && exec sleep 600; exit 0'] }),
    workspace: openWorkspace(join(folder, 'workspace'), join(folder, 'data')),
    artifacts: () => openArtifacts(join(folder, 'workspace'), {}),
    knownRoles: () => roles,
    roles: () => roles,
    options: {
      lanes: { fast: 2, normal: 2, heavy: 10 },
      model: undefined,
      timeoutMs: undefined,
      maxAttempts: undefined,
      dailyBudgetUsd: undefined,
      pollIntervalMs: 10_000,
      leaseMs: 60_000,
      heartbeatMs: 10_000,
      patience: 1,
    },
    now: Date.now,
    random: Math.random,
    log: () => undefined,
    running: new Map(),
  },
  { mode: 'watch', stop: stop.signal, stopNow: new AbortController().signal },
);
await store.close();
