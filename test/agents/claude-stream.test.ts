import { expect, test } from 'vitest';
import { emptyStream, readClaudeLine } from '../../tools/agents/claude-stream.ts';
import { readCapture, readLines } from './read-capture.ts';

function lines(...entries: object[]) {
  return readLines(entries.map((entry) => JSON.stringify(entry)));
}

function call(id: string, name: string, input: object) {
  return { type: 'assistant', message: { content: [{ type: 'tool_use', id, name, input }] } };
}

function denial(id: string) {
  return { tool_name: 'Bash', tool_use_id: id, tool_input: { command: id } };
}

function limit(status: string) {
  return { type: 'rate_limit_event', rate_limit_info: { status, resetsAt: 1_795_482_067 } };
}

test('a run that writes a file: steps, cost, no open tool', () => {
  const { stream, events } = readCapture('b-write-stream-json');
  expect(events).toContainEqual({ type: 'step', tool: 'Write', text: 'Write project/answer.txt' });
  expect(events.at(-1)).toEqual({ type: 'cost', usd: 0.012 });
  expect(stream).toMatchObject({ started: true, openTools: [], isBusy: false });
});

test('a tool call is open until its result comes', () => {
  const open = lines(call('t1', 'Bash', { command: 'sleep 9' }), call('t2', 'Read', { file_path: 'a' }));
  expect(open.stream.openTools).toEqual(['t1', 't2']);
  const result = { type: 'user', message: { content: [{ type: 'tool_result', tool_use_id: 't1' }] } };
  expect(
    readClaudeLine(open.stream, JSON.stringify(result), { cwd: '/', sessionCostUsd: 0 }).state.openTools,
  ).toEqual(['t2']);
});

test('several results: the last counts, refusals of all are kept', () => {
  const { stream } = lines(
    { type: 'result', result: 'one', permission_denials: [denial('a')] },
    { type: 'result', result: 'two', permission_denials: [denial('b')] },
  );
  expect(stream.result?.['result']).toBe('two');
  expect([...stream.denials.values()].map((entry) => entry.input)).toEqual([
    { command: 'a' },
    { command: 'b' },
  ]);
});

test('work after a result means it was not the end', () => {
  const { stream } = lines({ type: 'result', result: 'one' }, call('t1', 'Bash', {}));
  expect(stream.isBusy).toBe(true);
});

test('retries are told; being refused in a row is counted, and forgotten once it works', () => {
  const retry = {
    type: 'system',
    subtype: 'api_retry',
    attempt: 1,
    error_status: 401,
    error: 'authentication_failed',
  };
  const twice = lines(retry, retry);
  expect(twice.stream).toMatchObject({ retries: 2, authRetries: 2 });
  expect(twice.events[0]).toEqual({
    type: 'retrying',
    text: 'The API answered 401 (authentication_failed), trying again',
  });
  expect(lines(retry, call('t', 'Read', {})).stream.authRetries).toBe(0);
});

test('a rejected rate limit names its reset; one that is allowed does not', () => {
  expect(lines(limit('rejected')).stream.resetAt).toBe(1_795_482_067_000);
  expect(lines(limit('allowed_warning')).stream.resetAt).toBeUndefined();
});

test('steps are one short printable line', () => {
  const { events } = lines(
    call('1', 'Bash', { command: `airtable\n  list \u001b[31m${'x'.repeat(400)}` }),
    call('2', 'StructuredOutput', { status: 'done' }),
    call('3', 'Edit', { file_path: '/etc/hosts' }),
    call('4', 'Write', { file_path: 'notes.md' }),
    { type: 'assistant', message: { content: [{ type: 'text', text: ' Looking at\nthe sources. ' }] } },
  );
  const texts = events.map((event) => ('text' in event ? event.text : ''));
  expect(texts[0]).toMatch(/^Bash airtable list x+…$/u);
  expect(texts[0]).toHaveLength(300);
  expect(texts.slice(1)).toEqual(['Edit /etc/hosts', 'Write project/notes.md', 'Looking at the sources.']);
});

test.each([
  '',
  'not json',
  '[]',
  '{"type":"news"}',
  '{"type":"assistant"}',
  '{"type":"user","message":{"content":"x"}}',
  '{"type":"system"}',
])('an odd line changes nothing that matters: %s', (line) => {
  const { state, events } = readClaudeLine(emptyStream, line, { cwd: '/', sessionCostUsd: 0 });
  expect({ ...state, isBusy: false }).toEqual(emptyStream);
  expect(events).toEqual([]);
});

test('a huge refused input is cut', () => {
  const { stream } = lines({
    type: 'result',
    permission_denials: [
      { tool_name: 'Write', tool_use_id: 'a', tool_input: { content: 'x'.repeat(10_000) } },
    ],
  });
  expect(JSON.stringify(stream.denials.get('a')!.input).length).toBeLessThan(4200);
});
