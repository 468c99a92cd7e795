import { describe, expect, test } from 'vitest';
import type { Denial, Failure, Outcome } from '../../tools/agents/outcome.ts';
import { failureKinds } from '../../tools/agents/outcome.ts';
import { isLive, transitions } from '../../tools/store/states.ts';
import { attemptBackoff, pauseBackoff } from '../../tools/worker/backoff.ts';
import { settle, type SettleInput, type Settlement } from '../../tools/worker/settle.ts';
import { exampleRole, exampleTask, hourMs, minuteMs, noon } from './examples.ts';

const done: Outcome = { status: 'done', summary: 'Wrote it.', artifacts: ['a.md'] };
const evidence = { artifacts: [{ path: 'writer/a.md', size: 12, sha256: 'f' }], problems: [] };

function given(patch: Partial<SettleInput> = {}): SettleInput {
  return {
    task: exampleTask({ state: 'running', contentHash: 'h' }),
    role: exampleRole(),
    result: { outcome: done, denials: [], sessionUsable: true, costUsd: 0.25 },
    evidence,
    resumed: false,
    attempts: 3,
    attemptNumber: 1,
    startedAt: noon,
    now: noon + minuteMs,
    random: 0.5,
    patience: 1,
    draft: undefined,
    history: [],
    pauseTries: { agent: 0, role: 0 },
    toldHash: exampleTask().contentHash,
    ...patch,
  };
}

function failing(
  failure: Partial<Failure> & Pick<Failure, 'kind'>,
  patch: Partial<SettleInput> = {},
): Settlement {
  const whole = { code: 'x', message: 'It broke.', ...failure };
  const { result: more, ...rest } = patch;
  const result = { failure: whole, denials: [], sessionUsable: true, costUsd: 0.25, ...more };
  return settle(given({ ...rest, result }));
}

function probedAfter(pauseTries: number, resetAt?: number): number {
  return (
    failing(
      { kind: 'usage_limit', ...(resetAt === undefined ? {} : { resetAt }) },
      { pauseTries: { agent: pauseTries, role: 0 } },
    ).pause!.until -
    (noon + minuteMs)
  );
}

const tried = (failures: number, more = {}): Partial<SettleInput> => ({
  task: exampleTask({ state: 'running', failures, ...more }),
});

describe('an outcome', () => {
  test('that stands completes the task, with a comment and a label', () => {
    expect(settle(given())).toMatchObject({
      to: 'completed',
      result: 'done',
      label: 'agent-done',
      failure: undefined,
      spent: false,
      keepSession: true,
      pause: undefined,
      note: 'Wrote it.',
    });
    expect(settle(given()).comment).toContain('Wrote it.');
    expect(settle(given()).comment).toContain('writer/a.md');
    expect(settle(given({ result: { ...given().result, sessionUsable: false } })).keepSession).toBe(false);
  });

  test('with refused calls that it did not need stands, and they are listed', () => {
    const denials: Denial[] = [{ tool: 'WebFetch', input: { url: 'http://x.example' } }];
    const settled = settle(given({ result: { ...given().result, denials } }));
    expect(settled.to).toBe('completed');
    expect(settled.comment).toContain('WebFetch(http://x.example)');
  });

  test.each([
    ['needs_review', 'needs_review'],
    ['needs_input', 'needs_input'],
  ] as const)('%s waits for a person, whatever the evidence', (status, result) => {
    const outcome: Outcome = {
      ...done,
      status,
      proposal: 'the draft',
      evidence: 'three sources',
      reason: 'a price is named',
      decision: 'May the price stand?',
    };
    const settled = settle(
      given({ result: { ...given().result, outcome }, evidence: { artifacts: [], problems: ['no file'] } }),
    );
    expect(settled).toMatchObject({
      to: 'input_required',
      result,
      label: 'agent-review',
      spent: false,
      note: 'May the price stand?',
      keepSession: true,
    });
    for (const part of ['the draft', 'three sources', 'a price is named', 'May the price stand?'])
      expect(settled.comment).toContain(part);
  });

  test('failed is believed, and not tried again', () => {
    const outcome: Outcome = { status: 'failed', summary: 'There is no such paper.', artifacts: [] };
    const settled = settle(given({ result: { ...given().result, outcome } }));
    expect(settled).toMatchObject({ to: 'failed', label: 'agent-failed', failure: { code: 'gave_up' } });
    expect(settled.comment).toContain('There is no such paper.');
  });

  test('a failure wins over anything the agent claimed', () => {
    const failure: Failure = { kind: 'agent', code: 'exit_3', message: 'Exit code 3.' };
    expect(settle(given({ result: { ...given().result, failure } })).to).toBe('queued');
  });

  test('no outcome at all is a failure of the agent', () => {
    const settled = settle(given({ result: { denials: [], sessionUsable: true, costUsd: undefined } }));
    expect(settled).toMatchObject({
      to: 'queued',
      failure: { kind: 'agent', code: 'no_outcome' },
      spent: true,
    });
  });
});

