import { describe, expect, it } from 'vitest';
import { fitting, noteAdd } from '../../tools/queues/todoist/commands.ts';
import { deadlineEnd, dueAt } from '../../tools/queues/todoist/dates.ts';
import { formatCursor, merged, type Reading, tokenFor } from '../../tools/queues/todoist/delta.ts';
import { failureFrom } from '../../tools/queues/todoist/failures.ts';
import { deletedComment, deletedTask } from '../../tools/queues/todoist/snapshots.ts';
import { labelStep, sameLabels, withOurs } from '../../tools/queues/todoist/labels.ts';

describe('labels', () => {
  it.each([
    [[], 'agent-done', ['agent-done']],
    [['a', 'b'], null, ['a', 'b']],
    [['a', 'agent-failed', 'b', 'agent-review'], 'agent-done', ['a', 'b', 'agent-done']],
    [['agent-done', 'a'], null, ['a']],
    // Only our exact names are ours.
    [['agent-done-twice', 'Agent-done'], 'agent-done', ['agent-done-twice', 'Agent-done', 'agent-done']],
  ] as const)('%j with %j is %j', (labels, target, expected) => {
    expect(withOurs(labels, target)).toEqual(expected);
  });

  it('are a set', () => {
    expect(sameLabels(['a', 'b'], ['b', 'a'])).toBe(true);
    expect(sameLabels(['a'], ['a', 'b'])).toBe(false);
    expect(sameLabels(['a', 'a'], ['a', 'b'])).toBe(false);
  });

  it.each([
    ['it is so already', ['a', 'agent-done'], 'agent-done', undefined, 'done'],
    ['none of ours is wanted and there is none', ['a'], null, undefined, 'done'],
    ['nothing was sent before', ['a'], 'agent-done', undefined, 'write'],
    ['what was sent did not land, or was undone', ['a'], 'agent-done', ['a'], 'repeat'],
    ['somebody has changed something since', ['a', 'b'], 'agent-done', ['a'], 'write'],
    ['it is there, with another of ours', ['agent-done', 'agent-failed'], 'agent-done', undefined, 'write'],
  ] as const)('when %s', (_, fresh, target, base, step) => {
    expect(labelStep(fresh, target, base)).toBe(step);
  });
});

describe('dates', () => {
  it('are instants of this time zone', () => {
    expect(dueAt('2026-03-29')).toBe(new Date(2026, 2, 29).getTime());
    expect(dueAt('2026-03-29T10:00:00')).toBe(new Date(2026, 2, 29, 10).getTime());
    expect(dueAt('2026-03-29T10:00:00.000000Z')).toBe(Date.UTC(2026, 2, 29, 10));
    expect(deadlineEnd('2026-12-31')).toBe(new Date(2027, 0, 1).getTime() - 1);
  });

  it.each(['', 'tomorrow', '2026-1-1', '20260101', 'T10:00:00'])('%j is none', (date) => {
    expect(dueAt(date)).toBeNaN();
    expect(deadlineEnd(date)).toBeNaN();
  });
});

describe('cursors', () => {
  it('hold for the same projects in any order, and for no others', () => {
    const cursor = formatCursor({ token: 'T', scope: ['b', 'a'] });
    expect(tokenFor(cursor, new Set(['a', 'b']))).toBe('T');
    expect(tokenFor(cursor, new Set(['a']))).toBe('*');
    expect(tokenFor(cursor, new Set(['a', 'c']))).toBe('*');
    expect(tokenFor(cursor, new Set(['a', 'b', 'c']))).toBe('*');
    expect(tokenFor(undefined, new Set())).toBe('*');
  });
});

const reading = (token: string, ids: string[], unreadable: string[]): Reading => ({
  full: token === 'full',
  token,
  items: new Map(ids.map((id) => [id, { ...deletedTask(id), title: token }])),
  comments: new Map(ids.map((id) => [id, { ...deletedComment(id), text: token }])),
  unreadableItems: unreadable.map((nativeId) => ({ nativeId, within: undefined, problem: token })),
  unreadableNotes: unreadable.map((nativeId) => ({ nativeId, within: undefined, problem: token })),
  incompleteItemIds: [],
});

