/** The history of a task, appended to and never changed. */
import type { Query, Row } from './sql.ts';

export interface TaskEvent {
  seq: number;
  taskId: string;
  attemptId: string | null;
  at: number;
  /** A state's name, or `step`, `retrying`, `attempt_started`, `attempt_ended`, `report_sent`, … */
  type: string;
  data: Record<string, unknown>;
}

export type NewEvent = Omit<TaskEvent, 'seq'>;

/** Steps of one attempt that are kept; an agent that prints without end does not fill the disk. */
export const maxStepsPerAttempt = 500;

export async function appendEvent(query: Query, event: NewEvent): Promise<void> {
  await query.run(
    'INSERT INTO events (task_id, attempt_id, at, type, data) VALUES (?, ?, ?, ?, ?)',
    event.taskId,
    event.attemptId,
    event.at,
    event.type,
    JSON.stringify(event.data),
  );
}

export function eventsOf(query: Query) {
  return {
    append: (event: NewEvent) => appendEvent(query, event),

    async list(taskId: string, after = 0, limit = 1000): Promise<TaskEvent[]> {
      const rows = await query.all(
        'SELECT * FROM events WHERE task_id = ? AND seq > ? ORDER BY seq LIMIT ?',
        taskId,
        after,
        limit,
      );
      return rows.map(decode);
    },
  };
}

function decode(row: Row): TaskEvent {
  return {
    seq: Number(row['seq']),
    taskId: String(row['task_id']),
    attemptId: row['attempt_id'] as string | null,
    at: Number(row['at']),
    type: String(row['type']),
    data: JSON.parse(String(row['data'])) as Record<string, unknown>,
  };
}
