import { describe, expect, test } from 'vitest';
import type { TaskSnapshot } from '../../tools/queues/queue.ts';
import { states, type State } from '../../tools/store/states.ts';
import { decide, fieldsOf, missingFields, type Change } from '../../tools/worker/eligibility.ts';
import { dayMs, exampleItem, exampleTask, noon } from './examples.ts';

function change(patch: Partial<Change> = {}): Change {
  return {
    before: undefined,
    after: exampleItem(),
    task: undefined,
    inScope: true,
    newDesk: undefined,
    labelPending: false,
    now: noon,
    ...patch,
  };
}

const plain = exampleItem();
const labelled = exampleItem({ labels: ['mine', 'agent-done'] });
const weekly = (date: string, at: number, recurring = true): TaskSnapshot['due'] => ({
  date,
  at,
  recurring,
  text: 'every monday',
});
const inState = (state: State, more = {}): Change['task'] => exampleTask({ state, ...more });

describe('a task seen for the first time', () => {
  test('without one of our labels it is taken', () => {
    const after = exampleItem({ labels: ['urgent', 'agent'] });
    expect(decide(change({ after }))).toEqual({ action: 'enqueue', availableAt: 0 });
  });

  test.each([
    ['agent-done', 'completed'],
    ['agent-review', 'input_required'],
    ['agent-failed', 'failed'],
  ] as const)('with %s it is known, as %s, and not run', (label, state) => {
    expect(decide(change({ after: exampleItem({ labels: ['x', label] }) }))).toEqual({
      action: 'adopt',
      state,
    });
  });

  test.each([
    ['a due date only orders', weekly('d', noon + dayMs, false), 0],
    ['a schedule waits for its day', weekly('d', noon + dayMs), noon + dayMs],
    ['a schedule that is due starts', weekly('d', noon), 0],
  ])('%s', (_, due, availableAt) => {
    expect(decide(change({ after: exampleItem({ due }) }))).toEqual({ action: 'enqueue', availableAt });
  });

  test.each([
    ['closed', { after: exampleItem({ presence: 'closed' }) }],
    ['deleted', { after: exampleItem({ presence: 'deleted' }) }],
    ['in nobody’s project', { inScope: false }],
    ['a sub-task', { after: exampleItem({ parentId: 'p' }) }],
  ] as [string, Partial<Change>][])('%s it is left alone', (_, patch) => {
    expect(decide(change(patch))).toEqual({ action: 'none' });
  });
});

describe('a task that goes away', () => {
  test('but not because nobody knows whose project it is just now', () => {
    const known = change({ before: plain, task: inState('running'), inScope: false });
    expect(decide(known)).toEqual({ action: 'none' });
  });

  const ways: [string, Partial<Change>][] = [
    ['it was closed', { after: exampleItem({ presence: 'closed' }) }],
    ['it was deleted', { after: exampleItem({ presence: 'deleted' }) }],
    ['it was moved away', { inScope: false, after: exampleItem({ projectId: 'elsewhere' }) }],
    ['it became a sub-task', { after: exampleItem({ parentId: 'p' }) }],
  ];
  const table = ways.flatMap(([why, patch]) => states.map((state) => [why, state, patch] as const));
  test.each(table)('%s while %s', (why, state, patch) => {
    const live = ['queued', 'running', 'waiting', 'input_required'].includes(state);
    expect(decide(change({ before: plain, task: inState(state), ...patch }))).toEqual(
      live ? { action: 'cancel', why } : { action: 'none' },
    );
  });
});

describe('a label', () => {
  test.each(['completed', 'failed', 'input_required'] as const)(
    'taken off a task that is %s: again',
    (state) => {
      const given = change({ before: labelled, after: plain, task: inState(state) });
      expect(decide(given)).toEqual({ action: 'rerun', why: 'its label was taken off', availableAt: 0 });
    },
  );

  test('that is still on its way says nothing', () => {
    const given = { before: labelled, after: plain, labelPending: true };
    expect(decide(change({ ...given, task: inState('completed') }))).toEqual({ action: 'update' });
    const set = { before: plain, after: labelled, labelPending: true };
    expect(decide(change({ ...set, task: inState('queued') }))).toEqual({ action: 'update' });
  });

  test.each(['completed', 'failed', 'input_required'] as const)(
    'that never got onto a task that is %s, was closed, and is open again: do it',
    (state) => {
      const back = { before: undefined, after: plain, task: inState(state) };
      expect(decide(change(back))).toEqual({ action: 'rerun', why: 'it is open again', availableAt: 0 });
      expect(decide(change({ ...back, after: labelled }))).toEqual({ action: 'update' });
      expect(decide(change({ ...back, labelPending: true }))).toEqual({ action: 'update' });
    },
  );

  test('of another kind is the human’s own affair', () => {
    const given = { before: exampleItem({ labels: ['a'] }), after: plain };
    expect(decide(change({ ...given, task: inState('completed') }))).toEqual({ action: 'update' });
  });

  test('exchanged for another of ours is no wish to start over', () => {
    const after = exampleItem({ labels: ['agent-review'] });
    expect(decide(change({ before: labelled, after, task: inState('completed') }))).toEqual({
      action: 'update',
    });
  });

  test.each(['queued', 'waiting'] as const)('put on by hand while it is %s: dropped', (state) => {
    const given = change({ before: plain, after: labelled, task: inState(state) });
    expect(decide(given)).toEqual({ action: 'cancel', why: 'it was labelled by hand' });
  });

  test('put on by hand while the agent works changes nothing', () => {
    const given = change({ before: plain, after: labelled, task: inState('running') });
    expect(decide(given)).toEqual({ action: 'update' });
  });
});

