import { expect, test } from 'vitest';
import { oneLine, printable } from '../../tools/agents/printable.ts';

test.each([
  ['colours', '\u001b[1;31mred\u001b[0m', 'red'],
  ['a link', '\u001b]8;;http://x.example\u0007text\u001b]8;;\u0007', 'text'],
  ['a lone carriage return', 'over\rwritten', 'over\nwritten'],
  ['direction overrides and NUL', 'a\u202eb\u0000c', 'abc'],
  ['emoji and umlauts stay', 'für 👩‍💻', 'für 👩‍💻'],
])('%s', (_, given, expected) => {
  expect(printable(given)).toBe(expected);
});

test('a long text becomes one line with an ellipsis, never half a character', () => {
  expect(oneLine('a\n  b\tc')).toBe('a b c');
  expect(oneLine('x'.repeat(400))).toHaveLength(300);
  const cut = oneLine('👍'.repeat(200), 10);
  expect(cut.isWellFormed()).toBe(true);
  expect(cut.endsWith('…')).toBe(true);
});
