import { describe, expect, test } from 'vitest';
import type { Denial, Failure } from '../../tools/agents/outcome.ts';
import * as say from '../../tools/worker/messages.ts';
import { signature } from '../../tools/worker/thread.ts';
import { hourMs, minuteMs, noon } from './examples.ts';

const fits = say.maxComment - signature('0a1b2c3d', noon).length;
const plain: say.Ending = { durationMs: 61_000, costUsd: 0, artifacts: [], draft: undefined, denials: [] };
const failure: Failure = { kind: 'agent', code: 'exit_3', message: 'Exit code 3.' };

const contents: [string, string][] = [
  ['lines', 'a line of text\n'.repeat(9000)],
  ['one line', 'x'.repeat(100_000)],
  ['astral characters', '\u{1F984}'.repeat(60_000)],
  ['odd astral characters', `y${'\u{1F984}'.repeat(60_000)}`],
];
const hugeEnding = (text: string): say.Ending => ({
  durationMs: 1e12,
  costUsd: 123_456.789,
  artifacts: Array.from({ length: 500 }, (_, index) => ({
    path: text.slice(0, 4000) + index,
    size: 1e9,
    sha256: 'f',
  })),
  draft: text,
  denials: Array.from({ length: 500 }, (): Denial => ({
    tool: 'Bash',
    input: { command: text.slice(0, 4000) },
  })),
});

describe('a comment always fits, is whole, and ends with what can be done now', () => {
  test.each(contents)('%s', (_, text) => {
    const ending = hugeEnding(text);
    const outcome = { proposal: text, evidence: text, reason: text, decision: text };
    const rules = Array.from({ length: 10 }, () => `Bash(${text.slice(0, 4000)})`);
    const broken = { ...failure, message: text };
    const history = Array.from({ length: 50 }, () => text);
    const comments: [string, string][] = [
      [say.done({ status: 'done', summary: text, artifacts: [] }, ending), 'close the task'],
      [say.decisionNeeded({ title: text, outcome, why: text, ask: text }, ending), 'Answer in a comment'],
      [say.blocked(rules, broken, ending), 'Comment `approve` or `reject`'],
      [say.failed({ failure: broken, attempts: 3, history }, ending), 'it runs again'],
      [say.willRetry(broken, 1, 3, 'in a moment'), 'The next one starts in a moment'],
      [say.paused({ ...broken, kind: 'usage_limit' }, 'in an hour'), 'No attempt was used up'],
      [say.paused({ ...broken, kind: 'setup' }, undefined), 'No attempt was used up'],
      [say.workingOnIt({ attempt: 2, step: text }), 'Working on it'],
    ];
    for (const [comment, mustSay] of comments) {
      expect(comment.length).toBeLessThanOrEqual(fits);
      expect(comment.isWellFormed()).toBe(true);
      expect({ mustSay, isSaid: comment.includes(mustSay) }).toEqual({ mustSay, isSaid: true });
    }
  });
});

test('the decision needed is there, however long the proposal', () => {
  const outcome = {
    proposal: 'p'.repeat(50_000),
    evidence: 'e'.repeat(50_000),
    reason: 'A price.',
    decision: 'May it?',
  };
  const comment = say.decisionNeeded({ title: 'Ready.', outcome, why: 'w', ask: 'a' }, plain);
  for (const part of ['**To decide**\nMay it?', '**Why it needs you**\nA price.'])
    expect({ part, isSaid: comment.includes(part) }).toEqual({ part, isSaid: true });
});

test('a draft that fits is shown whole', () => {
  const draft = `${'A good line.\n'.repeat(700)}THE END`;
  expect(say.done({ status: 'done', summary: 's', artifacts: [] }, { ...plain, draft })).toContain('THE END');
});

test('a draft that does not fit is cut at a line, and the cut is said', () => {
  const draft = 'A good line.\n'.repeat(3000);
  const comment = say.done({ status: 'done', summary: 's', artifacts: [] }, { ...plain, draft });
  expect(comment).toContain('A good line.\n… (cut here; the whole is in the file)');
  expect(comment.length).toBeGreaterThan(14_000);
});

