import { describe, expect, test } from 'vitest';
import { noDue } from '../../tools/store/tasks.ts';
import { again, contentHash, deadlineOf, editsFrom } from '../../tools/worker/enqueue.ts';
import { dayMs, exampleItem, exampleRole, exampleTask, hourMs, noon } from './examples.ts';
import { workerInMemory } from './worker-in-memory.ts';

test('the earliest deadline counts, that of the role from the moment it was asked for', () => {
  const role = exampleRole({ deadlineMs: dayMs });
  expect(deadlineOf(role, noon, undefined)).toBe(noon + dayMs);
  expect(deadlineOf(role, noon, noon + hourMs)).toBe(noon + hourMs);
  expect(deadlineOf(exampleRole(), noon, undefined)).toBeNull();
});

test('an edit is taken over whole, and a deadline that had passed before is not meant', () => {
  const task = exampleTask();
  const item = exampleItem({ title: 'new', priority: 1, position: 7, deadlineAt: noon - 1 });
  expect(editsFrom(item, task, exampleRole())).toEqual({
    title: 'new',
    description: item.description,
    contentHash: contentHash('new', item.description),
    priority: 1,
    dueAt: noDue,
    position: 7,
    ordinal: task.ordinal - 3,
    deadlineAt: null,
  });
});

test('text and title are told apart in the hash', () => {
  expect(contentHash('a', 'b')).not.toBe(contentHash('ab', ''));
});

describe('a new round', () => {
  const meta = { rounds: 5, crashes: 3, evidenceRetried: true, asked: ['x'], askedHash: 'h', maxAttempts: 2 };
  const role = exampleRole({ deadlineMs: dayMs });

  async function round(afresh: boolean) {
    const bench = await workerInMemory([role]);
    const task = await bench.insert({
      state: 'failed',
      failures: 3,
      cost: 4,
      sessionId: 's',
      sessionUsable: true,
      meta,
    });
    const how = { turn: { kind: 'start' }, why: 'asked', afresh } as const;
    await bench.store.transaction((tables) => again(tables, task, role, how, noon + hourMs));
    const reports = await bench.store.read((tables) => tables.reports.list(task.id));
    return { task: await bench.get(task.id), reports: reports.map(({ body }) => body) };
  }

  test('has its attempts, its money, its rank and its deadline anew, and our label comes off', async () => {
    const { task, reports } = await round(false);
    expect(task).toMatchObject({
      state: 'queued',
      round: 2,
      failures: 0,
      availableAt: 0,
      enqueuedAt: noon + hourMs,
      deadlineAt: noon + hourMs + dayMs,
      sessionId: 's',
      sessionUsable: true,
      failureKind: null,
      note: 'asked',
    });
    expect(task.meta).toEqual({
      rounds: 6,
      deadlineBase: expect.any(Number),
      crashes: 0,
      evidenceRetried: false,
      costAtRound: 4,
      maxAttempts: 2,
    });
    expect(reports).toEqual([{ kind: 'label', label: null }]);
  });

  test('that starts over has a new session and all its rounds', async () => {
    const { task } = await round(true);
    expect(task).toMatchObject({ sessionId: null, sessionUsable: false, sessionCost: 0 });
    expect(task.meta.rounds ?? 0).toBe(0);
  });
});
