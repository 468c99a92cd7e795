/**
 * What an ended attempt means for its task: the failure table in one pure function. It yields the next state, what
 * is told to the person, and what is to be paused; nothing here touches the world.
 */
import { canBeGranted } from '../agents/permission-rules.ts';
import { printable } from '../agents/printable.ts';
import type { AgentResult } from '../agents/agent.ts';
import type { Failure, Outcome } from '../agents/outcome.ts';
import type { AgentLabel } from '../queues/queue.ts';
import { agentLabels } from '../queues/queue.ts';
import type { Role } from '../roles/role.ts';
import type { State } from '../store/states.ts';
import type { Task, TaskMeta } from '../store/tasks.ts';
import type { Evidence } from '../workspaces/evidence.ts';
import { startRule } from '../delegation/may-start.ts';
import { attemptBackoff, backoff, pauseBackoff } from './backoff.ts';
import * as say from './messages.ts';

export interface SettleInput {
  task: Task;
  role: Role;
  result: Pick<AgentResult, 'outcome' | 'failure' | 'denials' | 'sessionUsable' | 'costUsd'>;
  evidence: Evidence;
  resumed: boolean;
  /** Attempts that may fail. */
  attempts: number;
  attemptNumber: number;
  startedAt: number;
  now: number;
  random: number;
  patience: number;
  draft: string | undefined;
  /** Messages of the earlier attempts of this round. */
  history: string[];
  /** How often this pause has been prolonged, 0 for none. */
  pauseTries: { agent: number; role: number };
  /** Hash of the text that the agent worked on. */
  toldHash: string;
}

export interface Settlement {
  to: State;
  /** For the attempt's row. */
  result: 'done' | 'needs_review' | 'needs_input' | 'failed' | 'parked';
  failure: Failure | undefined;
  /** Does it count against `attempts`? */
  spent: boolean;
  note: string;
  meta: TaskMeta;
  /** Ms epoch, 0 for now; only for `queued`. */
  availableAt: number;
  keepSession: boolean;
  /** A new comment. */
  comment: string | undefined;
  /** Put into the "working on it" comment, where a comment of its own would be noise. */
  progress: string | undefined;
  label: AgentLabel | undefined;
  pause:
    | { scope: 'agent' | 'role'; kind: 'usage_limit' | 'setup'; until: number; message: string }
    | undefined;
}

/** Restarts of the worker that one task may survive before it is taken for their cause. */
export const maxCrashes = 5;

export function settle(input: SettleInput): Settlement {
  const failure = failureOf(input);
  if (failure) return settleFailure(input, failure);
  const outcome = input.result.outcome as Outcome;
  if (outcome.status === 'done')
    return ending(input, 'completed', {
      result: 'done',
      note: outcome.summary,
      comment: say.done(outcome, closing(input)),
    });
  return askForDecision(input, outcome);
}

/** What the agent claims counts only where nothing speaks against it. */
function failureOf({ result, evidence }: SettleInput): Failure | undefined {
  if (result.failure) return result.failure;
  const { outcome } = result;
  if (!outcome)
    return { kind: 'agent', code: 'no_outcome', message: 'The agent ended without saying what it did.' };
  if (outcome.status === 'failed') return { kind: 'agent', code: 'gave_up', message: outcome.summary };
  if (outcome.status === 'done' && evidence.problems.length > 0)
    return { kind: 'no_evidence', code: 'no_evidence', message: `${evidence.problems.join('; ')}.` };
  return undefined;
}

function settleFailure(input: SettleInput, failure: Failure): Settlement {
  switch (failure.kind) {
    case 'transient':
      return transient(input, failure);
    case 'agent':
      return failure.code === 'gave_up' ? dead(input, failure) : retryOrDie(input, failure);
    case 'no_evidence':
      return noEvidence(input, failure);
    case 'usage_limit':
    case 'setup':
      return park(input, failure);
    case 'policy':
      return failure.code === 'needs_approval' ? askToStart(input, failure) : refusedTools(input, failure);
    case 'deadline':
      return dead(input, failure);
    case 'budget':
    case 'ambiguous':
    case 'invalid_input':
      return askForDecision(input, input.result.outcome, failure);
  }
}

function transient(input: SettleInput, failure: Failure): Settlement {
  if (failure.code === 'aborted') return retry(input, failure, { spent: false, at: 0 });
  // The session is gone: nothing was tried yet, so nothing is spent; a fresh one starts at once.
  if (failure.resumable === false && input.resumed) return retry(input, failure, { spent: false, at: 0 });
  return retryOrDie(input, failure);
}

function retryOrDie(input: SettleInput, failure: Failure): Settlement {
  if (input.task.failures + 1 >= input.attempts) return dead(input, failure, true);
  const wait = Math.round(backoff(input.task.failures + 1, attemptBackoff, input.random) * input.patience);
  return retry(input, failure, { spent: true, at: input.now + wait });
}

function retry(input: SettleInput, failure: Failure, how: { spent: boolean; at: number }): Settlement {
  const when = say.clock(how.at, input.now);
  return {
    ...base(input, failure),
    to: 'queued',
    result: how.spent ? 'failed' : 'parked',
    spent: how.spent,
    note: failure.message,
    availableAt: how.at,
    keepSession: input.result.sessionUsable && failure.resumable !== false,
    progress: how.spent ? say.willRetry(failure, input.task.failures + 1, input.attempts, when) : undefined,
  };
}

