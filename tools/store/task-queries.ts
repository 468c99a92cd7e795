/** Tasks, looked at: by reference and by filter. Nothing here changes anything. */
import type { Query, Value } from './sql.ts';
import type { State } from './states.ts';
import { decodeTask } from './task-row.ts';
import type { Task } from './tasks.ts';

export interface TaskFilter {
  states?: readonly State[];
  queue?: string;
  role?: string;
  /** Asked for by this task. */
  parentId?: string;
  /** Delegated by this role or coordinator. */
  from?: string;
  limit?: number;
}

export function taskQueriesOf(query: Query) {
  return {
    /** The task with this id or native id, or else those whose id begins so (at most five). */
    async matching(ref: string): Promise<Task[]> {
      const exact = await query.all('SELECT * FROM tasks WHERE id = ? OR native_id = ? LIMIT 1', ref, ref);
      if (exact.length > 0 || ref.length < 4) return exact.map(decodeTask);
      const rows = await query.all(
        'SELECT * FROM tasks WHERE id >= ? AND id < ? LIMIT 5',
        ref,
        `${ref}\u{10ffff}`,
      );
      return rows.map(decodeTask);
    },

    async nextAvailableAt(): Promise<number | undefined> {
      const rows = await query.all(
        `SELECT MIN(available_at) AS at FROM tasks WHERE state = 'queued' AND available_at > 0`,
      );
      const at = rows[0]?.['at'];
      return at === null || at === undefined ? undefined : Number(at);
    },

    /** Tasks that a broker has handed over and that could start now, by role. The last condition is the index’s own. */
    async handedOver(): Promise<{ role: string; count: number }[]> {
      const rows = await query.all(
        `SELECT role, COUNT(*) AS count FROM tasks WHERE state = 'queued' AND queue = 'rabbitmq'
         AND available_at = 0 AND available_at < 9000000000000000 GROUP BY role`,
      );
      return rows.map((row) => ({ role: String(row['role']), count: Number(row['count']) }));
    },

    async overdue(now: number): Promise<Task[]> {
      const rows = await query.all(
        `SELECT * FROM tasks WHERE deadline_at IS NOT NULL AND state IN ('queued', 'running', 'waiting')
         AND deadline_at <= ? ORDER BY deadline_at LIMIT 100`,
        now,
      );
      return rows.map(decodeTask);
    },

    async list(filter: TaskFilter = {}): Promise<Task[]> {
      const where: string[] = [];
      const values: Value[] = [];
      if (filter.states) {
        where.push(`state IN (${filter.states.map(() => '?').join(', ')})`);
        values.push(...filter.states);
      }
      if (filter.queue !== undefined) {
        where.push('queue = ?');
        values.push(filter.queue);
      }
      if (filter.role !== undefined) {
        where.push('role = ?');
        values.push(filter.role);
      }
      if (filter.parentId !== undefined) {
        where.push('parent_id = ?');
        values.push(filter.parentId);
      }
      if (filter.from !== undefined) {
        where.push('meta LIKE ?');
        values.push(`%"from":${JSON.stringify(filter.from)}%`);
      }
      const rows = await query.all(
        `SELECT * FROM tasks ${where.length > 0 ? `WHERE ${where.join(' AND ')}` : ''} ORDER BY updated_at DESC, id LIMIT ?`,
        ...values,
        filter.limit ?? 100,
      );
      // Other texts than the one meant may hold the same words.
      return rows.map(decodeTask).filter((task) => !filter.from || task.meta.envelope?.from === filter.from);
    },
  };
}
