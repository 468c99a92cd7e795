/** Which project of the queue is whose desk. Pure. */
import { AppError } from '../errors.ts';
import type { Project } from '../queues/queue.ts';
import type { Role } from '../roles/role.ts';

export interface DeskPlan {
  /** Project id → role. */
  desks: Map<string, Role>;
  projects: Project[];
  /** Roles whose project does not exist. */
  missing: Role[];
}

/** Names are compared without regard to case. Throws NO_PROJECT where one name stands for two projects. */
export function planDesks(roles: readonly Role[], projects: readonly Project[]): DeskPlan {
  const plan: DeskPlan = { desks: new Map(), projects: [], missing: [] };
  for (const role of roles) {
    if (role.project === undefined) continue;
    const matches = projects.filter((project) => same(project.name, role.project ?? ''));
    const [project, second] = matches;
    if (!project) plan.missing.push(role);
    else if (second)
      throw new AppError(
        'NO_PROJECT',
        `expected one project named "${role.project}", got: ${matches.length}`,
        {
          hints: [`rename all but one of them, or change worker.project in ${role.file}`],
        },
      );
    else {
      plan.desks.set(project.id, role);
      plan.projects.push(project);
    }
  }
  return plan;
}

/** The roles to serve: those of the named projects, or all. Throws NO_PROJECT, naming what there is. */
export function rolesFor(roles: readonly Role[], names: readonly string[]): Role[] {
  if (names.length === 0) return [...roles];
  const named = names.map((name) => {
    const role = roles.find(
      (known) => (known.project !== undefined && same(known.project, name)) || same(known.name, name),
    );
    if (role) return role;
    const known = roles.flatMap((each) =>
      each.project === undefined ? [] : [`"${each.project}" (${each.file})`],
    );
    throw new AppError('NO_PROJECT', `expected the project of a role, got: "${name}"`, {
      hints: [
        `projects that have a role: ${known.join(', ') || 'none'}`,
        `to add an employee, copy one of the files in .claude/agents/ and set worker.project: ${name}`,
      ],
    });
  });
  return [...new Set(named)];
}

export function missingProject(missing: readonly Role[], projects: readonly Project[]): AppError {
  const names = missing.map((role) => `"${role.project}"`).join(', ');
  const existing = projects.map((project) => `"${project.name}"`).join(', ');
  return new AppError('NO_PROJECT', `expected a Todoist project named ${names}; there is none`, {
    hints: [
      `projects that exist: ${existing || 'none'}`,
      `add the project in Todoist, or change worker.project in ${missing.map((role) => role.file).join(', ')}`,
    ],
  });
}

function same(a: string, b: string): boolean {
  return a.trim().toLowerCase() === b.trim().toLowerCase();
}
