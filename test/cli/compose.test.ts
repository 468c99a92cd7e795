/** What `agentq submit` composes is what whoever takes it accepts; the rest is refused where somebody sees it. */
import { describe, expect, it } from 'vitest';
import { compose, type Wanted } from '../../tools/cli/compose.ts';
import { encodeTask } from '../../tools/queues/envelope.ts';

function composed(more: Partial<Wanted>): ReturnType<typeof compose> {
  const options = { to: 'writer', type: 'task', priority: 'normal', ...more };
  const asker = { from: 'coordinator', parentId: undefined, depth: 0 };
  return compose({ title: 'A post', options, asker, now: Date.UTC(2026, 0, 1) });
}

describe('flags', () => {
  it.each<Partial<Wanted>>([
    { type: '' },
    { type: 'a'.repeat(501) },
    { expect: [''] },
    { expect: ['a'.repeat(101)] },
    { expect: Array.from({ length: 51 }, (_, number) => `file-${number}`) },
    { ttl: '366d' },
    { budget: 'Infinity' },
  ])('that no worker would accept are refused: %j', (more) => {
    expect(() => composed(more)).toThrow(expect.objectContaining({ code: 'BAD_USAGE' }));
  });

  it('at their limits make a message that is well-formed', () => {
    const names = Array.from({ length: 50 }, (_, number) => `${number}`.padEnd(100, 'x'));
    const limits = {
      type: 'a'.repeat(500),
      expect: names,
      ttl: '365d',
      budget: '0.01',
      key: 'k'.repeat(200),
    };
    expect(encodeTask(composed(limits)).length).toBeGreaterThan(0);
  });
});
