/**
 * The states of a task and every move between them. The one place that says what may follow what; an illegal
 * move is a bug and throws, so that a late report of a dead attempt can never overwrite what came after it.
 */
import { AppError } from '../errors.ts';

export const states = [
  'queued',
  'running',
  'waiting',
  'input_required',
  'completed',
  'failed',
  'cancelled',
] as const;
export type State = (typeof states)[number];

/** queued → running → an end; the two waits; and the ways back that only a human opens. */
export const transitions: Readonly<Record<State, readonly State[]>> = {
  queued: ['running', 'input_required', 'failed', 'cancelled'],
  running: ['queued', 'waiting', 'input_required', 'completed', 'failed', 'cancelled'],
  waiting: ['queued', 'failed', 'cancelled'],
  input_required: ['queued', 'failed', 'cancelled'],
  completed: ['queued', 'cancelled'],
  failed: ['queued', 'cancelled'],
  cancelled: ['queued'],
};

/** Live: the worker still has, or may get, something to do for it. */
export const liveStates = ['queued', 'running', 'waiting', 'input_required'] as const satisfies State[];

export function isLive(state: State): boolean {
  return (liveStates as readonly State[]).includes(state);
}

export function assertTransition(taskId: string, from: State, to: State): void {
  if (transitions[from].includes(to)) return;
  throw new AppError(
    'ILLEGAL_TRANSITION',
    `expected a move allowed from ${from}, got: ${to} (task ${taskId})`,
  );
}