describe('a full reading and the one that follows it', () => {
  it('are one, in which of each object the later sight counts', () => {
    const one = merged(reading('full', ['a', 'b', 'c'], ['d', 'e']), reading('later', ['b', 'd'], ['c']));
    expect(one).toMatchObject({ full: true, token: 'later' });
    const seen = { a: 'full', b: 'later', d: 'later' };
    expect(Object.fromEntries([...one.items].map(([id, item]) => [id, item.title]))).toEqual(seen);
    expect(Object.fromEntries([...one.comments].map(([id, comment]) => [id, comment.text]))).toEqual(seen);
    expect(one.unreadableItems.map((each) => [each.nativeId, each.problem])).toEqual([
      ['e', 'full'],
      ['c', 'later'],
    ]);
    expect(one.unreadableNotes).toEqual(one.unreadableItems);
  });
});

describe('comments', () => {
  const report = {
    id: 'r',
    nativeTaskId: 't',
    uuid: '0f1c2d3e-4a5b-4c6d-8e7f-901234567890',
    body: { kind: 'label', label: null },
  } as const;

  it('are the same command for the same report, with a second uuid that follows from the first', () => {
    expect(noteAdd(report, 'text')).toEqual(noteAdd(report, 'text'));
    const { tempId, uuid } = noteAdd(report, 'text') as { tempId: string; uuid: string };
    expect(tempId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(tempId).not.toBe(uuid);
  });

  it('are cut without a last line where that is long', () => {
    const text = `start\n${'x'.repeat(20_000)}`;
    expect(fitting(text)).toHaveLength(15_000);
    expect(fitting(text)).toMatch(/^start\nx+\n\n_… cut here/);
  });
});

const todoist = (status: number, tag: string, extra = {}): string =>
  JSON.stringify({ error: 'No', error_code: 1, error_tag: tag, http_code: status, error_extra: extra });

describe('refusals', () => {
  it.each([
    [401, '', 'QUEUE_AUTH'],
    [403, 'Forbidden', 'QUEUE_AUTH'],
    [403, todoist(403, 'AUTH_INSUFFICIENT_TOKEN_SCOPE'), 'QUEUE_AUTH'],
    [403, todoist(403, 'MAX_ITEMS_LIMIT_REACHED'), 'QUEUE_REJECTED'],
    [403, todoist(403, 'PREMIUM_ONLY'), 'QUEUE_REJECTED'],
    [403, '<html>blocked</html>', 'QUEUE_UNAVAILABLE'],
    [400, todoist(400, 'INVALID_ARGUMENT_VALUE'), 'QUEUE_REJECTED'],
    [404, todoist(404, 'NOT_FOUND', { retry_after: 3 }), 'QUEUE_REJECTED'],
    [404, 'not here', 'QUEUE_UNAVAILABLE'],
    [413, todoist(413, 'REQUEST_TOO_LARGE'), 'QUEUE_REJECTED'],
    [408, '', 'QUEUE_UNAVAILABLE'],
    [429, '<html>', 'QUEUE_RATE_LIMITED'],
    [302, '', 'QUEUE_UNAVAILABLE'],
    [500, todoist(500, 'INTERNAL'), 'QUEUE_UNAVAILABLE'],
    [599, '', 'QUEUE_UNAVAILABLE'],
  ])('%i %s is %s', (status, body, code) => {
    expect(failureFrom({ request: 'GET tasks/x', status, body }, 0)).toMatchObject({ code });
  });

  it('a 404 with retry_after is no reason to wait', () => {
    const body = todoist(404, 'NOT_FOUND', { retry_after: 3 });
    expect(failureFrom({ request: 'GET tasks/x', status: 404, body }, 0)).toMatchObject({
      kind: 'missing',
      retryAt: undefined,
    });
  });

  it('a wait is the longer of what header and body say', () => {
    const body = todoist(429, 'LIMITS_REACHED', { retry_after: 66 });
    const retryAt = (retryAfter: string) =>
      failureFrom({ request: 'POST sync', status: 429, retryAfter, body }, 0).retryAt;
    expect([retryAt('5'), retryAt('90'), retryAt('')]).toEqual([66_000, 90_000, 66_000]);
  });

  it('a stale token is one only where a token was sent', () => {
    const body = todoist(400, 'INVALID_ARGUMENT_VALUE', { argument: 'sync_token' });
    expect(failureFrom({ request: 'POST sync', status: 400, body }, 0).kind).toBe('stale-token');
    expect(failureFrom({ request: 'GET tasks/x', status: 400, body }, 0).kind).toBeUndefined();
  });
});