function noEvidence(input: SettleInput, failure: Failure): Settlement {
  if (input.task.meta.evidenceRetried) return dead(input, failure, true);
  return {
    ...retry(input, failure, { spent: true, at: 0 }),
    meta: { ...input.task.meta, evidenceRetried: true },
    progress: `Checking found something missing, so it goes back once more: ${say.cut(printable(failure.message), 2000)}`,
  };
}

function park(input: SettleInput, failure: Failure): Settlement {
  const tries = input.pauseTries[failure.kind === 'usage_limit' ? 'agent' : 'role'];
  const probe =
    input.now + Math.max(1000, Math.round(backoff(tries + 1, pauseBackoff, input.random) * input.patience));
  const until = failure.resetAt !== undefined && failure.resetAt > input.now ? failure.resetAt : probe;
  const limit = failure.kind === 'usage_limit';
  return {
    ...base(input, failure),
    to: 'queued',
    result: 'parked',
    note: failure.message,
    keepSession: input.result.sessionUsable && failure.resumable !== false,
    // One comment for all that wait, on the task that met the limit; prolonging the pause adds none.
    comment: tries === 0 ? say.paused(failure, limit ? say.clock(until, input.now) : undefined) : undefined,
    pause: {
      scope: limit ? 'agent' : 'role',
      kind: limit ? 'usage_limit' : 'setup',
      until,
      message: failure.message,
    },
  };
}

/** What a person cannot see whole, or not as it is, cannot be put up for approval. */
function canBeShown(rule: string): boolean {
  return rule.length <= 450 && printable(rule) === rule;
}

/** What cannot be undone begins only after a person's word. */
function askToStart(input: SettleInput, failure: Failure): Settlement {
  return ending(input, 'input_required', {
    result: 'needs_input',
    failure,
    note: failure.message,
    comment: say.mayItStart(failure, closing(input)),
    meta: { ...input.task.meta, asked: [startRule], askedHash: input.toldHash },
  });
}

function refusedTools(input: SettleInput, failure: Failure): Settlement {
  const rules = [...new Set(input.result.denials.map(say.ruleOf))]
    .filter(canBeShown)
    .filter(canBeGranted)
    .slice(0, 10);
  if (rules.length === 0) return askForDecision(input, input.result.outcome, failure);
  return ending(input, 'input_required', {
    result: 'needs_input',
    failure,
    note: `wants to run ${rules.join(', ')}`,
    comment: say.blocked(rules, failure, closing(input)),
    meta: { ...input.task.meta, asked: rules, askedHash: input.toldHash },
  });
}

const asks: Partial<Record<Failure['kind'], string>> = {
  budget: 'May it go on with the same budget again? Comment what it should do, or close the task.',
  invalid_input: 'Please add what is missing to the description, then comment here.',
  policy: 'How should it go on without that?',
  ambiguous: 'How should it go on?',
};

function askForDecision(input: SettleInput, outcome: Outcome | undefined, failure?: Failure): Settlement {
  const review = outcome?.status === 'needs_review';
  const title =
    failure?.message ??
    (review ? 'Ready, but you must decide something first.' : 'I need an answer to go on.');
  return ending(input, 'input_required', {
    result: review ? 'needs_review' : 'needs_input',
    failure,
    note: outcome?.decision ?? outcome?.summary ?? failure?.message ?? title,
    comment: say.decisionNeeded(
      {
        title,
        outcome: outcome ?? {},
        why: outcome?.summary ?? failure?.message ?? title,
        ask: (failure && asks[failure.kind]) ?? 'How should it go on?',
      },
      closing(input),
    ),
  });
}

function dead(input: SettleInput, failure: Failure, spent = false): Settlement {
  const history = [...input.history, failure.message];
  return ending(input, 'failed', {
    result: 'failed',
    failure,
    spent,
    note: failure.message,
    comment: say.failed({ failure, attempts: input.attempts, history }, closing(input)),
  });
}

function ending(
  input: SettleInput,
  to: 'completed' | 'input_required' | 'failed',
  parts: Partial<Settlement> & Pick<Settlement, 'result' | 'note' | 'comment'>,
): Settlement {
  return {
    ...base(input, undefined),
    keepSession: input.result.sessionUsable && parts.failure?.resumable !== false,
    label: agentLabels[to],
    ...parts,
    to,
  };
}

function base(input: SettleInput, failure: Failure | undefined): Settlement {
  return {
    to: 'queued',
    result: 'failed',
    failure,
    spent: false,
    note: '',
    meta: input.task.meta,
    availableAt: 0,
    keepSession: false,
    comment: undefined,
    progress: undefined,
    label: undefined,
    pause: undefined,
  };
}

function closing(input: SettleInput): say.Ending {
  return {
    durationMs: input.now - input.startedAt,
    costUsd: input.task.cost + (input.result.costUsd ?? 0),
    artifacts: input.evidence.artifacts,
    draft: input.draft,
    denials: input.result.denials,
  };
}
