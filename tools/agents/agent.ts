/**
 * The port every agent driver fills: start a program with a prompt, report what it does, come back with a verdict.
 * Invariants: `run` always settles (total, stall and kill time-outs are the driver's duty), when it has settled no
 * process of the attempt is left, and it never throws for anything the agent did: that is a `Failure`.
 */
import type { Role } from '../roles/role.ts';
import type { Denial, Failure, Outcome } from './outcome.ts';

/** Put into the agent's environment; every descendant inherits it, so that leftovers can be found and ended. */
export const attemptMarker = 'AGENT_ATTEMPT_ID';
export const workerMarker = 'AGENT_WORKER_ID';

export interface AgentRequest {
  taskId: string;
  attemptId: string;
  /** 1-based; counts every attempt of the task. */
  attemptNumber: number;
  role: Role;
  /** The whole prompt, handed over on standard input. */
  prompt: string;
  /** A UUID, stored before the process starts. */
  sessionId: string;
  /** True: go on in session `sessionId` (the prompt is the next turn); false: start it. */
  resume: boolean;
  /** Absolute working directory; exists. */
  cwd: string;
  /** Absolute folder the agent may write; undefined: none. */
  outputDir: string | undefined;
  /** Further absolute folders it may read (its skills). */
  readableDirs: string[];
  /** Absolute private folder of this attempt for the driver's own files (settings, raw event log). */
  attemptDir: string;
  /** Absolute folder of executables put first on the agent's PATH; undefined: none. */
  commandsDir: string | undefined;
  timeoutMs: number;
  /** Why the total time is what it is; a deadline makes running out of it a `deadline` failure. */
  timeoutIsDeadline: boolean;
  stallMs: number;
  toolStallMs: number;
  model: string | undefined;
  /** US dollars this attempt may spend; undefined: no cap. */
  budgetUsd: number | undefined;
  /** What the session had cost before this attempt, US dollars: drivers whose agent counts per session subtract it. */
  sessionCostUsd: number;
  /** Permission rules granted by a human for this task alone. */
  grants: string[];
  /** The worker's id, put into the environment under `workerMarker`. */
  workerId: string;
}

export type AgentEvent =
  | { type: 'started'; pid: number }
  /** Something worth showing: a tool call or a sentence; at most 300 characters. */
  | { type: 'step'; text: string; tool?: string }
  /** The agent retries by itself (rate limit, overload). */
  | { type: 'retrying'; text: string }
  /** What this attempt has cost so far, US dollars. */
  | { type: 'cost'; usd: number };

export interface AgentResult {
  /** Exactly one of the two. `failure` wins over anything the agent claimed. */
  outcome?: Outcome;
  failure?: Failure;
  /** US dollars spent by this attempt alone, as far as seen; undefined: the agent does not say. */
  costUsd: number | undefined;
  turns: number | undefined;
  /** Refused tool calls over the whole attempt, also when it went on and delivered. */
  denials: Denial[];
  /** True: `resume` with the same session id can continue this conversation. */
  sessionUsable: boolean;
  exit: { code: number | null; signal: string | null };
}

export interface AgentCheck {
  ok: boolean;
  /** One line, e.g. `claude 2.1.330, API key from ANTHROPIC_API_KEY`. */
  detail: string;
  hints: string[];
}

export interface Agent {
  readonly name: 'claude' | 'command' | 'sample';
  readonly supports: { resume: boolean; cost: boolean; grants: boolean };
  /** Is the program there and logged in? Takes at most ten seconds, spends nothing. */
  check(): Promise<AgentCheck>;
  /** `signal` aborts: the agent is ended (SIGTERM, then SIGKILL) and the result is a `transient` failure `aborted`. */
  run(request: AgentRequest, onEvent: (event: AgentEvent) => void, signal: AbortSignal): Promise<AgentResult>;
  /** For `--dry-run`: the program and the arguments that would be used, secrets left out. */
  describe(request: AgentRequest): { file: string; args: string[] };
}
