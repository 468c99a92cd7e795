/**
 * What the documents say is there: paths, scripts, verbs, flags, variables, codes, folders. Read from the documents and
 * compared with the tree and with the programs' own `--help`. The last group shows that each check can fail.
 */
import { execa } from 'execa';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { errorCodes } from '../tools/errors.ts';
import { allAgentLabels } from '../tools/queues/queue.ts';
import { workerKeys } from '../tools/roles/known-keys.ts';
import { states } from '../tools/store/states.ts';
import { crashPoints } from '../tools/worker/crash-point.ts';

const root = join(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const decisions = readdirSync(join(root, 'tools', 'decisions')).map((name) => `tools/decisions/${name}`);
const readme = read('README.md');
const map = read('tools/README.md');
const documents = ['README.md', 'tools/README.md', 'workspace/README.md', ...decisions];

/** Not in the tree: what the worker makes, what the reader makes, and a file of Claude Code's that has no effect. */
const madeLater =
  /^(?:workspace\/(?!README)|tasks\/|\.data|\.env$|\.claude\/agents\/haiku-poet\.md$|CLAUDE\.md$)/;
const place = /^(?:\.?[\w-]+\/)+[\w.*-]*$|^[\w-]+\.(?:ts|md|json|mjs)$|^\.env[\w.]*$|^LICENSE$/;

/** Folders that roles write, as the workspace's own document names them. */
const outputs = readdirSync(join(root, '.claude', 'agents')).flatMap((name) => {
  const folder = /^ {2}output: workspace\/(\S+)$/m.exec(read(`.claude/agents/${name}`))?.[1];
  return folder === undefined ? [] : [`${folder}/`];
});

function codeSpans(text: string): string[] {
  const prose = text.replaceAll(/^```[\s\S]*?^```/gm, '');
  return [...prose.matchAll(/(`+)(.+?)\1/gs)].map(([, , code = '']) => code.trim());
}

function codeLines(text: string): string[] {
  const blocks = [...text.matchAll(/^```\w*\n([\s\S]*?)^```/gm)].flatMap(([, body = '']) => body.split('\n'));
  return [...codeSpans(text), ...blocks];
}

/** Named files and folders that are not there. `within` is where the document lies. */
function missingPaths(text: string, within: string): string[] {
  const named = codeSpans(text).filter((code) => place.test(code) && !code.includes('NAME'));
  return named.filter((path) => {
    if (madeLater.test(path) || (within === 'workspace' && outputs.includes(path))) return false;
    const plain = path.replace(/\*.*$/, '');
    return ![within, 'tools', ''].some((folder) => existsSync(join(root, folder, plain)));
  });
}

function unknownScripts(text: string, scripts: readonly string[]): string[] {
  const own = ['ci', 'install', ...scripts];
  return codeLines(text)
    .flatMap((line) => [...line.matchAll(/\bnpm (?:run (?:-s )?)?(?!run[ :])([a-z][\w:-]*)/g)])
    .flatMap(([, name = '']) => (own.includes(name) ? [] : [name]));
}

interface Help {
  /** `submit`, `dlq list`, … with their flags. */
  verbs: Map<string, string[]>;
  worker: string[];
}

async function help(program: string, ...verb: string[]): Promise<string> {
  const file = join(root, 'tools', 'bin', `${program}.mjs`);
  return (await execa(process.execPath, [file, ...verb, '--help'])).stdout;
}

const flagsIn = (text: string): string[] =>
  [...text.matchAll(/(?<![\w-])--?[a-z][\w-]*/g)].map(([flag]) => flag);

function verbsIn(text: string): string[] {
  const list = text.split('Commands:')[1]?.split('Examples:')[0] ?? '';
  return [...list.matchAll(/^ {2}([a-z]+)/gm)].map(([, verb = '']) => verb).filter((verb) => verb !== 'help');
}

async function readHelp(): Promise<Help> {
  const verbs = new Map<string, string[]>();
  for (const verb of verbsIn(await help('agentq'))) {
    const text = await help('agentq', verb);
    verbs.set(verb, flagsIn(text));
    for (const below of verbsIn(text))
      verbs.set(`${verb} ${below}`, flagsIn(await help('agentq', verb, below)));
  }
  return { verbs, worker: flagsIn(await help('agent-worker')) };
}

/** What follows `agentq`, as "verb" or "verb flag", that `--help` does not know. */
function unknownUses(text: string, { verbs, worker }: Help): string[] {
  return codeLines(text).flatMap((line) => {
    const queue = /\bagentq(?: --)? ([a-z]+)( [a-z]+)?([^#]*)/.exec(line);
    if (queue) return unknownVerb(queue, verbs);
    const run = /(?:agent-worker(?:\.mjs)?|npm run worker --|npm start --)((?: .*)?)$/.exec(line)?.[1];
    if (run === undefined) return [];
    return unknownFlags(run, worker).map((flag) => `agent-worker ${flag}`);
  });
}

function unknownVerb([, verb = '', below = '', rest = '']: RegExpExecArray, verbs: Help['verbs']): string[] {
  const flags = verbs.get(verb + below) ?? verbs.get(verb);
  if (!flags || (verb === 'dlq' && below !== '' && !verbs.has(verb + below)))
    return [`agentq ${verb}${below}`];
  return unknownFlags(rest, flags).map((flag) => `agentq ${verb} ${flag}`);
}

/** What stands behind a lone `--` belongs to another program, and a quoted text to nobody. */
function unknownFlags(text: string, known: readonly string[]): string[] {
  const [ours = ''] = text.replaceAll(/"[^"]*"/g, '').split(' -- ');
  return flagsIn(ours).filter((flag) => !known.includes(flag));
}

/** A span that begins with a flag names one of ours or, in the text about Claude Code, one of its call. */
function unknownLooseFlags(text: string, { verbs, worker }: Help): string[] {
  const known = new Set([
    ...worker,
    ...[...verbs.values()].flat(),
    ...flagsIn(read('tools/agents/claude-call.ts')),
  ]);
  // Named as what does not help, and as the kernel's part.
  for (const flag of ['--bare', '--safe-mode', '--pdeathsig']) known.add(flag);
  return codeSpans(text)
    .filter((code) => code.startsWith('--'))
    .flatMap(flagsIn)
    .filter((flag) => !known.has(flag));
}

function sources(...folders: string[]): string {
  const files = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => `${folder}/${name}`),
  );
  return files.map(read).join('\n');
}

const code = sources('tools', '.claude');
const reads = (variable: string): boolean => new RegExp(`['"\`]${variable}['"\`]`).test(code);

function unreadVariables(text: string): string[] {
  return [...text.matchAll(/^(?:# )?([A-Z][A-Z0-9_]+)=/gm)].flatMap(([, name = '']) =>
    reads(name) ? [] : [name],
  );
}

/** Names in capitals with an underscore: a variable that is read, or an error's code. */
function unknownCapitals(text: string): string[] {
  const named = codeSpans(text).flatMap((span) => span.split(/[^A-Z0-9_]+/));
  return named
    .filter((word) => /^[A-Z]+(?:_[A-Z]+)+$/.test(word) && word !== 'NODE_TOO_OLD')
    .filter(
      (word) =>
        !(errorCodes as readonly string[]).includes(word) && !reads(word) && !code.includes(`${word}:`),
    );
}

/** Folders right below `folder` that the map does not name; it names them as seen from `tools/`. */
function unnamedFolders(text: string, folder: string): string[] {
  const spans = new Set(codeSpans(text));
  const prefix = folder === 'tools' ? '' : `${folder.slice('tools/'.length)}/`;
  const entries = readdirSync(join(root, folder), { withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => `${prefix}${name}/`);
  return folders.filter((name) => !spans.has(name));
}

/** Cells of the troubleshooting table's first column: each quoted text must be in the code as it stands. */
function unsaidMessages(text: string): string[] {
  const rows = text.split('## When something is wrong')[1]?.split('\n## ')[0]?.split('\n') ?? [];
  const cells = rows.filter((row) => row.startsWith('| ')).map((row) => row.split(' | ')[0] ?? '');
  const everything = code + read('tools/bin/run.mjs');
  const labels: readonly string[] = allAgentLabels;
  return cells.slice(1).flatMap((cell) =>
    codeSpans(cell)
      .filter((said) => !labels.includes(said) && !said.endsWith('/'))
      .filter((said) => !everything.includes(said) && !saidInParts(said, everything)),
  );
}

/** A message with a value in it: its words on both sides of the value are in the code. */
function saidInParts(said: string, everything: string): boolean {
  return said.split(/\d+(?:\.\d+)*|'/).every((part) => everything.includes(part.trim()));
}

const scripts = Object.keys(
  (JSON.parse(read('package.json')) as { scripts: Record<string, string> }).scripts,
);
const known = await readHelp();

describe.each(documents)('%s', (path) => {
  const text = read(path);
  const within = path.split('/').slice(0, -1).join('/');

  test('names files and folders that are there', () => expect(missingPaths(text, within)).toEqual([]));
  test('names npm scripts that are there', () => expect(unknownScripts(text, scripts)).toEqual([]));
  test('names verbs and flags that are there', () => expect(unknownUses(text, known)).toEqual([]));
  test('names flags that somebody takes', () => expect(unknownLooseFlags(text, known)).toEqual([]));
  test('names variables and codes that the code has', () => expect(unknownCapitals(text)).toEqual([]));
  test('has no path of a particular machine', () => {
    expect(text.match(/\/(?:work|root|tmp|home\/(?!you\/)\w+|Users\/(?!you\/)\w+)\//g)).toBeNull();
  });
});

describe('README.md', () => {
  test('begins with the two commands', () => {
    expect(/```\n([\s\S]*?)```/.exec(readme)?.[1]).toBe('npm ci && npm run demo\nnpm ci && npm test\n');
  });

  test('tells of every verb', () => {
    const named = [...readme.matchAll(/^\| `agentq ([a-z]+(?: [a-z]+)?)/gm)].map(([, verb = '']) => verb);
    expect([...known.verbs.keys()].filter((verb) => verb !== 'dlq' && !named.includes(verb))).toEqual([]);
  });

  test('tells of every key of a role and every label', () => {
    const spans = codeSpans(readme);
    expect(
      [...workerKeys, ...allAgentLabels].filter((word) => !spans.includes(word) && word !== 'repo'),
    ).toEqual([]);
  });

  test('quotes messages that the code can say', () => expect(unsaidMessages(readme)).toEqual([]));
});

describe('tools/README.md', () => {
  test.each(['tools', 'tools/cli', 'tools/queues'])('names every folder in %s', (folder) =>
    expect(unnamedFolders(map, folder)).toEqual([]),
  );

  test('has every state and every crash point in its tables', () => {
    const rows = [...map.matchAll(/^\| `([a-z_-]+)` +\|/gm)].map(([, name = '']) => name);
    expect([...states, ...crashPoints].filter((name) => !rows.includes(name))).toEqual([]);
  });
});

test('every variable in .env.example is read by somebody', () => {
  const example = read('.env.example');
  expect(unreadVariables(example)).toEqual([]);
  expect(example.match(/^(?:# )?[A-Z][A-Z0-9_]+=/gm)?.length).toBeGreaterThan(8);
});

test('a decision is short', () => {
  const long = decisions.filter((path) => read(path).trimEnd().split('\n').length > 40);
  expect(long).toEqual([]);
});

describe('these checks notice', () => {
  test.each(['`tools/worker/nowhere.ts`', '`worker/nowhere.ts`', '`tools/nowhere/`', '`nowhere.md`'])(
    'the path %s',
    (text) => expect(missingPaths(text, '')).toHaveLength(1),
  );
  test('paths that are there', () =>
    expect(missingPaths('`worker/loop.ts`, `tools/`, `LICENSE`', '')).toEqual([]));
  test('an npm script', () => expect(unknownScripts('`npm run sing`', scripts)).toEqual(['sing']));
  test('a verb', () => expect(unknownUses('`agentq sing ID`', known)).toEqual(['agentq sing']));
  test('a verb below dlq', () =>
    expect(unknownUses('`agentq dlq sing`', known)).toEqual(['agentq dlq sing']));
  test('a flag of a verb', () =>
    expect(unknownUses('```\nnpx agentq list --loud\n```', known)).toEqual(['agentq list --loud']));
  test('a flag of the worker', () =>
    expect(unknownUses('```\nnpm run worker -- --watch --loud -- ./a --b\n```', known)).toEqual([
      'agent-worker --loud',
    ]));
  test('a loose flag', () => expect(unknownLooseFlags('`--loud 3`', known)).toEqual(['--loud']));
  test('a variable', () => expect(unreadVariables('# AGENT_MOOD=good\n')).toEqual(['AGENT_MOOD']));
  test('a code', () => expect(unknownCapitals('`QUEUE_BORED`')).toEqual(['QUEUE_BORED']));
  test('a folder that the map leaves out', () =>
    expect(unnamedFolders('`worker/`', 'tools')).toContain('store/'));
  test('a message that nobody says', () =>
    expect(unsaidMessages('## When something is wrong\n| m | d |\n| `the moon is full` | wait |')).toEqual([
      'the moon is full',
    ]));
});