describe('what time can cure', () => {
  test.each(['transient', 'agent'] as const)(
    '%s is tried again while attempts are left, and waits longer',
    (kind) => {
      const first = failing({ kind }, tried(0));
      const second = failing({ kind }, tried(1));
      for (const settled of [first, second])
        expect(settled).toMatchObject({
          to: 'queued',
          result: 'failed',
          spent: true,
          keepSession: true,
          comment: undefined,
          label: undefined,
        });
      const full = 0.55 * attemptBackoff.baseMs;
      expect(first.availableAt).toBe(noon + minuteMs + full);
      expect(second.availableAt).toBe(noon + minuteMs + 2 * full);
      expect(first.progress).toContain('Attempt 1 of 3');
      expect(second.progress).toContain('Attempt 2 of 3');
    },
  );

  test.each(['transient', 'agent'] as const)('%s ends as a dead letter with the last attempt', (kind) => {
    const settled = failing({ kind }, { ...tried(2), history: ['First.', 'Second.'] });
    expect(settled).toMatchObject({ to: 'failed', spent: true, label: 'agent-failed', note: 'It broke.' });
    expect(settled.comment).toMatch(/1\. First\.\n2\. Second\.\n3\. It broke\./);
    expect(failing({ kind }, { ...tried(0), attempts: 1 }).to).toBe('failed');
  });

  test('an attempt that the worker stopped costs nothing and goes on at once', () => {
    expect(failing({ kind: 'transient', code: 'aborted' }, { ...tried(2), attempts: 1 })).toMatchObject({
      to: 'queued',
      result: 'parked',
      spent: false,
      availableAt: 0,
      keepSession: true,
      progress: undefined,
    });
  });

  test('a session that is gone costs nothing, once: the fresh one that follows counts', () => {
    const gone = { kind: 'transient', code: 'session_gone', resumable: false } as const;
    expect(failing(gone, { ...tried(2), resumed: true })).toMatchObject({
      to: 'queued',
      spent: false,
      availableAt: 0,
      keepSession: false,
    });
    expect(failing(gone, { ...tried(2), resumed: false }).to).toBe('failed');
  });

  test('a session that cannot be used is not kept', () => {
    expect(failing({ kind: 'transient', resumable: false }).keepSession).toBe(false);
    const result = { denials: [], sessionUsable: false, costUsd: 0 };
    expect(failing({ kind: 'transient' }, { result }).keepSession).toBe(false);
  });

  test('patience shortens waits', () => {
    expect(failing({ kind: 'transient' }, { ...tried(0), patience: 0 }).availableAt).toBe(noon + minuteMs);
  });
});

describe('missing evidence', () => {
  const problems = ['"a.md" is empty', '"b.md" does not exist'];
  const missing = (meta = {}, patch: Partial<SettleInput> = {}): Settlement =>
    settle(given({ ...tried(0, { meta }), evidence: { artifacts: [], problems }, ...patch }));

  test('goes back once in the same session, at once, saying what is missing', () => {
    expect(missing()).toMatchObject({
      to: 'queued',
      availableAt: 0,
      spent: true,
      keepSession: true,
      meta: { evidenceRetried: true },
      failure: { kind: 'no_evidence', message: '"a.md" is empty; "b.md" does not exist.' },
    });
    expect(missing().progress).toContain('"a.md" is empty');
  });

  test('goes back once even where one attempt is all there is', () => {
    expect(missing({}, { attempts: 1 }).to).toBe('queued');
  });

  test('the second time it is a dead letter', () => {
    expect(missing({ evidenceRetried: true })).toMatchObject({ to: 'failed', label: 'agent-failed' });
  });

  test('what it says on the phone fits there, however much is missing', () => {
    const many = Array.from({ length: 100 }, (_, index) => `"${'x'.repeat(200)}${index}" does not exist`);
    expect(missing({}, { evidence: { artifacts: [], problems: many } }).progress?.length).toBeLessThan(
      14_900,
    );
  });
});

describe('what stops everything alike', () => {
  test('a usage limit parks the account until its reset, with one comment and nothing spent', () => {
    const resetAt = noon + 3 * hourMs;
    const settled = failing({ kind: 'usage_limit', resetAt });
    expect(settled).toMatchObject({
      to: 'queued',
      result: 'parked',
      spent: false,
      availableAt: 0,
      label: undefined,
      pause: { scope: 'agent', kind: 'usage_limit', until: resetAt },
    });
    expect(settled.comment).toContain('No attempt was used up');
    expect(
      failing({ kind: 'usage_limit', resetAt }, { pauseTries: { agent: 1, role: 0 } }).comment,
    ).toBeUndefined();
  });

  test('without a reset time, or with one that has passed, it is probed at growing intervals', () => {
    const base = 0.55 * pauseBackoff.baseMs;
    expect([probedAfter(0), probedAfter(1), probedAfter(2)]).toEqual([base, 2 * base, 4 * base]);
    expect(probedAfter(0, noon - 1)).toBe(base);
    expect(probedAfter(50)).toBeLessThanOrEqual(pauseBackoff.maxMs);
  });

  test('a broken set-up stops the role alone, however often it was tried', () => {
    const settled = failing({ kind: 'setup', message: 'claude is not logged in.' }, tried(99));
    expect(settled).toMatchObject({ to: 'queued', spent: false, pause: { scope: 'role', kind: 'setup' } });
    expect(settled.comment).toContain('claude is not logged in.');
  });

  test('a pause is never over before it began', () => {
    expect(failing({ kind: 'setup' }, { patience: 0 }).pause!.until).toBeGreaterThanOrEqual(
      noon + minuteMs + 1000,
    );
  });
});

