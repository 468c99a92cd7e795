/** Tasks, looked at: by reference, by filter, and in numbers. Nothing here changes anything. */
import type { Query, Value } from './sql.ts';
import type { State } from './states.ts';
import { decodeTask, type Task } from './tasks.ts';

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

    /** Tasks that a broker has handed over and that nobody runs yet, by role. */
    async handedOver(): Promise<{ role: string; count: number }[]> {
      const rows = await query.all(
        `SELECT role, COUNT(*) AS count FROM tasks WHERE state = 'queued' AND queue = 'rabbitmq'
         AND available_at < 9000000000000000 GROUP BY role`,
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

    /** Ready tasks of the same role that rank before this one. */
    async ahead(task: Task): Promise<number> {
      const rows = await query.all(
        `SELECT COUNT(*) AS count FROM tasks WHERE role = ? AND state = 'queued' AND available_at = 0
         AND (ordinal, priority, due_at, position, id) < (?, ?, ?, ?, ?)`,
        task.role,
        task.ordinal,
        task.priority,
        task.dueAt,
        task.position,
        task.id,
      );
      return Number(rows[0]?.['count'] ?? 0);
    },

    /** Ms from enqueueing to the first start and to the end, of rounds that began since `since`. */
    async timings(since: number): Promise<{ startedMs: number; endedMs: number | null }[]> {
      const rows = await query.all(
        `SELECT t.enqueued_at AS enqueued, t.state AS state, t.updated_at AS updated, MIN(a.started_at) AS started
         FROM tasks t JOIN attempts a ON a.task_id = t.id AND a.round = t.round
         WHERE a.started_at >= ? GROUP BY t.id, t.enqueued_at, t.state, t.updated_at`,
        since,
      );
      return rows.map((row) => ({
        startedMs: Math.max(0, Number(row['started']) - Number(row['enqueued'])),
        endedMs: row['state'] === 'completed' ? Number(row['updated']) - Number(row['enqueued']) : null,
      }));
    },

    async missedDeadlines(since: number): Promise<number> {
      const rows = await query.all(
        `SELECT COUNT(*) AS count FROM tasks WHERE state = 'failed' AND failure_kind = 'deadline' AND updated_at >= ?`,
        since,
      );
      return Number(rows[0]?.['count'] ?? 0);
    },

    /** Number of tasks by role and state. */
    async counts(): Promise<
      { role: string; queue: string; state: State; ready: number; count: number; oldest: number }[]
    > {
      const rows = await query.all(
        `SELECT role, queue, state, COUNT(*) AS count, MIN(enqueued_at) AS oldest,
         SUM(CASE WHEN available_at = 0 THEN 1 ELSE 0 END) AS ready FROM tasks GROUP BY role, queue, state`,
      );
      return rows.map((row) => ({
        role: String(row['role']),
        queue: String(row['queue']),
        state: String(row['state']) as State,
        ready: Number(row['ready']),
        count: Number(row['count']),
        oldest: Number(row['oldest']),
      }));
    },
  };
}
