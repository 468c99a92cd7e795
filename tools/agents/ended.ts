/** Failures that follow from how a process ended alone, the same for every agent. Pure. */
import type { Failure } from './outcome.ts';
import type { Ended } from './process.ts';

/** Undefined: the process ended by itself with an exit code, which the driver must judge. */
export function endFailure(ended: Ended, timeoutIsDeadline: boolean): Failure | undefined {
  if (ended.startError !== undefined) return startFailure(ended.startError);
  switch (ended.endedBy) {
    case 'timeout':
      return timeoutIsDeadline
        ? {
            kind: 'deadline',
            code: 'deadline',
            message: 'The latest useful time passed while the agent was at work.',
          }
        : { kind: 'agent', code: 'timeout', message: 'The agent used up its time and was stopped.' };
    case 'stall':
      return {
        kind: 'transient',
        code: 'stall',
        message: 'The agent gave no sign of life for too long and was stopped.',
      };
    case 'aborted':
      return { kind: 'transient', code: 'aborted', message: 'The agent was stopped by the worker.' };
    case 'driver':
    case undefined:
      break;
  }
  if (ended.exit.signal === null) return undefined;
  return {
    kind: 'transient',
    code: 'killed',
    message: `The agent was ended from outside (${ended.exit.signal}).`,
  };
}

/** Shortages pass; a missing or broken program does not. */
const shortages = new Set(['EAGAIN', 'EMFILE', 'ENFILE', 'ENOMEM', 'ETXTBSY']);

function startFailure(code: string): Failure {
  const lower = code.toLowerCase();
  if (shortages.has(code)) {
    return {
      kind: 'transient',
      code: `start_${lower}`,
      message: `The agent could not be started (${code}).`,
    };
  }
  const what = code === 'ENOENT' ? 'the program or its working directory does not exist' : code;
  return { kind: 'setup', code: `start_${lower}`, message: `The agent could not be started: ${what}.` };
}
