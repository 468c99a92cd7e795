/** Which projects of a queue are served, kept up to date as role files change. */
import type { Queue } from '../queues/queue.ts';
import type { Role } from '../roles/role.ts';
import { missingProject, planDesks } from './desks.ts';
import type { Desks } from './intake.ts';
import type { Worker } from './worker.ts';

/** The result asks the queue for its projects only when the roles have changed. Throws NO_PROJECT the first time. */
export function openDesks(worker: Worker, queue: Queue): () => Promise<Desks> {
  let desks: Desks = new Map();
  let served: readonly Role[] = [];
  return async () => {
    const roles = worker.roles();
    if (sameRoles(roles, served)) return desks;
    const projects = await queue.projects();
    const plan = planDesks(roles, projects);
    // At the start that is a mistake to be mended; later a project may come back, and other work goes on.
    if (plan.desks.size === 0 && served.length === 0) throw missingProject(plan.missing, projects);
    if (plan.missing.length > 0) {
      const error = missingProject(plan.missing, projects);
      worker.log({ type: 'warning', text: error.message, hints: error.hints });
    }
    desks = plan.desks;
    served = roles;
    queue.watch(plan.projects);
    return desks;
  };
}

function sameRoles(a: readonly Role[], b: readonly Role[]): boolean {
  return a.length === b.length && a.every((role, index) => role.hash === b[index]?.hash);
}
