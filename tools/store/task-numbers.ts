/** Tasks in numbers, for `agentq stats`, `why` and the live view. */
import type { Query } from './sql.ts';
import type { State } from './states.ts';
import type { Task } from './tasks.ts';

export function taskNumbersOf(query: Query) {
  return {
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