describe('what a person must decide', () => {
  const denials: Denial[] = [
    { tool: 'Bash', input: { command: 'git push origin main' } },
    { tool: 'Bash', input: { command: 'git push origin main' } },
    { tool: 'Bash', input: { command: 'npm publish' } },
  ];

  test('policy names the exact calls and asks for approval of this very text', () => {
    const settled = failing(
      { kind: 'policy', message: 'It could not push.' },
      {
        ...tried(0, { contentHash: 'edited since' }),
        toldHash: 'h',
        result: { denials, sessionUsable: true, costUsd: 0 },
      },
    );
    expect(settled).toMatchObject({
      to: 'input_required',
      result: 'needs_input',
      label: 'agent-review',
      spent: false,
      keepSession: true,
      meta: { asked: ['Bash(git push origin main)', 'Bash(npm publish)'], askedHash: 'h' },
    });
    for (const part of ['git push origin main', 'npm publish', 'It could not push.', '`approve`', '`reject`'])
      expect(settled.comment).toContain(part);
  });

  test.each([
    ['too long to be shown whole', `echo ${'x'.repeat(500)}`],
    ['with a character that cannot be seen', 'rm a\u202Eb'],
    ['with a wildcard', 'rm *'],
  ])('a call %s cannot be approved', (_, command) => {
    const result = { denials: [{ tool: 'Bash', input: { command } }], sessionUsable: true, costUsd: 0 };
    expect(failing({ kind: 'policy' }, { result }).meta.asked).toBeUndefined();
  });

  test('policy without a call asks how to go on, and there is nothing to approve', () => {
    const settled = failing({ kind: 'policy' });
    expect(settled).toMatchObject({ to: 'input_required', meta: {} });
    expect(settled.meta.asked).toBeUndefined();
    expect(settled.comment).not.toContain('`approve`');
  });

  test.each([
    ['budget', 'same budget'],
    ['ambiguous', 'How should it go on?'],
    ['invalid_input', 'add what is missing'],
  ] as const)('%s asks, and is not tried again', (kind, words) => {
    const settled = failing({ kind }, tried(0));
    expect(settled).toMatchObject({
      to: 'input_required',
      label: 'agent-review',
      spent: false,
      failure: { kind },
    });
    expect(settled.comment).toContain(words);
    expect(settled.comment).toContain('It broke.');
  });
});

test('past its deadline a task is a dead letter at once, and the comment says so', () => {
  const settled = failing({ kind: 'deadline', message: 'It was to be done by noon.' }, tried(0));
  expect(settled).toMatchObject({ to: 'failed', label: 'agent-failed', failure: { kind: 'deadline' } });
  expect(settled.comment?.startsWith('⏰ It was to be done by noon.')).toBe(true);
});

describe('every kind of failure, with attempts left and without', () => {
  const table = failureKinds.flatMap((kind) =>
    [0, 2].flatMap((failures) => [false, true].map((resumed) => ({ kind, failures, resumed }))),
  );
  test.each(table)('$kind after $failures failures (resumed: $resumed)', ({ kind, failures, resumed }) => {
    const settled = failing({ kind }, { ...tried(failures), resumed });
    expect(transitions.running).toContain(settled.to);
    expect(settled.failure?.kind).toBe(kind);
    // A task that rests has been told of: it has a comment and a label. One that goes on has no label.
    const rests = settled.to === 'input_required' || !isLive(settled.to);
    expect(settled.label !== undefined).toBe(rests);
    expect(settled.comment !== undefined || !rests).toBe(true);
    expect(settled.to === 'queued' || settled.availableAt === 0).toBe(true);
    // Only what was tried and did not work counts as an attempt; only what stops everything alike pauses.
    expect(!settled.spent || ['transient', 'agent', 'no_evidence'].includes(kind)).toBe(true);
    expect(settled.pause !== undefined).toBe(kind === 'usage_limit' || kind === 'setup');
  });
});

test('what a task has cost is told over all its attempts', () => {
  const settled = settle(given({ task: exampleTask({ state: 'running', cost: 1 }) }));
  expect(settled.comment).toContain('$1.25');
});
