/** May a task start at all? What its role says about where it comes from, and about what cannot be undone. Pure. */
import type { Role } from '../roles/role.ts';
import type { Task } from '../store/tasks.ts';

/** Stands among a task's approvals like a permission rule: the approval to begin. */
export const startRule = 'start';

/** Failure codes of tasks that are not begun. */
export type Refusal = { code: 'not_accepted' | 'needs_approval'; message: string };

type Asked = Pick<Role, 'name' | 'acceptsFrom' | 'irreversible'>;

/** `grants` are the rules approved for the task as it reads now. */
export function mayStart(
  role: Asked,
  task: Pick<Task, 'meta'>,
  grants: readonly string[],
): Refusal | undefined {
  const from = task.meta.envelope?.from;
  if (from !== undefined && !accepts(role, from))
    return {
      code: 'not_accepted',
      message: `${role.name} takes no tasks from ${from}; it accepts them from ${acceptedBy(role)}.`,
    };
  if (role.irreversible && !grants.includes(startRule))
    return {
      code: 'needs_approval',
      message: `What ${role.name} does cannot be undone, so it begins only when you approve.`,
    };
  return undefined;
}

export function accepts(role: Pick<Role, 'acceptsFrom'>, from: string): boolean {
  return role.acceptsFrom === undefined || role.acceptsFrom.includes(from);
}

export function acceptedBy(role: Pick<Role, 'acceptsFrom'>): string {
  return role.acceptsFrom?.join(', ') || 'nobody';
}
