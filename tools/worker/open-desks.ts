/**
 * Whose desk each project of a queue is, kept up to date as role files change. All roles count, also those this worker
 * does not serve, and a desk that was known stays known: a role file that is gone for a moment moves no task.
 */
import { hasCode } from '../errors.ts';
import type { Project, Queue } from '../queues/queue.ts';
import type { Role } from '../roles/role.ts';
import { missingProject, planDesks, type DeskPlan } from './desks.ts';
import type { Desks } from './intake.ts';
import type { Worker } from './worker.ts';

/** Projects are made and renamed by people, so they are looked at again now and then. */
const lookAgainMs = 10 * 60_000;

/**
 * `starting`: throws NO_PROJECT when of the desks that the served roles name none is there. That is a mistake to be mended;
 * of a worker at work, which takes the queue over when another leaves, it is only a reason for a warning.
 */
export function openDesks(worker: Worker, queue: Queue): (starting: boolean) => Promise<Desks> {
  const desks = new Map<string, Role>();
  const watched = new Map<string, Project>();
  let planned: readonly Role[] = [];
  let lookAgainAt = 0;

  function warn(error: { message: string; hints: string[] }): void {
    worker.log({ type: 'warning', text: error.message, hints: error.hints });
  }

  function take(plan: DeskPlan, projects: readonly Project[], starting: boolean): void {
    const served = new Set(worker.roles().map((role) => role.name));
    const missing = plan.missing.filter((role) => served.has(role.name));
    const hasDesk = [...plan.desks.values()].some((role) => served.has(role.name));
    if (starting && missing.length > 0 && !hasDesk) throw missingProject(missing, projects);
    if (missing.length > 0 && (planned.length === 0 || !sameRoles(worker.knownRoles(), planned)))
      warn(missingProject(missing, projects));
    for (const [id, role] of plan.desks) desks.set(id, role);
    for (const project of plan.projects) watched.set(project.id, project);
    queue.watch([...watched.values()]);
  }

  return async (starting) => {
    const roles = worker.knownRoles();
    if (sameRoles(roles, planned) && worker.now() < lookAgainAt) return desks;
    const projects = await queue.projects();
    try {
      take(planDesks(roles, projects), projects, starting);
    } catch (error) {
      if (starting || !hasCode(error, 'NO_PROJECT')) throw error;
      warn(error);
    }
    planned = roles;
    lookAgainAt = worker.now() + lookAgainMs;
    return desks;
  };
}

function sameRoles(a: readonly Role[], b: readonly Role[]): boolean {
  return a.length === b.length && a.every((role, index) => role.hash === b[index]?.hash);
}
