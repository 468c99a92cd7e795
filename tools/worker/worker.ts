/** What every part of the worker is handed: the ports it may use and the options of this run. */
import type { ArtifactStore } from '../artifacts/artifacts.ts';
import type { Agent } from '../agents/agent.ts';
import type { Queue } from '../queues/queue.ts';
import type { Lane, Role } from '../roles/role.ts';
import type { Store } from '../store/store.ts';
import type { Workspace } from '../workspaces/workspace.ts';
import type { Log } from './worker-event.ts';

export interface WorkerOptions {
  lanes: Record<Lane, number>;
  /** Overrides of the role's own values; undefined: the role's. */
  model: string | undefined;
  timeoutMs: number | undefined;
  maxAttempts: number | undefined;
  dailyBudgetUsd: number | undefined;
  pollIntervalMs: number;
  leaseMs: number;
  heartbeatMs: number;
  /** Factor on all backoff times; 1 but in tests and the demo. */
  patience: number;
}

export interface Worker {
  id: string;
  /** Epoch ms of its start: of two workers that do not share a store, the later one gives way. */
  startedAt: number;
  store: Store;
  /** Served queues by name. */
  queues: Map<string, Queue>;
  agent: Agent;
  workspace: Workspace;
  /** Where delegated tasks' contexts, results and artifacts lie. */
  artifacts: () => Promise<ArtifactStore>;
  /** Every role there is, as of now: whose desk a task lies on does not depend on who serves it. */
  knownRoles: () => Role[];
  /** The roles this worker serves, as of now. */
  roles: () => Role[];
  options: WorkerOptions;
  now: () => number;
  /** In [0, 1). */
  random: () => number;
  log: Log;
  /** Attempts of this process, by attempt id. */
  running: Map<string, RunningAttempt>;
}

export interface RunningAttempt {
  taskId: string;
  title: string;
  role: Role;
  startedAt: number;
  lastStep: string;
  /** Ends the agent. `lost`: the task is no longer ours; `shutdown`: park it. */
  abort: (why: 'lost' | 'shutdown' | 'deadline') => void;
  /** Settles when everything about the attempt is over. */
  ended: Promise<void>;
}
