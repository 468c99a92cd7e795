/** A task as a row: which column holds what, and how values become what a database keeps. Pure. */
import type { Row, Value } from './sql.ts';
import type { Task } from './tasks.ts';

export const columns: readonly (readonly [keyof Task, string])[] = [
  ['id', 'id'],
  ['queue', 'queue'],
  ['nativeId', 'native_id'],
  ['role', 'role'],
  ['title', 'title'],
  ['description', 'description'],
  ['priority', 'priority'],
  ['dueAt', 'due_at'],
  ['position', 'position'],
  ['ordinal', 'ordinal'],
  ['state', 'state'],
  ['availableAt', 'available_at'],
  ['createdAt', 'created_at'],
  ['enqueuedAt', 'enqueued_at'],
  ['updatedAt', 'updated_at'],
  ['deadlineAt', 'deadline_at'],
  ['round', 'round'],
  ['failures', 'failures'],
  ['turn', 'turn'],
  ['attemptId', 'attempt_id'],
  ['workerId', 'worker_id'],
  ['leaseUntil', 'lease_until'],
  ['sessionId', 'session_id'],
  ['sessionCost', 'session_cost'],
  ['sessionUsable', 'session_usable'],
  ['cost', 'cost'],
  ['note', 'note'],
  ['failureKind', 'failure_kind'],
  ['occurrence', 'occurrence'],
  ['contentHash', 'content_hash'],
  ['submitKey', 'submit_key'],
  ['parentId', 'parent_id'],
  ['meta', 'meta'],
];
export const columnOf = new Map<string, string>(columns);

export function encode(value: Task[keyof Task]): Value {
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (typeof value === 'object' && value !== null) return JSON.stringify(value);
  return value;
}

const numbers = new Set([
  'priority',
  'dueAt',
  'position',
  'ordinal',
  'availableAt',
  'createdAt',
  'enqueuedAt',
  'updatedAt',
  'deadlineAt',
  'round',
  'failures',
  'leaseUntil',
  'sessionCost',
  'cost',
]);

export function decodeTask(row: Row): Task {
  const task: Record<string, unknown> = {};
  for (const [key, column] of columns) {
    const value = row[column] ?? null;
    task[key] = value !== null && numbers.has(key) ? Number(value) : value;
  }
  task['sessionUsable'] = Number(row['session_usable']) === 1;
  task['turn'] = JSON.parse(String(row['turn']));
  task['meta'] = JSON.parse(String(row['meta']));
  return task as unknown as Task;
}
