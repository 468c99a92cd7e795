/**
 * The roles as they stand in the files now. Files are read again only when something about them changed; a broken
 * edit keeps the last good version of that role and shows as a problem until it is mended. A deleted file ends its role.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { AppError } from '../errors.ts';
import type { RoleOptions } from './load-role.ts';
import { asProblem, parseRole, roleFiles } from './load-role.ts';
import { projectClashes } from './project-clashes.ts';
import type { Role } from './role.ts';

export interface WatchedRoles {
  /** In order of file names. */
  current(): Role[];
  problems(): AppError[];
  /** Looks at the files; true when roles or problems changed. Costs one `stat` a file when nothing did. */
  refresh(): boolean;
}

export function openRoles(options: RoleOptions): WatchedRoles {
  let seen: string | undefined;
  let roles: Role[] = [];
  let problems: AppError[] = [];

  const refresh = (): boolean => {
    const stamp = stampOf(options.root);
    if (stamp === seen) return false;
    seen = stamp;
    const before = fingerprint(roles, problems);
    ({ roles, problems } = reload(options, roles));
    return fingerprint(roles, problems) !== before;
  };
  refresh();
  return { current: () => roles, problems: () => problems, refresh };
}

function reload(options: RoleOptions, before: readonly Role[]): { roles: Role[]; problems: AppError[] } {
  const problems: AppError[] = [];
  const read = roleFiles(options.root).map((file): Role | undefined => {
    try {
      return parseRole(readFileSync(join(options.root, file), 'utf8'), file, options);
    } catch (error) {
      problems.push(asProblem(error, file));
      return before.find((role) => role.file === file);
    }
  });
  const roles = read.filter((role) => role !== undefined);
  // Who had the project before keeps it; whoever reaches for it now is refused.
  const had = (role: Role) => before.some((old) => old.file === role.file && sameProject(old, role));
  const clashes = projectClashes([...roles.filter(had), ...roles.filter((role) => !had(role))]);
  const refused = new Map(clashes.map(({ role }) => [role, before.find((old) => old.file === role.file)]));
  const kept = roles
    .map((role) => (refused.has(role) ? refused.get(role) : role))
    .filter((role) => role !== undefined);
  const stillClashing = new Set(projectClashes(kept).map(({ role }) => role));
  return {
    roles: kept.filter((role) => !stillClashing.has(role)),
    problems: [...problems, ...clashes.map(({ problem }) => problem)],
  };
}

function sameProject(one: Role, other: Role): boolean {
  return one.project?.toLowerCase() === other.project?.toLowerCase();
}

function fingerprint(roles: readonly Role[], problems: readonly AppError[]): string {
  return JSON.stringify([roles, problems.map((problem) => problem.message)]);
}

/** Everything that can change what the files say, from `stat` alone: role files, manuals and scripts of skills. */
function stampOf(root: string): string {
  const skills = join(root, '.claude', 'skills');
  const names = existsSync(skills) ? readdirSync(skills).sort() : [];
  const paths = [
    ...roleFiles(root).map((file) => join(root, file)),
    ...names.flatMap((name) => [join(skills, name, 'SKILL.md'), join(skills, name, 'scripts')]),
  ];
  return paths.map((path) => `${path} ${stampOfFile(path)}`).join('\n');
}

function stampOfFile(path: string): string {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stat ? `${stat.mtimeNs} ${stat.ctimeNs} ${stat.size} ${stat.ino}` : 'none';
}
