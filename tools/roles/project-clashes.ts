/** A project is the desk of one employee: two roles with the same project would both take its tasks. Pure. */
import { AppError } from '../errors.ts';
import type { Role } from './role.ts';

/** Roles that claim a project an earlier one in the list has already. */
export function projectClashes(roles: readonly Role[]): { role: Role; problem: AppError }[] {
  const owners = new Map<string, Role>();
  const clashes: { role: Role; problem: AppError }[] = [];
  for (const role of roles) {
    if (role.project === undefined) continue;
    const owner = owners.get(role.project.toLowerCase());
    if (owner) clashes.push({ role, problem: problemOf(role, owner) });
    else owners.set(role.project.toLowerCase(), role);
  }
  return clashes;
}

function problemOf(role: Role, owner: Role): AppError {
  const found = `${JSON.stringify(role.project)} also in ${owner.file}`;
  return new AppError(
    'BAD_ROLE',
    `expected \`worker.project\` to be no other role's, got: ${found} (${role.file})`,
    {
      hints: [
        `give one of them another project, or delete \`project\` to feed ${role.name} from agentq only`,
      ],
    },
  );
}
