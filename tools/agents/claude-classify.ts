/**
 * The verdict over a run of Claude Code: from the way it ended, its last result line and what it said before, to an
 * outcome or a failure. Judged by codes and fields; text only where the program gives no field. `subtype: "success"`
 * and exit code 0 alone mean nothing. Pure.
 */
import { accountFailure, apiFailure } from './claude-api-failure.ts';
import type { ClaudeStream } from './claude-stream.ts';
import { endFailure } from './ended.ts';
import { stringOf } from './json.ts';
import type { JsonObject } from './json.ts';
import { parseOutcome } from './outcome.ts';
import type { Denial, Failure, Outcome } from './outcome.ts';
import { oneLine } from './printable.ts';
import type { Ended } from './process.ts';

export type Verdict = { outcome: Outcome; failure?: never } | { failure: Failure; outcome?: never };

export interface ClaudeRun {
  ended: Ended;
  stream: ClaudeStream;
  timeoutIsDeadline: boolean;
}

export function classifyClaude({ ended, stream, timeoutIsDeadline }: ClaudeRun): Verdict {
  const { result } = stream;
  const isFinal = result !== undefined && !stream.isBusy && result['is_error'] === false;
  // It had delivered and only failed to go away: what it delivered stands.
  if (isFinal && result['terminal_reason'] === 'completed' && (ended.exit.code === 0 || ended.endedBy)) {
    const verdict = delivered(result, [...stream.denials.values()]);
    if (verdict.outcome || ended.endedBy === undefined) return verdict;
  }
  if (ended.endedBy === 'driver') return { failure: accountFailure('authentication_failed') };
  const failure =
    endFailure(ended, timeoutIsDeadline) ??
    (result === undefined ? startFailure(ended, stream) : resultFailure(result, stream)) ??
    exitFailure(ended);
  return { failure };
}

/** A good end: is there an outcome, and did refused calls stand in its way? */
function delivered(result: JsonObject, denials: Denial[]): Verdict {
  const structured = result['structured_output'];
  if (structured === undefined || structured === null) {
    const said = oneLine(stringOf(result['result']) ?? '', 500);
    if (denials.length > 0) return { failure: refusedTools(denials, said) };
    const message = `The agent ended without saying how it went${said === '' ? '.' : `: ${said}`}`;
    return { failure: { kind: 'agent', code: 'no_outcome', message } };
  }
  const outcome = parseOutcome(structured);
  if (typeof outcome === 'string') {
    return {
      failure: {
        kind: 'agent',
        code: 'bad_outcome',
        message: `The agent's answer cannot be used: ${outcome}.`,
      },
    };
  }
  if (outcome.status === 'done' || denials.length === 0) return { outcome };
  return { failure: refusedTools(denials, outcome.summary) };
}

function refusedTools(denials: Denial[], said: string): Failure {
  const names = [...new Set(denials.map((denial) => denial.tool))].join(', ');
  const words = said === '' ? '' : ` It says: ${said}`;
  return {
    kind: 'policy',
    code: 'tool_refused',
    message: `The agent was not allowed to use ${names}.${words}`,
  };
}

/** It printed no result: it was refused before it began, or ended from outside. */
function startFailure({ exit, stderrTail }: Ended, stream: ClaudeStream): Failure | undefined {
  const said = oneLine(stderrTail, 500);
  // 128 + n: it caught signal n, cleaned up and went.
  if (exit.code !== null && exit.code > 128 && exit.code < 160) {
    return {
      kind: 'transient',
      code: 'killed',
      message: `Claude Code was ended from outside (signal ${exit.code - 128}).`,
    };
  }
  const session = sessionFailure(stderrTail);
  if (session) return session;
  if (stderrTail.includes('piped stdin input exceeds')) {
    return {
      kind: 'invalid_input',
      code: 'prompt_too_long',
      message: 'The task is too long for Claude Code.',
    };
  }
  if (exit.code === 126 || exit.code === 127) {
    return { kind: 'setup', code: `exit_${exit.code}`, message: `Claude Code could not be started: ${said}` };
  }
  // The program's own refusals (unknown option, bad settings, bad schema, root) come before its first line.
  const refused = /^(?:error:|Error:|--dangerously|Claude Code could not start)/mu.test(stderrTail);
  if (refused && !stream.started) {
    return { kind: 'setup', code: 'cli_refused', message: `Claude Code refused to start: ${said}` };
  }
  return undefined;
}

/** The only places where a session's fate is told in text alone. */
function sessionFailure(text: string): Failure | undefined {
  if (text.includes('No conversation found with session ID')) {
    const message = 'The conversation to be continued is gone; the task starts afresh.';
    return { kind: 'transient', code: 'session_not_found', message, resumable: false };
  }
  if (/Session ID \S+ is already in use/u.test(text)) {
    const message = 'The conversation exists already; it is continued next time.';
    return { kind: 'transient', code: 'session_in_use', message, resumable: true };
  }
  return undefined;
}

function resultFailure(result: JsonObject, stream: ClaudeStream): Failure | undefined {
  if (result['is_error'] !== true) return undefined;
  const errors = Array.isArray(result['errors']) ? result['errors'].join(' ') : '';
  const said = oneLine(stringOf(result['result']) ?? errors, 500);
  return (
    bySubtype(result, said) ??
    sessionFailure(errors) ??
    byTerminalReason(result, said) ??
    apiFailure(result, stream, said) ?? {
      kind: 'agent',
      code: 'claude_error',
      message: `Claude Code failed: ${said}`,
    }
  );
}

function bySubtype(result: JsonObject, said: string): Failure | undefined {
  const startup = stringOf(result['startup_failure_reason']);
  if (startup !== undefined) {
    return {
      kind: 'setup',
      code: 'cli_refused',
      message: `Claude Code refused to start (${startup}). ${said}`,
    };
  }
  switch (result['subtype']) {
    case 'error_max_budget_usd':
      return { kind: 'budget', code: 'budget', message: 'The agent reached the cost cap of this task.' };
    case 'error_max_turns':
      return {
        kind: 'agent',
        code: 'max_turns',
        message: 'The agent took more turns than allowed without an end.',
      };
    case 'error_max_structured_output_retries':
      return {
        kind: 'agent',
        code: 'bad_outcome',
        message: 'The agent could not say in the wanted form how it went.',
      };
    default:
      return undefined;
  }
}

function byTerminalReason(result: JsonObject, said: string): Failure | undefined {
  switch (result['terminal_reason']) {
    case 'prompt_too_long':
    case 'blocking_limit': {
      const message = 'The task and what belongs to it are too long for the model.';
      return { kind: 'invalid_input', code: 'prompt_too_long', message, resumable: false };
    }
    case 'image_error':
      return {
        kind: 'invalid_input',
        code: 'request_too_large',
        message: `Too large for the API: ${said}`,
        resumable: false,
      };
    case 'aborted_streaming':
    case 'aborted_tools':
      return { kind: 'transient', code: 'interrupted', message: 'Claude Code was interrupted from outside.' };
    case 'turn_setup_failed':
      return { kind: 'setup', code: 'cli_refused', message: `Claude Code could not begin: ${said}` };
    default:
      return undefined;
  }
}

function exitFailure({ exit, stderrTail }: Ended): Failure {
  const said = stderrTail === '' ? '' : `: ${oneLine(stderrTail.slice(-500), 500)}`;
  if (exit.code === 0)
    return { kind: 'agent', code: 'no_outcome', message: `Claude Code ended without a result${said}` };
  return {
    kind: 'agent',
    code: `exit_${exit.code}`,
    message: `Claude Code ended with exit code ${exit.code}${said}`,
  };
}
