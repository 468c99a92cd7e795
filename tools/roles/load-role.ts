/**
 * Reads `.claude/agents/*.md` into typed roles. A mistake is refused, never guessed around: the message has the file,
 * the line, what was expected and what was found. A file without a `worker:` block is a plain Claude Code agent and
 * becomes a role with the defaults that only the local queue feeds.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import { AppError, messageOf } from '../errors.ts';
import { choice, count, dollars, duration, list, text, yesNo } from './fields.ts';
import type { FrontMatter } from './front-matter.ts';
import { badRole, parseFrontMatter, unexpected } from './front-matter.ts';
import { refuseUnknownKeys } from './known-keys.ts';
import { loadSkill, skillName } from './load-skill.ts';
import { outputFolder } from './output-folder.ts';
import { projectClashes } from './project-clashes.ts';
import type { Role } from './role.ts';
import { isolations, lanes, roleDefaults } from './role.ts';

export interface RoleOptions {
  /** Absolute folder that holds `.claude/`. */
  root: string;
  /** Absolute folder that `workspace/…` in role files means; default `<root>/workspace`. */
  workspace?: string;
}

/** What a role may use when its file names no tools: Claude Code would mean all of them, we mean reading. */
const toolsByDefault = ['Read', 'Glob', 'Grep'];
const yearMs = 365 * 86_400_000;

/** `file` is the path relative to the root, as it shall stand in messages. Throws BAD_ROLE. */
export function parseRole(source: string, file: string, options: RoleOptions): Role {
  const matter = parseFrontMatter(source, file);
  refuseUnknownKeys(matter);
  const worker = (key: string) => matter.get('worker', key);
  return {
    name: nameOf(matter, file),
    description: descriptionOf(matter),
    file,
    body: bodyOf(matter, file),
    tools: toolsOf(matter),
    model: text(matter.get('model')),
    skills: skillsOf(matter, options.root),
    project: text(worker('project')),
    lane: choice(worker('lane'), lanes) ?? roleDefaults.lane,
    timeoutMs: duration(worker('timeout')) ?? roleDefaults.timeoutMs,
    stallMs: duration(worker('stall')) ?? roleDefaults.stallMs,
    toolStallMs: duration(worker('tool_stall')) ?? roleDefaults.toolStallMs,
    attempts: count(worker('attempts'), 1, 20) ?? roleDefaults.attempts,
    deadlineMs: duration(worker('deadline'), yearMs),
    budgetUsd: dollars(worker('budget')),
    dailyBudgetUsd: dollars(worker('daily_budget')),
    requires: requiresOf(matter),
    output: outputFolder(worker('output'), options.workspace ?? join(options.root, 'workspace')),
    ...placeOf(matter, options.root),
    edits: editsOf(matter),
    rounds: count(worker('rounds'), 0, 100) ?? roleDefaults.rounds,
    ask: list(matter, worker('ask')).map((item) => item.value),
    sharesOutput: yesNo(worker('shares_output')) ?? false,
    acceptsFrom: acceptsFrom(matter),
    irreversible: yesNo(worker('irreversible')) ?? false,
    hash: createHash('sha256').update(source).digest('hex'),
  };
}

/** Every role of the project; a file that cannot be read is a problem and costs only its own role. */
export function loadRoles(options: RoleOptions): { roles: Role[]; problems: AppError[] } {
  const roles: Role[] = [];
  const problems: AppError[] = [];
  for (const file of roleFiles(options.root)) {
    try {
      roles.push(parseRole(readFileSync(join(options.root, file), 'utf8'), file, options));
    } catch (error) {
      problems.push(asProblem(error, file));
    }
  }
  const clashes = projectClashes(roles);
  const clashing = new Set(clashes.map((clash) => clash.role));
  return {
    roles: roles.filter((role) => !clashing.has(role)),
    problems: [...problems, ...clashes.map((clash) => clash.problem)],
  };
}

/** Paths of all role files, relative to the root, in order. */
export function roleFiles(root: string): string[] {
  const folder = join(root, '.claude', 'agents');
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.name.endsWith('.md') && !entry.isDirectory())
    .map((entry) => relative(root, join(folder, entry.name)))
    .sort();
}

export function asProblem(error: unknown, file: string): AppError {
  if (error instanceof AppError) return error;
  const hint = `check that the file can be read: ${file}`;
  return new AppError('BAD_ROLE', `${messageOf(error)} (${file})`, { hints: [hint], cause: error });
}

