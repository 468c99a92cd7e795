import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
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

describe.each(['linkedin-post', 'newsletter', 'code-review'])('skill %s', (name) => {
  const manual = read(name, 'SKILL.md');

  it('has a list for reviewing oneself', () => {
    expect(manual).toMatch(/^## Review yourself$/m);
    expect(manual.match(/^- \[ \] /gm)?.length).toBeGreaterThanOrEqual(5);
  });

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
      ['linkedin-writer', 'LinkedIn Writer'],
      ['newsletter-writer', 'Newsletter Writer'],
    ]);
  });

  it('may run a command only if one of their skills brings it', () => {
    for (const role of roles) {
      const allowed = role.tools.filter((tool) => tool.startsWith('Bash'));
      const commands = role.skills.flatMap((skill) => skill.commands.map((command) => command.name));
      expect(allowed).toEqual(commands.map((command) => `Bash(${command}:*)`));
    }
  });

  it('write to folders of their own', () => {
    expect(new Set(roles.map((role) => role.output)).size).toBe(roles.length);
  });
});

it('files a draft in words that the command understands', () => {
  const command = /^airtable record upsert .*$/m.exec(read('airtable', 'SKILL.md'))?.[0] ?? '';
  const program = read('airtable', 'cli', 'program.ts');
  for (const [option] of command.matchAll(/--[a-z-]+/g)) expect(program).toContain(option);
});
