/**
 * How an attempt ended: what the agent is asked to say (structured output), and the failure kinds that decide
 * what happens next. Pure; shared by every agent driver and by the worker.
 */
import { isObject } from './json.ts';

export const outcomeStatuses = ['done', 'needs_review', 'needs_input', 'failed'] as const;
export type OutcomeStatus = (typeof outcomeStatuses)[number];

export interface Outcome {
  status: OutcomeStatus;
  summary: string;
  /** Paths of the files made, absolute or relative to the agent's working directory. */
  artifacts: string[];
  /** The four parts of a review; present where the agent gave them. */
  proposal?: string;
  evidence?: string;
  reason?: string;
  decision?: string;
}

export const failureKinds = [
  'transient',
  'usage_limit',
  'setup',
  'invalid_input',
  'policy',
  'ambiguous',
  'budget',
  'deadline',
  'no_evidence',
  'agent',
] as const;
export type FailureKind = (typeof failureKinds)[number];

export interface Failure {
  kind: FailureKind;
  /** Stable, for statistics and tests: e.g. `api_529`, `timeout`, `exit_3`. SCREAMING_SNAKE is kept for AppError. */
  code: string;
  /** One plain sentence for a person. */
  message: string;
  /** `usage_limit`: epoch ms at which the account works again, if the agent said so. */
  resetAt?: number;
  /** False: the session must not be resumed (it is gone, or it is itself the reason of the failure). */
  resumable?: boolean;
}

/** A tool call that was refused. */
export interface Denial {
  tool: string;
  /** The tool's arguments as the agent gave them, at most 4 KiB of JSON. */
  input: unknown;
}

/** JSON Schema (draft 2020-12) handed to agents that can be asked for structured output. */
export const outcomeSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['status', 'summary'],
  properties: {
    status: {
      type: 'string',
      enum: [...outcomeStatuses],
      description:
        'done: the work is finished. needs_review: it is finished but a person must decide something first. ' +
        'needs_input: you cannot go on without an answer. failed: it cannot be done.',
    },
    summary: { type: 'string', minLength: 1, description: 'What was done, in at most five sentences.' },
    artifacts: {
      type: 'array',
      items: { type: 'string' },
      description:
        'Every file you made or changed for this task, absolute or relative to the working directory.',
    },
    proposal: { type: 'string', description: 'For a review: the output you propose.' },
    evidence: { type: 'string', description: 'For a review: the facts that speak for it, in short.' },
    reason: { type: 'string', description: 'For a review: why a person must look at it.' },
    decision: { type: 'string', description: 'For a review: the exact question to be answered.' },
  },
} as const;

/** Reads an outcome out of untrusted JSON; a string says what is wrong with it. */
export function parseOutcome(value: unknown): Outcome | string {
  if (!isObject(value)) return 'the outcome is not an object';
  const status = outcomeStatuses.find((known) => known === value['status']);
  if (!status)
    return `expected status to be ${outcomeStatuses.join(', ')}, got: ${JSON.stringify(value['status'])}`;
  if (typeof value['summary'] !== 'string' || value['summary'].trim() === '')
    return 'the outcome has no summary';
  const artifacts = value['artifacts'] ?? [];
  if (!Array.isArray(artifacts) || !artifacts.every((path) => typeof path === 'string'))
    return 'expected artifacts to be a list of paths';
  const outcome: Outcome = { status, summary: value['summary'].trim(), artifacts };
  for (const part of ['proposal', 'evidence', 'reason', 'decision'] as const) {
    const text = value[part];
    if (typeof text === 'string' && text.trim() !== '') outcome[part] = text.trim();
  }
  return outcome;
}
