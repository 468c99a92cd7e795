/** Reads `.claude/skills/<name>/`: its description for the agent, and the scripts it may run as commands. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { AppError } from '../errors.ts';
import { text } from './fields.ts';
import { badRole, parseFrontMatter, unexpected } from './front-matter.ts';
import { nearest } from './nearest.ts';
import type { Skill } from './role.ts';

export const skillName = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;
const longestDescription = 1024;

/** `named` says where the role names the skill, for the message when there is none. */
export function loadSkill(name: string, root: string, named: { file: string; line: number }): Skill {
  const folder = join(root, '.claude', 'skills', name);
  const manual = join(folder, 'SKILL.md');
  if (!skillName.test(name) || !existsSync(manual)) throw noSuchSkill(name, root, named);
  const file = relative(root, manual);
  const matter = parseFrontMatter(readFileSync(manual, 'utf8'), file);
  const own = matter.get('name');
  if (own.value !== name) throw unexpected(own, `${name}, like its folder`, `write: name: ${name}`);
  const about = matter.get('description');
  const description = text(about);
  if (!description || description.length > longestDescription)
    throw unexpected(
      about,
      `a text of 1 to ${longestDescription} characters`,
      'say what it does and when to use it',
    );
  return { name, description, folder, commands: commandsOf(folder) };
}

function commandsOf(folder: string): Skill['commands'] {
  const scripts = join(folder, 'scripts');
  if (!existsSync(scripts)) return [];
  return readdirSync(scripts)
    .filter((file) => file.endsWith('.ts') && skillName.test(file.slice(0, -3)))
    .sort()
    .map((file) => ({ name: file.slice(0, -3), script: join(scripts, file) }));
}

function noSuchSkill(name: string, root: string, named: { file: string; line: number }): AppError {
  const folder = join(root, '.claude', 'skills');
  const known = existsSync(folder)
    ? readdirSync(folder).filter((entry) => existsSync(join(folder, entry, 'SKILL.md')))
    : [];
  const close = nearest(name, known);
  return badRole(
    named.file,
    named.line,
    `expected every skill in \`skills\` to be a folder in .claude/skills with a SKILL.md, got: ${JSON.stringify(name)}`,
    close ? `did you mean: ${close}` : `skills there are: ${known.sort().join(', ') || 'none'}`,
  );
}
