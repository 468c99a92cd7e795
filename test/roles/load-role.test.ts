import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { AppError } from '../../tools/errors.ts';
import { loadRoles, parseRole } from '../../tools/roles/load-role.ts';
import { makeProject, roleText } from './project.ts';

const project = makeProject();
afterAll(() => project[Symbol.dispose]());
const { root } = project;
const file = '.claude/agents/x.md';

function refusal(text: string): AppError {
  try {
    parseRole(text, file, { root });
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('the role was accepted');
}

/** [what it is about, lines of the worker block, line of the mistake, message before the place] */
const badWorkerLines: [string, string[], number, string][] = [
  ['lane', ['lane: quick'], 5, 'expected `worker.lane` to be fast, normal or heavy, got: "quick"'],
  ['lane in capitals', ['lane: Fast'], 5, 'expected `worker.lane` to be fast, normal or heavy, got: "Fast"'],
  [
    'bare number as time',
    ['attempts: 2', 'timeout: 15'],
    6,
    'expected `worker.timeout` to be a duration, got: 15',
  ],
  ['unit', ['stall: 15 minutes'], 5, 'expected `worker.stall` to be a duration, got: "15 minutes"'],
  ['zero time', ['tool_stall: 0s'], 5, 'expected `worker.tool_stall` to be a duration, got: "0s"'],
  [
    'time no timer can hold',
    ['timeout: 30d'],
    5,
    'expected `worker.timeout` to be a duration of at most 24d, got: "30d"',
  ],
  ['empty time list', ['deadline: [24h]'], 5, 'expected `worker.deadline` to be a duration, got: ["24h"]'],
  ['no attempts', ['attempts: 0'], 5, 'expected `worker.attempts` to be a whole number from 1 to 20, got: 0'],
  [
    'text as count',
    ['attempts: "3"'],
    5,
    'expected `worker.attempts` to be a whole number from 1 to 20, got: "3"',
  ],
  [
    'half a round',
    ['rounds: 1.5'],
    5,
    'expected `worker.rounds` to be a whole number from 0 to 100, got: 1.5',
  ],
  [
    'currency',
    ['budget: $2'],
    5,
    'expected `worker.budget` to be an amount in US dollars above 0, got: "$2"',
  ],
  [
    'negative budget',
    ['daily_budget: -1'],
    5,
    'expected `worker.daily_budget` to be an amount in US dollars above 0, got: -1',
  ],
  [
    'output outside',
    ['output: ../x'],
    5,
    'expected `worker.output` to be a folder below workspace/, got: "../x"',
  ],
  [
    'output upwards',
    ['output: workspace/../x'],
    5,
    'expected `worker.output` to be a folder below workspace/, got: "workspace/../x"',
  ],
  [
    'absolute output',
    ['output: /tmp/x'],
    5,
    'expected `worker.output` to be a folder below workspace/, got: "/tmp/x"',
  ],
  [
    'the workspace itself',
    ['output: workspace/'],
    5,
    'expected `worker.output` to be a folder below workspace/, got: "workspace/"',
  ],
  [
    'output elsewhere',
    ['output: src/x'],
    5,
    'expected `worker.output` to be a folder below workspace/, got: "src/x"',
  ],
  [
    "the worker's folder",
    ['output: workspace/tasks'],
    5,
    'expected `worker.output` to be none of the worker\'s own folders, got: "workspace/tasks"',
  ],
  [
    'hidden output',
    ['output: workspace/.git'],
    5,
    'expected `worker.output` to be a visible folder, got: "workspace/.git"',
  ],
  [
    'isolation',
    ['isolation: docker'],
    5,
    'expected `worker.isolation` to be shared, folder or worktree, got: "docker"',
  ],
  [
    'worktree of nothing',
    ['isolation: worktree'],
    4,
    'expected `worker.repo` to be the path of a git repository, got: nothing',
  ],
  [
    'edits without worktree',
    ['output: workspace/x', 'edits: true'],
    6,
    'expected `worker.edits` to be absent unless `worker.isolation` is worktree, got: true',
  ],
  [
    'edits without output',
    ['isolation: worktree', 'repo: .', 'edits: true'],
    7,
    'expected `worker.edits` to be absent unless there is a `worker.output` for the patch, got: true',
  ],
  [
    'repo without worktree',
    ['repo: .'],
    5,
    'expected `worker.repo` to be absent unless `worker.isolation` is worktree, got: "."',
  ],
  [
    'repo that is not there',
    ['isolation: worktree', 'repo: ./none'],
    6,
    'expected `worker.repo` to be an existing folder, got: "./none"',
  ],
  [
    'field with a colon',
    ['requires:', '  - audience', '  - "a: b"'],
    7,
    'expected `worker.requires` to be names of fields, got: "a: b"',
  ],
  ['list of numbers', ['ask:', '  - 3'], 6, 'expected `worker.ask[0]` to be a text, got: 3'],
  ['a block as list', ['ask: {a: b}'], 5, 'expected `worker.ask` to be a list, got: {"a":"b"}'],
  [
    'a name',
    ['accepts_from: [Big Boss]'],
    5,
    'expected `worker.accepts_from` to be names of roles or coordinators, got: "Big Boss"',
  ],
  ['yes', ['shares_output: yes'], 5, 'expected `worker.shares_output` to be true or false, got: "yes"'],
  ['project', ['project: [a]'], 5, 'expected `worker.project` to be a text, got: ["a"]'],
  [
    'unknown key',
    ['lane: fast', 'time_out: 5m'],
    6,
    'expected the keys of `worker` to be known ones, got: "time_out"',
  ],
];

/** [what it is about, whole file, line, message before the place] */
const badFiles: [string, string, number, string][] = [
  ['nothing', '', 1, 'expected the file to begin with ---, got: ""'],
  ['no front matter', '# Role', 1, 'expected the file to begin with ---, got: "# Role"'],
  ['open front matter', '---\nname: x\n', 1, 'expected a second --- that closes the front matter, got: none'],
  ['a list', '---\n- name\n---\nx', 1, 'expected `front matter` to be a mapping, got: ["name"]'],
  ['empty front matter', '---\n---\nx', 1, 'expected `front matter` to be a mapping, got: null'],
  ['another name', roleText('y', []), 2, 'expected `name` to be "x", like the file, got: "y"'],
  ['no name', '---\ndescription: a\n---\nx', 1, 'expected `name` to be "x", like the file, got: nothing'],
  [
    'no description',
    '---\nname: x\ndescription:\n---\nx',
    3,
    'expected `description` to be a text, got: nothing',
  ],
  [
    'no body',
    '---\nname: x\ndescription: a\n---\n\n',
    1,
    'expected instructions below the front matter, got: nothing',
  ],
  [
    'worker as text',
    roleText('x', [], ['worker: fast']),
    4,
    'expected `worker` to be a block of settings, got: "fast"',
  ],
  [
    'misspelt worker',
    roleText('x', [], ['workers:', '  lane: fast']),
    4,
    'expected the block to be called `worker`, got: "workers"',
  ],
  [
    'limit outside the block',
    roleText('x', [], ['budget: 2']),
    4,
    'expected `budget` to stand in the block `worker`, got: it at the top',
  ],
  [
    'tool',
    roleText('x', [], ['tools: Read, rm -rf']),
    4,
    'expected `tools` to be tools such as Read or Bash(airtable:*), got: "rm -rf"',
  ],
  [
    'skill that is not there',
    roleText('x', [], ['skills:', '  - writing', '  - writting']),
    6,
    'expected every skill in `skills` to be a folder in .claude/skills with a SKILL.md, got: "writting"',
  ],
  [
    'skill as a path',
    roleText('x', [], ['skills: ../agents']),
    4,
    'expected every skill in `skills` to be a folder in .claude/skills with a SKILL.md, got: "../agents"',
  ],
];

describe('a mistake is refused with its place', () => {
  it.each(badWorkerLines)('%s', (_, lines, line, message) => {
    const error = refusal(roleText('x', lines));
    expect([error.code, error.message]).toEqual(['BAD_ROLE', `${message} (${file}:${line})`]);
    expect(error.hints).toHaveLength(1);
  });

  it.each(badFiles)('%s', (_, text, line, message) => {
    const error = refusal(text);
    expect([error.code, error.message]).toEqual(['BAD_ROLE', `${message} (${file}:${line})`]);
    expect(error.hints).toHaveLength(1);
  });

  it.each([
    ['two equal keys', roleText('x', ['lane: fast', 'lane: heavy']), 6],
    ['a colon without quotes', '---\nname: x\ndescription: Use this: now\n---\nx', 3],
    ['a tab', '---\nname: x\ndescription: a\nworker:\n\tlane: fast\n---\nx', 5],
  ])('YAML: %s', (_, text, line) => {
    expect(refusal(text).message).toMatch(new RegExp(`^expected valid YAML, got: .* \\(${file}:${line}\\)$`));
  });

  it('with the key that was probably meant', () => {
    expect(refusal(roleText('x', ['time_out: 5m'])).hints).toEqual(['did you mean: timeout']);
    expect(refusal(roleText('x', ['colour: red'])).hints[0]).toMatch(/^known are: project, lane/);
    expect(refusal(roleText('x', [], ['skills: writting'])).hints).toEqual(['did you mean: writing']);
  });

  it('in the skill that is wrong', () => {
    const { message } = refusal(roleText('x', [], ['skills: broken']));
    expect(message).toBe(
      'expected `name` to be broken, like its folder, got: "other" (.claude/skills/broken/SKILL.md:2)',
    );
  });

  it('counts lines of files with Windows line ends and a byte order mark', () => {
    const text = `\uFEFF${roleText('x', ['lane: quick'])}`.replaceAll('\n', '\r\n');
    expect(refusal(text).message).toMatch(/got: "quick" \(.claude\/agents\/x.md:5\)$/);
  });
});

describe('a role', () => {
  it('has everything its file says', () => {
    const lines = [
      'project: My Desk',
      'lane: heavy',
      'timeout: 90s',
      'stall: 5m',
      'tool_stall: 1h',
      'attempts: 1',
      'deadline: 7d',
      'budget: 2.50',
      'daily_budget: 10',
      'requires: [audience, Due date]',
      'output: workspace/a/b',
      'isolation: worktree',
      'repo: .',
      'edits: true',
      'rounds: 0',
      'ask: [Bash(git push:*)]',
      'shares_output: true',
      'accepts_from: [coordinator, code-reviewer]',
      'irreversible: true',
    ];
    const more = [
      'tools: Read, Bash(npm run a, b:*), Write(./**)',
      'model: opus',
      'skills: [writing]',
      'color: red',
    ];
    expect(parseRole(roleText('x', lines, more), file, { root })).toEqual({
      name: 'x',
      description: 'Does x.',
      file,
      body: 'Work well.',
      tools: ['Read', 'Bash(npm run a, b:*)', 'Write(./**)'],
      model: 'opus',
      skills: [
        {
          name: 'writing',
          description: 'Writes.',
          folder: join(root, '.claude/skills/writing'),
          commands: [{ name: 'publish', script: join(root, '.claude/skills/writing/scripts/publish.ts') }],
        },
      ],
      project: 'My Desk',
      lane: 'heavy',
      timeoutMs: 90_000,
      stallMs: 300_000,
      toolStallMs: 3_600_000,
      attempts: 1,
      deadlineMs: 604_800_000,
      budgetUsd: 2.5,
      dailyBudgetUsd: 10,
      requires: ['audience', 'Due date'],
      output: join(root, 'workspace/a/b'),
      isolation: 'worktree',
      repo: root,
      edits: true,
      rounds: 0,
      ask: ['Bash(git push:*)'],
      sharesOutput: true,
      acceptsFrom: ['coordinator', 'code-reviewer'],
      irreversible: true,
      hash: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
  });

  it('without a worker block is a plain agent that only reads', () => {
    expect(parseRole(roleText('x', []), file, { root })).toMatchObject({
      project: undefined,
      output: undefined,
      lane: 'normal',
      tools: ['Read', 'Glob', 'Grep'],
      timeoutMs: 900_000,
    });
  });

  it('does not get what Claude Code’s own format takes away', () => {
    const text = roleText('x', [], ['tools: [Read, Write, Bash(git:*)]', 'disallowedTools: Write, Bash']);
    expect(parseRole(text, file, { root }).tools).toEqual(['Read']);
  });

  it('writes below the workspace it is given', () => {
    const role = parseRole(roleText('x', ['output: workspace/a']), file, { root, workspace: '/data/drafts' });
    expect(role.output).toBe('/data/drafts/a');
  });
});

describe('all roles', () => {
  it('load, but for those that are broken or want the desk of another', () => {
    using place = makeProject();
    place.write('.claude/agents/a.md', roleText('a', ['project: Desk']));
    place.write('.claude/agents/b.md', roleText('b', ['project: DESK']));
    place.write('.claude/agents/c.md', roleText('c', ['lane: quick']));
    place.write('.claude/agents/d.md', roleText('d', []));
    place.write('.claude/agents/notes.txt', 'no role');
    const { roles, problems } = loadRoles({ root: place.root });
    expect(roles.map((role) => role.name)).toEqual(['a', 'd']);
    expect(problems.map((problem) => problem.message)).toEqual([
      'expected `worker.lane` to be fast, normal or heavy, got: "quick" (.claude/agents/c.md:5)',
      'expected `worker.project` to be no other role\'s, got: "DESK" also in .claude/agents/a.md (.claude/agents/b.md)',
    ]);
  });

  it('are none where there is no folder', () => {
    using place = makeProject();
    expect(loadRoles({ root: place.root })).toEqual({ roles: [], problems: [] });
  });
});