test('control characters and hidden directions of an agent reach no comment', () => {
  const nasty = 'a\u001B[31mred\u001B[0m\u0007\u0000\u202Eb\u200B\rc';
  const broken = { ...failure, message: nasty };
  const ending = {
    ...plain,
    draft: nasty,
    artifacts: [{ path: nasty, size: 1, sha256: 'f' }],
    denials: [{ tool: 'Bash', input: { command: nasty } }],
  };
  const outcome = { proposal: nasty, evidence: nasty, reason: nasty, decision: nasty };
  const comments = [
    say.done({ status: 'done', summary: nasty, artifacts: [] }, ending),
    say.decisionNeeded({ title: nasty, outcome, why: nasty, ask: nasty }, ending),
    say.blocked([nasty], broken, ending),
    say.failed({ failure: broken, attempts: 1, history: [nasty, nasty] }, ending),
    say.willRetry(broken, 1, 2, 'soon'),
    say.paused(broken, 'soon'),
    say.workingOnIt({ attempt: 1, step: nasty }),
  ];
  const unseen = ['\u001B', '\u0007', '\u0000', '\u202E', '\u200B', '\r'];
  for (const comment of comments)
    expect(unseen.filter((character) => comment.includes(character))).toEqual([]);
});

test('a rule cannot end the code it is shown in', () => {
  const comment = say.blocked(['Bash(echo `id` `)'], failure, plain);
  expect(comment).toContain("- `Bash(echo 'id' ')`");
});

test('cut keeps to its length, whatever it cuts', () => {
  for (const [, text] of contents)
    for (const max of [100, 101, 999, 5000]) {
      const short = say.cut(text, max);
      expect(short.length).toBeLessThanOrEqual(max);
      expect(short.isWellFormed()).toBe(true);
    }
  expect(say.cut('short', 100)).toBe('short');
});

test.each([
  [{ tool: 'Bash', input: { command: 'git push', description: 'x' } }, 'Bash(git push)'],
  [{ tool: 'Write', input: { file_path: '/a', content: 'x' } }, 'Write(/a)'],
  [{ tool: 'WebFetch', input: { url: 'https://x.example', prompt: 'y' } }, 'WebFetch(https://x.example)'],
  [{ tool: 'mcp__x__y', input: { command: 3 } }, 'mcp__x__y'],
  [{ tool: 'Task', input: null }, 'Task'],
  [{ tool: 'Task', input: 'text' }, 'Task'],
] as [Denial, string][])('%o is the rule %s', (denial, rule) => expect(say.ruleOf(denial)).toBe(rule));

test('sizes, durations and times are as people say them', () => {
  expect([0, 999, 1000, 1_234_567].map(say.size)).toEqual(['0 bytes', '999 bytes', '1.0 kB', '1.2 MB']);
  expect([-5, 0, 59_499, minuteMs, 61_000, hourMs, hourMs + minuteMs, 50 * hourMs].map(say.duration)).toEqual(
    ['0 s', '0 s', '59 s', '1 min', '1 min 1 s', '1 h', '1 h 1 min', '2 days'],
  );
  expect(say.clock(noon - 1, noon)).toBe('in a moment');
  expect(say.clock(noon + 2 * hourMs, noon)).toMatch(/^in 2 h \(/);
});

test('an attempt that costs nothing names no price; a second one says that it is one', () => {
  expect(say.done({ status: 'done', summary: 's', artifacts: [] }, plain)).toContain('1 min 1 s\n');
  expect(say.done({ status: 'done', summary: 's', artifacts: [] }, { ...plain, costUsd: 0.129 })).toContain(
    '1 min 1 s, $0.13',
  );
  expect(say.workingOnIt({ attempt: 1 })).toBe('🔧 Working on it.');
  expect(say.workingOnIt({ attempt: 2, step: 'reads', note: 'Late.' })).toBe(
    '🔧 Working on it, attempt 2.\nLate.\nLatest step: reads',
  );
});
