import { describe, expect, test } from 'vitest';
import type { Comment } from '../../tools/store/mirror.ts';
import { isThanks, readComments, signature, signedBy, withoutSignature } from '../../tools/worker/thread.ts';
import { exampleComment, exampleTask, noon } from './examples.ts';

const said = (...texts: string[]): Comment[] => texts.map((text) => exampleComment(text));

describe('the signature', () => {
  test('is read back, with and without the start of its worker', () => {
    expect(signedBy(`text${signature('0a1b2c3d')}`)).toEqual({ storeId: '0a1b2c3d', since: undefined });
    expect(signedBy(`text${signature('0a1b2c3d', noon)}\n `)).toEqual({ storeId: '0a1b2c3d', since: noon });
  });

  test.each([
    'agent-worker 0a1b2c3d',
    '_agent-worker 0a1b2c3d_',
    `quoted:${signature('0a1b2c3d')}\n\nbut shorter, please`,
    'text\n_agent-worker XYZ_',
  ])('%j is a human’s', (text) => expect(signedBy(text)).toBeUndefined());

  test('is taken off, and nothing else', () => {
    expect(withoutSignature(`a\n\nb  ${signature('0a1b2c3d', noon)}`)).toBe('a\n\nb');
    expect(withoutSignature('a _b_')).toBe('a _b_');
  });
});

describe('comments on a task that rests', () => {
  const asking = exampleTask({ state: 'input_required' });
  const blocked = exampleTask({
    state: 'input_required',
    contentHash: 'h',
    meta: { asked: ['Bash(x)'], askedHash: 'h' },
  });

  test('none are nothing', () => expect(readComments(asking, [], 5, 0)).toEqual({ kind: 'nothing' }));

  test.each([
    ['input_required', 'answer'],
    ['completed', 'follow_up'],
    ['failed', 'follow_up'],
  ] as const)('on %s they are one %s, in their order', (state, from) => {
    expect(readComments(exampleTask({ state }), said('shorter', 'and kinder'), 5, 0)).toEqual({
      kind: 'turn',
      turn: { kind: 'message', from, text: 'shorter\n\nand kinder' },
    });
  });

  test('an attached file is named', () => {
    const comments = [exampleComment('see', { attachment: 'a.pdf' })];
    expect(readComments(asking, comments, 5, 0)).toMatchObject({ turn: { text: 'see\n[attached: a.pdf]' } });
  });

  test('thanks end it, unless an answer is wanted', () => {
    expect(readComments(exampleTask({ state: 'completed' }), said('Thanks!', '👍'), 5, 0)).toEqual({
      kind: 'thanks',
    });
    expect(
      readComments(exampleTask({ state: 'completed' }), said('Thanks!', 'but shorter'), 5, 0),
    ).toMatchObject({
      kind: 'turn',
    });
    expect(readComments(asking, said('ok'), 5, 0)).toMatchObject({ turn: { from: 'answer', text: 'ok' } });
  });

  test('rounds are counted, and decisions are never too many', () => {
    const meta = { rounds: 5 };
    expect(readComments(exampleTask({ state: 'completed', meta }), said('more'), 5, 0)).toEqual({
      kind: 'too_many',
    });
    expect(readComments(exampleTask({ state: 'completed', meta }), said('more'), 6, 0)).toMatchObject({
      kind: 'turn',
    });
    expect(
      readComments({ ...blocked, meta: { ...blocked.meta, rounds: 99 } }, said('approve'), 5, 0),
    ).toMatchObject({ turn: { decision: 'approve' } });
  });

  test.each([
    ['approve', 'approve', ''],
    ['Approved.', 'approve', ''],
    ['  APPROVE\nand be quick', 'approve', 'and be quick'],
    ['reject', 'reject', ''],
    ['Rejected: too dangerous', 'reject', 'too dangerous'],
    ['✅ approve', 'approve', ''],
  ])('%j decides on exactly what was asked', (text, decision, more) => {
    expect(readComments(blocked, said(text), 5, 0)).toEqual({
      kind: 'turn',
      turn: { kind: 'decision', decision, rules: ['Bash(x)'], text: more },
    });
  });

  test('of several verdicts one rejection is enough', () => {
    for (const texts of [
      ['approve', 'reject'],
      ['reject', 'approve'],
    ])
      expect(readComments(blocked, said(...texts), 5, 0)).toMatchObject({ turn: { decision: 'reject' } });
  });

  test('what was said before the question, or before it was posted, approves nothing', () => {
    const early = [exampleComment('approve', { postedAt: noon - 1 })];
    expect(readComments(blocked, early, 5, noon)).toMatchObject({ turn: { kind: 'message' } });
    expect(readComments(blocked, early, 5, undefined)).toMatchObject({ turn: { kind: 'message' } });
    const late = [exampleComment('approve', { postedAt: noon })];
    expect(readComments(blocked, late, 5, noon)).toMatchObject({ turn: { decision: 'approve' } });
  });

  test.each([
    'approval is not mine to give',
    'I approve',
    'approving',
    'yes',
    'please reject',
    '',
    "Approved? No, don't!",
    'approve only the first one',
    'approve, but be quick',
  ])('%j is an answer and approves nothing', (text) => {
    expect(readComments(blocked, said(text), 5, 0)).toMatchObject({
      turn: { kind: 'message', from: 'answer' },
    });
  });

  test('where nothing was asked, approve is a word like any other', () => {
    expect(readComments(asking, said('approve'), 5, 0)).toMatchObject({
      turn: { kind: 'message', text: 'approve' },
    });
  });

  test('an approval of a text that was edited since is void; a rejection always counts', () => {
    const edited = { ...blocked, contentHash: 'other' };
    expect(readComments(edited, said('approve'), 5, 0)).toEqual({ kind: 'void' });
    expect(readComments(edited, said('reject'), 5, 0)).toMatchObject({ turn: { decision: 'reject' } });
  });
});

describe('thanks', () => {
  test.each([
    'Thanks!',
    'thank you so much',
    'Perfect, love it',
    '👍',
    '🎉🎉',
    'Great job.',
    'ok',
    'Danke',
    'this is great',
  ])('%j', (text) => expect(isThanks(text)).toBe(true));

  test.each([
    '',
    '.',
    'thanks, but shorter',
    'great?',
    'not good',
    'it',
    'this',
    'thanks 2',
    'make it so',
    'thanks thanks thanks thanks thanks thanks thanks thanks thanks',
    'ok, mention the price',
  ])('%j may hold a wish', (text) => expect(isThanks(text)).toBe(false));
});