function nameOf(matter: FrontMatter, file: string): string {
  const expected = basename(file, '.md');
  const entry = matter.get('name');
  if (entry.value !== expected)
    throw unexpected(entry, `${JSON.stringify(expected)}, like the file`, `write: name: ${expected}`);
  if (!skillName.test(expected) || expected.length > 64)
    throw unexpected(entry, 'lower-case words joined by hyphens', 'rename the file, e.g. linkedin-writer.md');
  return expected;
}

function descriptionOf(matter: FrontMatter): string {
  const entry = matter.get('description');
  const description = text(entry);
  if (description) return description;
  throw unexpected(entry, 'a text', 'write: description: what this employee does, in one line');
}

function bodyOf(matter: FrontMatter, file: string): string {
  if (matter.body !== '') return matter.body;
  throw badRole(
    file,
    1,
    'expected instructions below the front matter, got: nothing',
    'write how to do the job',
  );
}

function toolsOf(matter: FrontMatter): string[] {
  const entry = matter.get('tools');
  const refused = new Set(list(matter, matter.get('disallowedTools')).map((item) => item.value));
  const tools = entry.value === undefined ? toolsByDefault : list(matter, entry).map((item) => item.value);
  for (const tool of tools) {
    if (!/^[A-Za-z][\w-]*(\(.+\))?$/.test(tool))
      throw unexpected({ ...entry, value: tool }, 'tools such as Read or Bash(airtable:*)', 'mend: ' + tool);
  }
  return tools.filter((tool) => !refused.has(tool) && !refused.has(tool.replace(/\(.*$/, '')));
}

function skillsOf(matter: FrontMatter, root: string): Role['skills'] {
  const entry = matter.get('skills');
  return list(matter, entry).map(({ value, line }) => loadSkill(value, root, { file: entry.file, line }));
}

function requiresOf(matter: FrontMatter): string[] {
  const entry = matter.get('worker', 'requires');
  return list(matter, entry).map(({ value, line }) => {
    if (/^[\p{L}\p{N}][\p{L}\p{N} _-]*$/u.test(value)) return value;
    throw unexpected({ ...entry, value, line }, 'names of fields', 'write: requires: [audience]');
  });
}

function acceptsFrom(matter: FrontMatter): string[] | undefined {
  const entry = matter.get('worker', 'accepts_from');
  if (entry.value === undefined) return undefined;
  return list(matter, entry).map(({ value, line }) => {
    if (/^[a-z0-9][a-z0-9-]*$/.test(value)) return value;
    throw unexpected({ ...entry, value, line }, 'names of roles or coordinators', 'write: [coordinator]');
  });
}

function placeOf(matter: FrontMatter, root: string): Pick<Role, 'isolation' | 'repo'> {
  const isolation = choice(matter.get('worker', 'isolation'), isolations) ?? roleDefaults.isolation;
  const entry = matter.get('worker', 'repo');
  const path = text(entry);
  if (isolation === 'worktree' && path === undefined)
    throw unexpected(
      entry,
      'the path of a git repository',
      'write: repo: .   (isolation: worktree needs it)',
    );
  if (path === undefined) return { isolation, repo: undefined };
  if (isolation !== 'worktree')
    throw unexpected(entry, 'absent unless `worker.isolation` is worktree', 'write: isolation: worktree');
  const repo = resolve(root, path);
  if (!statSync(repo, { throwIfNoEntry: false })?.isDirectory())
    throw unexpected(
      entry,
      'an existing folder',
      'give the path of a git repository, relative to the project',
    );
  return { isolation, repo };
}

/** What is changed is delivered as a file, from a checkout that is the task's own. */
function editsOf(matter: FrontMatter): boolean {
  const entry = matter.get('worker', 'edits');
  const edits = yesNo(entry) ?? false;
  if (!edits) return false;
  if (matter.get('worker', 'isolation').value !== 'worktree')
    throw unexpected(entry, 'absent unless `worker.isolation` is worktree', 'write: isolation: worktree');
  if (matter.get('worker', 'output').value === undefined)
    throw unexpected(
      entry,
      'absent unless there is a `worker.output` for the patch',
      'write: output: workspace/changes',
    );
  return true;
}