describe('an edit', () => {
  test.each(states.filter((state) => state !== 'cancelled'))('while %s is taken over', (state) => {
    const after = exampleItem({ title: 'new' });
    expect(decide(change({ before: plain, after, task: inState(state) }))).toEqual({ action: 'update' });
  });

  test('of a cancelled task that is still there is nothing', () => {
    expect(decide(change({ before: plain, after: plain, task: inState('cancelled') }))).toEqual({
      action: 'none',
    });
  });
});

describe('a task that comes back', () => {
  test('reopened, or moved back, it is open again', () => {
    const given = change({ task: inState('cancelled') });
    expect(decide(given)).toEqual({ action: 'rerun', why: 'it is open again', availableAt: 0 });
  });

  test('with our label on it, it waits for the human', () => {
    expect(decide(change({ after: labelled, task: inState('cancelled') }))).toEqual({ action: 'none' });
  });

  test('and its label taken off then: again', () => {
    const given = change({ before: labelled, after: plain, task: inState('cancelled') });
    expect(decide(given)).toMatchObject({ action: 'rerun' });
  });
});

describe('a task on another desk', () => {
  test.each(states)('moved while %s it starts there', (state) => {
    const given = change({ before: plain, newDesk: 'reviewer', task: inState(state) });
    expect(decide(given)).toEqual({ action: 'rerun', why: 'it was moved to reviewer', availableAt: 0 });
  });

  test('with our label on it, it stays as it is', () => {
    const given = change({
      before: labelled,
      after: labelled,
      newDesk: 'reviewer',
      task: inState('completed'),
    });
    expect(decide(given)).toEqual({ action: 'update' });
  });
});

describe('a recurring task', () => {
  const next = exampleItem({ labels: ['agent-done'], due: weekly('2026-03-09', noon + 6 * dayMs) });

  test.each(['queued', 'running', 'input_required', 'completed', 'failed'] as const)(
    'closed while %s: the next occurrence runs when it is due, label or not',
    (state) => {
      const task = inState(state, { occurrence: '2026-03-02' });
      expect(decide(change({ before: labelled, after: next, task }))).toEqual({
        action: 'rerun',
        why: 'the next occurrence is due 2026-03-09',
        availableAt: noon + 6 * dayMs,
      });
    },
  );

  test('the same occurrence is not run twice', () => {
    const task = inState('completed', { occurrence: '2026-03-09' });
    expect(decide(change({ before: next, after: next, task }))).toEqual({ action: 'update' });
  });

  test('a task that becomes recurring is not new work', () => {
    expect(decide(change({ before: labelled, after: next, task: inState('completed') }))).toEqual({
      action: 'update',
    });
  });
});

describe('fields of a description', () => {
  test.each([
    ['Audience: engineers', 'audience', 'engineers'],
    ['  audience :  a b ', 'audience', 'a b'],
    ['**Audience:** engineers', 'audience', 'engineers'],
    ['**Audience**: engineers', 'audience', 'engineers'],
    ['- Audience: engineers', 'audience', 'engineers'],
    ['* Target group: x: y', 'target group', 'x: y'],
    ['first\r\nPublikum: Ärzte\r', 'publikum', 'Ärzte'],
    ['Größe: 3', 'größe', '3'],
  ])('%j', (description, name, value) => {
    expect(fieldsOf(description).get(name)).toBe(value);
  });

  test.each(['Audience:', 'Audience:   ', 'Audience', ': engineers', '', 'Audience\n: x'])(
    '%j has none',
    (text) => {
      expect(fieldsOf(text).get('audience')).toBeUndefined();
    },
  );

  test('the missing ones are named as the role names them', () => {
    expect(missingFields(['Audience', 'tone'], 'audience: all')).toEqual(['tone']);
    expect(missingFields([], '')).toEqual([]);
  });

  test('a long line of anything is read at once', () => {
    const startedAt = performance.now();
    for (const text of [' '.repeat(50_000), '*'.repeat(50_000), 'a '.repeat(50_000), '- '.repeat(50_000)])
      fieldsOf(text);
    expect(performance.now() - startedAt).toBeLessThan(1000);
  });
});
