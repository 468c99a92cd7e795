/** Is the result what was asked for? Pure; says what is missing, in sentences that can go back to the agent. */
import { oneLine } from '../agents/printable.ts';
import type { ExpectedOutput, ResultFormat } from '../queues/envelope.ts';

/**
 * One sentence for each thing that is not as expected. `names`: the files that were delivered and are not empty. An
 * expected artifact is met by a file of that base name, with or without extension, or by a section of the result with
 * that heading and something in it. Case does not matter, and spaces, underscores and hyphens are alike.
 */
export function checkExpected(
  result: Uint8Array,
  names: readonly string[],
  expected: Pick<ExpectedOutput, 'format' | 'artifacts'>,
): string[] {
  const text = decoded(result);
  if (text === undefined) return ['the result is not text in UTF-8'];
  const problem = formatProblem(text, expected.format);
  const met = new Set(names.flatMap(namesOf));
  if (expected.format !== 'json') for (const heading of filledSections(text)) met.add(normal(heading));
  met.delete('');
  const missing = expected.artifacts.filter((name) => !met.has(normal(baseName(name))));
  return [
    ...(problem === undefined ? [] : [problem]),
    ...missing.map(
      (name) =>
        `expected a file or a section ${JSON.stringify(oneLine(name, 100))}, but there is none with content`,
    ),
  ];
}

/** Undefined: it is no UTF-8. */
export function decoded(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function formatProblem(text: string, format: ResultFormat): string | undefined {
  if (text.trim() === '') return 'the result is empty';
  if (format !== 'json') return undefined;
  try {
    JSON.parse(text);
    return undefined;
  } catch {
    return 'the result is not JSON';
  }
}

function namesOf(name: string): string[] {
  const base = baseName(name);
  return [normal(base), normal(base.replace(/\.[^.]+$/, ''))].filter((one) => one !== '');
}

function baseName(name: string): string {
  return name.split(/[\\/]/).findLast((part) => part !== '') ?? name;
}

function normal(name: string): string {
  return name
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[*`:#]/g, '')
    .replace(/[\s_-]+/g, '-')
    .replace(/^-|-$/g, '');
}

/** Headings (`## Such`) below which there is text before a heading of the same or a higher level. */
function filledSections(text: string): string[] {
  const filled = new Set<string>();
  let open: { level: number; title: string }[] = [];
  let fence: string | undefined;
  for (const line of text.split(/\r?\n/)) {
    const mark = /^ {0,3}(`{3,}|~{3,})/.exec(line)?.[1];
    if (fence !== undefined) {
      if (mark?.startsWith(fence) === true) fence = undefined;
    } else fence = mark;
    const heading = fence === undefined && mark === undefined ? /^ {0,3}(#{1,6})[ \t](.*)$/.exec(line) : null;
    if (heading) {
      const level = heading[1]?.length ?? 1;
      open = [...open.filter((section) => section.level < level), { level, title: heading[2] ?? '' }];
    } else if (mark === undefined && hasContent(line.trim())) {
      for (const section of open) filled.add(section.title);
      open = [];
    }
  }
  return [...filled];
}

function hasContent(line: string): boolean {
  return line !== '' && !(line.startsWith('<!--') && line.endsWith('-->'));
}
