import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { checkExpected } from '../../tools/artifacts/expected.ts';
import { agentsMay } from '../../tools/cli/agents-may.ts';
import { exitCodes } from '../../tools/cli/exit-codes.ts';
import { loadRoles } from '../../tools/roles/load-role.ts';
import { loadSkill } from '../../tools/roles/load-skill.ts';
import { root } from './run-airtable.ts';

const skillsFolder = join(root, '.claude', 'skills');
const skills = readdirSync(skillsFolder).sort();
const read = (...path: string[]) => readFileSync(join(skillsFolder, ...path), 'utf8');

describe.each(skills)('skill %s', (name) => {
  const manual = read(name, 'SKILL.md');

  it('follows the Agent Skills format', () => {
    const skill = loadSkill(name, root, { file: 'test', line: 1 });
    expect(skill.description.length).toBeLessThanOrEqual(1024);
    expect(manual.split('\n').length).toBeLessThan(500);
    const head: unknown = parse(manual.split('---')[1] ?? '');
    expect(Object.keys(Object(head)).sort()).toEqual(['description', 'name']);
  });

  it('says how to work when nobody is there', () => {
    expect(manual).toMatch(/^## Autonomous mode$/m);
  });

  it('names every reference file it has, and only those', () => {
    const named = new Set([...manual.matchAll(/`(references\/[^`]+)`/g)].map((match) => match[1] ?? ''));
    const folder = join(skillsFolder, name, 'references');
    const there = existsSync(folder) ? readdirSync(folder).map((file) => `references/${file}`) : [];
    expect([...named].sort()).toEqual(there.sort());
  });
});

const methods = ['linkedin-post', 'newsletter', 'code-review', 'implementation', 'critique', 'delegate'];

it.each(methods)('skill %s has a list for reviewing oneself', (name) => {
  const manual = read(name, 'SKILL.md');
  expect(manual).toMatch(/^## Review yourself$/m);
  expect(manual.match(/^- \[ \] /gm)?.length).toBeGreaterThanOrEqual(5);
});

describe.each(['linkedin-post', 'newsletter', 'code-review'])('skill %s', (name) => {
  const manual = read(name, 'SKILL.md');

  it('says which files are the user’s, and they say it too', () => {
    const [line = ''] = /^.*belongs? to the .*$/m.exec(manual) ?? [];
    const names = [...line.matchAll(/`([a-z-]+\.md)`/g)].map((match) => match[1] ?? '');
    expect(names.length).toBeGreaterThan(0);
    for (const file of names) expect(read(name, 'references', file)).toContain('**Yours to edit.**');
  });
});

describe('roles', () => {
  const { roles, problems } = loadRoles({ root });

  it('all load', () => {
    expect(problems).toEqual([]);
    expect(roles.map((role) => [role.name, role.project])).toEqual([
      ['code-reviewer', 'Code Reviewer'],
      ['coordinator', 'Coordinator'],
      ['implementation-worker', undefined],
      ['linkedin-writer', 'LinkedIn Writer'],
      ['newsletter-writer', 'Newsletter Writer'],
      ['review-worker', undefined],
    ]);
  });

  it('may run a command unasked only if one of their skills brings it', () => {
    for (const role of roles) {
      const allowed = role.tools.filter((tool) => tool.startsWith('Bash') && !role.ask.includes(tool));
      const commands = role.skills.flatMap((skill) => skill.commands.map((command) => command.name));
      expect(allowed).toEqual(commands.map((command) => `Bash(${command}:*)`));
    }
  });

  it('write to folders of their own', () => {
    expect(new Set(roles.map((role) => role.output)).size).toBe(roles.length);
  });
});

describe('delegating', () => {
  const { roles } = loadRoles({ root });
  const role = (name: string) => roles.find((known) => known.name === name);
  const texts = ['SKILL.md', 'references/commands.md', 'references/writing-a-context.md'].map((file) =>
    read('delegate', file),
  );

  it('names only verbs and options that agents may use and agentq has', () => {
    const program = readFileSync(join(root, 'tools', 'agentq.ts'), 'utf8');
    const commands = texts.flatMap((text) =>
      [...text.matchAll(/`agentq ([^`]+)`/g)].map(([, line = '']) => line),
    );
    expect(commands.length).toBeGreaterThan(12);
    for (const command of commands) {
      expect(agentsMay).toContain(command.split(' ')[0]);
      for (const [option] of command.matchAll(/--[a-z-]+/g)) expect(program).toContain(`${option} `);
    }
  });

  it('names the exit codes as they are', () => {
    const table = /## Exit codes\n([\s\S]*?)\n## /.exec(texts[1] ?? '')?.[1] ?? '';
    const named = [...table.matchAll(/^\| (\d+) \|/gm)].map((match) => Number(match[1]));
    // A heartbeat is for workers in a shell.
    const known = Object.values(exitCodes).filter((code) => code !== exitCodes.notYours);
    expect(named.toSorted((a, b) => a - b)).toEqual(known.toSorted((a, b) => a - b));
  });

  it('never waits in a lane of the roles that it waits for', () => {
    const lane = role('coordinator')?.lane;
    for (const name of ['implementation-worker', 'review-worker']) expect(role(name)?.lane).not.toBe(lane);
  });

  it('asks a person before an agent runs what it wrote', () => {
    expect(role('implementation-worker')).toMatchObject({ edits: true, ask: ['Bash(npm test)'] });
    const editing = roles.filter((each) => each.edits).map((each) => each.name);
    expect(editing).toEqual(['implementation-worker']);
  });

  it('gets what it asks for by name: the report has the sections, the patch is a file', () => {
    const report = /```\n([\s\S]*?)```/.exec(read('implementation', 'SKILL.md'))?.[1] ?? '';
    const artifacts = ['summary', 'patch', 'test-output', 'risks'];
    const expected = { format: 'markdown' as const, artifacts };
    expect(checkExpected(Buffer.from(report), ['report.md', 'patch.diff'], expected)).toEqual([]);
    expect(checkExpected(Buffer.from(report), ['report.md'], expected)).toHaveLength(1);
    expect(texts[0]).toContain(`--expect ${artifacts.join(' ')}`);
  });
});

it('files a draft in words that the command understands', () => {
  const command = /^airtable record upsert .*$/m.exec(read('airtable', 'SKILL.md'))?.[0] ?? '';
  const program = read('airtable', 'cli', 'program.ts');
  for (const [option] of command.matchAll(/--[a-z-]+/g)) expect(program).toContain(option);
});
