import { expect, test } from 'vitest';
import { LineSplitter } from '../../tools/agents/lines.ts';

function split(chunks: (string | Buffer)[], cap?: number): { lines: string[]; skipped: number } {
  const lines: string[] = [];
  const splitter = new LineSplitter((line) => lines.push(line), cap);
  for (const chunk of chunks) splitter.push(Buffer.from(chunk));
  splitter.end();
  return { lines, skipped: splitter.skipped };
}

test.each([
  ['whole lines', ['a\nb\n'], ['a', 'b']],
  ['a last line without a newline', ['a\nb'], ['a', 'b']],
  ['lines over several chunks', ['a', 'b\nc', 'd\n'], ['ab', 'cd']],
  ['empty lines and CRLF', ['\n\r\na\r\n'], ['', '', 'a']],
  ['nothing', [''], []],
])('%s', (_, chunks, expected) => {
  expect(split(chunks)).toEqual({ lines: expected, skipped: 0 });
});

test('a character cut in two chunks stays whole', () => {
  const bytes = Buffer.from('ü\n');
  expect(split([bytes.subarray(0, 1), bytes.subarray(1)]).lines).toEqual(['ü']);
});

test('a line over the cap is skipped, its neighbours stay', () => {
  expect(split(['ok\n', '0123', '456789', '89\nfine\n', '01234567890'], 8)).toEqual({
    lines: ['ok', 'fine'],
    skipped: 2,
  });
});

test('a line of exactly the cap is read', () => {
  expect(split(['01234567\n'], 8)).toEqual({ lines: ['01234567'], skipped: 0 });
});
