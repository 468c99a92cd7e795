import { expect, test } from 'vitest';
import { classifyClaude } from '../../tools/agents/claude-classify.ts';
import type { ClaudeRun } from '../../tools/agents/claude-classify.ts';
import { attemptCost } from '../../tools/agents/claude-cost.ts';
import { captureNames, readCapture, readLines } from './read-capture.ts';

/** `kind code`, or the outcome's status. */
function verdictOf(run: ClaudeRun): string {
  const { outcome, failure } = classifyClaude(run);
  return outcome ? outcome.status : `${failure.kind} ${failure.code}`;
}

const captures: Record<string, string> = {
  // Made without asking for a structured outcome: none can be there.
  'a-text-json': 'agent no_outcome',
  'a-text-stream': 'agent no_outcome',
  'b-write-stream-json': 'agent no_outcome',
  'j-runinbg-normal': 'agent no_outcome',
  'k2-resume': 'agent no_outcome',
  'c-denied-json': 'policy tool_refused',
  'c-denied-stream-json': 'policy tool_refused',
  'e-schema-never-text': 'agent no_outcome',
  // Its schema is another one.
  'e-schema-ok': 'agent bad_outcome',
  'f-budget-tiny-tools': 'budget budget',
  'g-maxturns': 'agent max_turns',
  // Killed by its observer in the middle of retrying.
  'h-401': 'transient killed',
  'h-429-retries2': 'transient api_429',
  'h-529-retries1': 'transient api_529',
  'h-refused-retries1': 'transient connection_failed',
  'i-nologin-stream': 'setup authentication_failed',
  'j-SIGINT-bash-stream': 'transient interrupted',
  'j-SIGTERM-bash-stream': 'transient killed',
  'r-400-credit': 'setup billing_error',
  'r-400-too-long': 'invalid_input prompt_too_long',
  'r-401': 'setup authentication_failed',
  'r-402': 'setup billing_error',
  'r-403': 'setup authentication_failed',
  'r-404-model': 'setup model_not_found',
  'r-413': 'invalid_input request_too_large',
  'r-429-no-retry': 'usage_limit usage_limit',
  'r-500': 'transient api_500',
  'r-bad-schema': 'setup cli_refused',
  'r-bad-settings': 'setup cli_refused',
  'r-hang': 'transient api_timeout',
  'r-refusal': 'policy refused',
  'r-root-refused': 'setup cli_refused',
  'r-sandbox-missing': 'setup cli_refused',
  'r-session-in-use': 'transient session_in_use',
  'r-session-not-found': 'transient session_not_found',
  'r-session-not-found-plain': 'transient session_not_found',
  'r-stall': 'transient stream_idle_timeout',
  'r-unknown-option': 'setup cli_refused',
  'r-usage-limit-oauth': 'usage_limit usage_limit',
};

test('every capture has an expectation', () => {
  expect(captureNames().toSorted()).toEqual(Object.keys(captures).toSorted());
});

test.each(Object.entries(captures))('%s: %s', (name, expected) => {
  const run = readCapture(name);
  expect(verdictOf(run)).toBe(expected);
  expect(classifyClaude(run).failure?.message).toMatch(/\S/u);
});

test('a plan limit names the moment it ends', () => {
  expect(classifyClaude(readCapture('r-usage-limit-oauth')).failure?.resetAt).toBe(1_795_482_067_000);
});

test('sessions that are gone or are themselves the reason are not resumed', () => {
  const gone = ['r-session-not-found', 'r-400-too-long', 'r-413', 'r-refusal'];
  expect(gone.filter((name) => classifyClaude(readCapture(name)).failure?.resumable !== false)).toEqual([]);
  expect(classifyClaude(readCapture('r-session-in-use')).failure?.resumable).toBe(true);
});

