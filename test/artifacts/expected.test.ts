import { describe, expect, it } from 'vitest';
import { checkExpected } from '../../tools/artifacts/expected.ts';
import type { ResultFormat } from '../../tools/queues/envelope.ts';

const check = (
  result: string | Uint8Array,
  artifacts: string[] = [],
  names: string[] = [],
  format: ResultFormat = 'markdown',
): string[] => checkExpected(Buffer.from(result), names, { format, artifacts });
const missing = (name: string): string =>
  `expected a file or a section ${JSON.stringify(name)}, but there is none with content`;

describe('the format of a result', () => {
  it.each(['markdown', 'text'] as const)('%s is text that says something', (format) => {
    expect(check('hello', [], [], format)).toEqual([]);
    expect(check('', [], [], format)).toEqual(['the result is empty']);
    expect(check(' \n\t\n', [], [], format)).toEqual(['the result is empty']);
    expect(check(Buffer.from([0x61, 0xff]), [], [], format)).toEqual(['the result is not text in UTF-8']);
  });

  it('json parses', () => {
    expect(check('{"a":[1]}', [], [], 'json')).toEqual([]);
    expect(check('null', [], [], 'json')).toEqual([]);
    for (const wrong of ['{"a":1', "{'a':1}", '# Title', '{} {}'])
      expect(check(wrong, [], [], 'json')).toEqual(['the result is not JSON']);
    expect(check('', [], [], 'json')).toEqual(['the result is empty']);
  });
});

describe('an expected artifact', () => {
  it.each([
    ['plan', 'plan.md'],
    ['plan.md', 'plan.md'],
    ['Plan', 'drafts/deep/PLAN.pdf'],
    ['blog post', 'blog-post.md'],
    ['blog_post', 'Blog Post.docx'],
    ['blog-post', 'blog__post.txt'],
    ['archive.tar', 'archive.tar.gz'],
    ['README', 'README'],
    ['drafts/plan', 'elsewhere/plan.md'],
    ['Überblick', 'U\u0308berblick.md'],
  ])('%j is met by the file %j', (name, file) => {
    expect(check('x', [name], [file])).toEqual([]);
  });

  it.each([
    ['plan', 'plans.md'],
    ['plan', 'my-plan.md'],
    ['plan.md', 'plan.pdf'],
    ['plan', 'plan/other.md'],
    ['gz', 'archive.tar.gz'],
  ])('%j is not met by the file %j', (name, file) => {
    expect(check('x', [name], [file])).toEqual([missing(name)]);
  });

  it.each([
    ['Risks', '## Risks\nMany.'],
    ['open questions', '# Result\n\n### Open-Questions:\n\n\n1. Why?\n'],
    ['Risks', '   ## **Risks** ##\r\n\r\nMany.\r\n'],
    ['Parent', '# Parent\n## Child\ntext'],
    ['Code', '## Code\n```\nx = 1\n```'],
    ['Twice', '## Twice\n## Other\nx\n## Twice\ntext'],
  ])('%j is met by a section of %j', (name, text) => {
    expect(check(text, [name])).toEqual([]);
  });

  it.each([
    ['Risks', '## Risks\n\n## Other\ntext'],
    ['Risks', '## Risks'],
    ['Risks', '## Risks\n### Sub\n## Other\ntext'],
    ['Risks', '## Risks\n<!-- to do -->\n'],
    ['Risks', '```\n## Risks\n```\nMany.'],
    ['Risks', '~~~md\n## Risks\n```\nMany.\n~~~'],
    ['Risks', '##Risks\nMany.'],
    ['Risks', '    ## Risks\n\nMany.'],
    ['Risks', 'Risks\nMany.'],
    ['Risks', '####### Risks\nMany.'],
  ])('%j is not met by %j', (name, text) => {
    expect(check(text, [name])).toEqual([missing(name)]);
  });

  it('is not met by a heading in JSON', () => {
    expect(check('"## Risks\\nMany"', ['Risks'], [], 'json')).toEqual([missing('Risks')]);
  });

  it('that is missing is named, each once, without its control characters', () => {
    expect(check('x', ['a', 'b', '\u001b[31mred\u0007'], ['b.md'])).toEqual([missing('a'), missing('red')]);
  });

  it('is never met by a name without letters', () => {
    expect(check('## \nx', ['---'], ['.md', '-'])).toEqual([missing('---')]);
  });
});

it('is quick with texts made to be slow', () => {
  const n = 200_000;
  for (const text of [
    '# '.repeat(n),
    '#'.repeat(n),
    '<!--'.repeat(n),
    '# a\n'.repeat(n),
    '`'.repeat(n),
    '# ' + '-'.repeat(n),
  ])
    expect(check(text, ['nothing'])).toEqual([missing('nothing')]);
});
