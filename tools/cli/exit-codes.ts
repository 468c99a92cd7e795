/** The exit codes of both programs, in one place, so that scripts and agents can branch on them. */
import { AppError, isRetryable, type ErrorCode } from '../errors.ts';

export const exitCodes = {
  ok: 0,
  /** Anything that no other code names. */
  error: 1,
  /** Wrong verb, flag or argument; also a verb that an agent may not use. */
  usage: 2,
  /** No such task, or no store yet. */
  notFound: 3,
  /** `result`: the task has not ended; `claim`: there is nothing to do. */
  notYet: 10,
  /** `result`: the task has failed, or was cancelled. */
  failed: 11,
  /** `result`: a person must decide something before the task can go on. */
  waitsForPerson: 12,
  /** What the task left behind is not what was completed. */
  unverified: 13,
  /** `heartbeat`, `complete`, `fail`: the task was cancelled or taken away; stop working on it. */
  notYours: 14,
  /** The store, the broker or the artifacts cannot be reached now; the same command may work later. */
  unavailable: 75,
} as const;

const byCode: Partial<Record<ErrorCode, number>> = {
  BAD_USAGE: exitCodes.usage,
  NOT_FOUND: exitCodes.notFound,
  UNVERIFIED: exitCodes.unverified,
  CLAIM_LOST: exitCodes.notYours,
};

export function exitCodeOf(error: unknown): number {
  if (isRetryable(error)) return exitCodes.unavailable;
  return (error instanceof AppError ? byCode[error.code] : undefined) ?? exitCodes.error;
}