const good = {
  type: 'result',
  subtype: 'success',
  is_error: false,
  terminal_reason: 'completed',
  result: 'fine',
  permission_denials: [],
};
const refused = { tool_name: 'Bash', tool_use_id: 'toolu_1', tool_input: { command: 'rm x' } };
const apiError = { ...good, is_error: true, terminal_reason: 'api_error', api_error_status: null };

/** Result fields (and lines before them), the way it ended, the verdict. */
const signatures: [string, object[], Partial<ClaudeRun['ended']>, string][] = [
  ['done', [{ ...good, structured_output: { status: 'done', summary: 's' } }], {}, 'done'],
  ['asks', [{ ...good, structured_output: { status: 'needs_input', summary: 's' } }], {}, 'needs_input'],
  ['gives up', [{ ...good, structured_output: { status: 'failed', summary: 's' } }], {}, 'failed'],
  [
    'done in spite of a refusal',
    [{ ...good, permission_denials: [refused], structured_output: { status: 'done', summary: 's' } }],
    {},
    'done',
  ],
  [
    'stuck because of a refusal',
    [{ ...good, permission_denials: [refused], structured_output: { status: 'needs_review', summary: 's' } }],
    {},
    'policy tool_refused',
  ],
  [
    'a refusal in an earlier result line',
    [
      { ...good, permission_denials: [refused] },
      { ...good, structured_output: { status: 'failed', summary: 's' } },
    ],
    {},
    'policy tool_refused',
  ],
  [
    'a result that was not the end',
    [
      { ...good, structured_output: { status: 'done', summary: 's' } },
      { type: 'assistant', message: { content: [{ type: 'text', text: 'going on' }] } },
    ],
    { exit: { code: null, signal: 'SIGTERM' }, endedBy: 'timeout' },
    'agent timeout',
  ],
  [
    'delivered, then failed to go away',
    [{ ...good, structured_output: { status: 'done', summary: 's' } }],
    { exit: { code: 143, signal: null }, endedBy: 'timeout' },
    'done',
  ],
  ['an answer without a status', [{ ...good, structured_output: { summary: 's' } }], {}, 'agent bad_outcome'],
  [
    'a slash command',
    [{ ...good, result: '', num_turns: 0, local_command: 'clear' }],
    {},
    'agent no_outcome',
  ],
  ['an empty answer', [{ ...good, result: '' }], {}, 'agent no_outcome'],
  ['no line, exit 0', [], { exit: { code: 0, signal: null } }, 'agent no_outcome'],
  ['no line, exit 1', [], { exit: { code: 1, signal: null } }, 'agent exit_1'],
  [
    'good result, bad exit',
    [{ ...good, structured_output: { status: 'done', summary: 's' } }],
    { exit: { code: 7, signal: null } },
    'agent exit_7',
  ],
  ['timeout', [], { exit: { code: 143, signal: null }, endedBy: 'timeout' }, 'agent timeout'],
  ['stall', [], { exit: { code: null, signal: 'SIGKILL' }, endedBy: 'stall' }, 'transient stall'],
  ['aborted', [], { exit: { code: 143, signal: null }, endedBy: 'aborted' }, 'transient aborted'],
  [
    'ended by the driver',
    [],
    { exit: { code: 143, signal: null }, endedBy: 'driver' },
    'setup authentication_failed',
  ],
  ['out of memory', [], { exit: { code: null, signal: 'SIGKILL' } }, 'transient killed'],
  ['SIGHUP', [], { exit: { code: 129, signal: null } }, 'transient killed'],
  ['no such file', [], { startError: 'ENOENT', exit: { code: null, signal: null } }, 'setup start_enoent'],
  [
    'too many processes',
    [],
    { startError: 'EAGAIN', exit: { code: null, signal: null } },
    'transient start_eagain',
  ],
  [
    'cannot execute',
    [],
    { exit: { code: 126, signal: null }, stderrTail: 'setpriv: failed' },
    'setup exit_126',
  ],
  [
    'stdin too large',
    [],
    { exit: { code: 1, signal: null }, stderrTail: 'Error: piped stdin input exceeds 10MB' },
    'invalid_input prompt_too_long',
  ],
  [
    'invalid session id',
    [],
    { exit: { code: 1, signal: null }, stderrTail: 'Error: Invalid session ID. Must be a valid UUID.' },
    'setup cli_refused',
  ],
  [
    'root',
    [],
    {
      exit: { code: 1, signal: null },
      stderrTail:
        '--dangerously-skip-permissions cannot be used with root/sudo privileges for security reasons',
    },
    'setup cli_refused',
  ],
  [
    'structured output retries',
    [
      {
        ...good,
        is_error: true,
        subtype: 'error_max_structured_output_retries',
        terminal_reason: 'structured_output_retry_exhausted',
      },
    ],
    { exit: { code: 1, signal: null } },
    'agent bad_outcome',
  ],
  [
    'DNS',
    [{ ...apiError, api_error: 'connection_failed', result: 'API Error: (ENOTFOUND)' }],
    { exit: { code: 1, signal: null } },
    'transient connection_failed',
  ],
  [
    'a captive portal',
    [{ ...apiError, result: 'API Error: API returned an empty or malformed response (HTTP 200)' }],
    { exit: { code: 1, signal: null } },
    'transient api_unavailable',
  ],
  [
    'output limit',
    [{ ...apiError, api_error: 'max_output_tokens' }],
    { exit: { code: 1, signal: null } },
    'agent max_output_tokens',
  ],
  ['503', [{ ...apiError, api_error_status: 503 }], { exit: { code: 1, signal: null } }, 'transient api_503'],
  [
    '400',
    [{ ...apiError, api_error_status: 400, result: 'API Error: 400 odd' }],
    { exit: { code: 1, signal: null } },
    'agent api_400',
  ],
  [
    '429 after retries',
    [
      { type: 'system', subtype: 'api_retry', attempt: 1, error_status: 429, error: 'rate_limit' },
      { ...apiError, api_error_status: 429 },
    ],
    { exit: { code: 1, signal: null } },
    'transient api_429',
  ],
  [
    'refusal',
    [{ ...apiError, stop_reason: 'refusal', safety_stops: 2 }],
    { exit: { code: 1, signal: null } },
    'policy refused',
  ],
  [
    'an account on hold',
    [
      { type: 'assistant', error: 'account_on_hold', message: { content: [] } },
      { ...apiError, api_error_status: 403 },
    ],
    { exit: { code: 1, signal: null } },
    'setup account_on_hold',
  ],
  [
    'something new',
    [{ ...good, is_error: true, terminal_reason: 'moon_phase', result: 'Full moon' }],
    { exit: { code: 1, signal: null } },
    'agent claude_error',
  ],
];

test.each(signatures)('%s', (_, lines, ended, expected) => {
  const { stream } = readLines(lines.map((line) => JSON.stringify(line)));
  const usual = { endedBy: undefined, startError: undefined, stderrTail: '', skippedLines: 0, leftovers: 0 };
  const run = {
    stream,
    timeoutIsDeadline: false,
    ended: { exit: { code: 0, signal: null }, ...usual, ...ended },
  };
  expect(verdictOf(run)).toBe(expected);
});

test('running out of time at the deadline is a deadline failure', () => {
  const run = readCapture('j-SIGTERM-bash-stream');
  run.ended.endedBy = 'timeout';
  expect(verdictOf({ ...run, timeoutIsDeadline: true })).toBe('deadline deadline');
});

test.each([
  ['a first attempt', 0.01, 0, 0.01],
  ['a resumed session counts from its beginning', 0.018, 0.012, 0.006],
  ['a session that lost its count starts again', 0.006, 0.012, 0.006],
  ['a start that failed', 0, 0.5, 0],
])('cost: %s', (_, total, before, expected) => {
  expect(attemptCost(total, before)).toBeCloseTo(expected, 10);
});
