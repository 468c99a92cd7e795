/** Attempts: one run of the agent each. A row is written before the process starts and finished exactly once. */
import type { Denial } from '../agents/outcome.ts';
import type { Query, Row, Value } from './sql.ts';

export interface Artifact {
  /** Relative to the workspace where it lies inside, otherwise absolute. */
  path: string;
  size: number;
  sha256: string;
}

export interface Attempt {
  id: string;
  taskId: string;
  /** 1-based over the whole life of the task. */
  number: number;
  round: number;
  workerId: string;
  agent: string;
  sessionId: string;
  resumed: boolean;
  pid: number | null;
  pidStart: string | null;
  /** null while it runs; `done`, `needs_review`, `needs_input`, `failed`, `parked` or `cancelled`. */
  result: string | null;
  failureKind: string | null;
  failureCode: string | null;
  message: string | null;
  /** True: it counts against the role's `attempts`. */
  spent: boolean;
  cost: number;
  /** The cap the agent was given, US dollars. */
  budget: number | null;
  turns: number | null;
  denials: Denial[];
  artifacts: Artifact[];
  startedAt: number;
  endedAt: number | null;
}

export type AttemptEnd = Pick<
  Attempt,
  | 'result'
  | 'failureKind'
  | 'failureCode'
  | 'message'
  | 'spent'
  | 'cost'
  | 'turns'
  | 'denials'
  | 'artifacts'
  | 'endedAt'
>;

export type NewAttempt = Pick<
  Attempt,
  'id' | 'taskId' | 'round' | 'workerId' | 'agent' | 'sessionId' | 'resumed' | 'startedAt' | 'budget'
>;

export function attemptsOf(query: Query) {
  const select = async (where: string, ...values: Value[]): Promise<Attempt[]> =>
    (await query.all(`SELECT * FROM attempts WHERE ${where}`, ...values)).map(decode);

  return {
    /** Yields the attempt's number. */
    async start(attempt: NewAttempt): Promise<number> {
      const rows = await query.all(
        'SELECT COALESCE(MAX(number), 0) + 1 AS number FROM attempts WHERE task_id = ?',
        attempt.taskId,
      );
      const number = Number(rows[0]?.['number'] ?? 1);
      await query.run(
        `INSERT INTO attempts (id, task_id, number, round, worker_id, agent, session_id, resumed, spent, cost, budget, denials,
         artifacts, started_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, 0, ?, '[]', '[]', ?)`,
        attempt.id,
        attempt.taskId,
        number,
        attempt.round,
        attempt.workerId,
        attempt.agent,
        attempt.sessionId,
        attempt.resumed ? 1 : 0,
        attempt.budget,
        attempt.startedAt,
      );
      return number;
    },

    async process(id: string, pid: number, pidStart: string): Promise<void> {
      await query.run('UPDATE attempts SET pid = ?, pid_start = ? WHERE id = ?', pid, pidStart, id);
    },

    async cost(id: string, usd: number): Promise<void> {
      await query.run('UPDATE attempts SET cost = ? WHERE id = ? AND ended_at IS NULL', usd, id);
    },

    /** Attempts that have not ended, whatever became of their tasks. */
    open: (): Promise<Attempt[]> => select('ended_at IS NULL ORDER BY started_at'),

    /** Ends an attempt that has not ended; what it was seen to cost is never lowered. Yields false when it already had: nothing was changed. */
    async finish(id: string, end: AttemptEnd): Promise<boolean> {
      const changed = await query.run(
        `UPDATE attempts SET result = ?, failure_kind = ?, failure_code = ?, message = ?, spent = ?,
         cost = CASE WHEN cost > ? THEN cost ELSE ? END, turns = ?,
         denials = ?, artifacts = ?, ended_at = ? WHERE id = ? AND ended_at IS NULL`,
        end.result,
        end.failureKind,
        end.failureCode,
        end.message,
        end.spent ? 1 : 0,
        end.cost,
        end.cost,
        end.turns,
        JSON.stringify(end.denials),
        JSON.stringify(end.artifacts),
        end.endedAt,
        id,
      );
      return changed === 1;
    },

    async get(id: string): Promise<Attempt | undefined> {
      return (await select('id = ?', id))[0];
    },

    list: (taskId: string): Promise<Attempt[]> => select('task_id = ? ORDER BY number', taskId),

    /** Started at or after `since`, newest last. */
    since: (since: number): Promise<Attempt[]> => select('started_at >= ? ORDER BY started_at', since),

    /** US dollars of all attempts started at or after `since`, by role; one that still runs counts with its whole cap. */
    async spentSince(since: number): Promise<Map<string, number>> {
      const rows = await query.all(
        `SELECT t.role AS role, SUM(CASE WHEN a.ended_at IS NULL AND a.budget > a.cost THEN a.budget ELSE a.cost END) AS cost FROM attempts a JOIN tasks t ON t.id = a.task_id
         WHERE a.started_at >= ? GROUP BY t.role`,
        since,
      );
      return new Map(rows.map((row) => [String(row['role']), Number(row['cost'])]));
    },

    /** US dollars really spent, as far as seen, by role. */
    async costByRole(since: number): Promise<Map<string, number>> {
      const rows = await query.all(
        `SELECT t.role AS role, SUM(a.cost) AS cost FROM attempts a JOIN tasks t ON t.id = a.task_id
         WHERE a.started_at >= ? GROUP BY t.role`,
        since,
      );
      return new Map(rows.map((row) => [String(row['role']), Number(row['cost'])]));
    },

    /** US dollars really spent, as far as seen, by attempts started at or after `since`. */
    async costSince(since: number): Promise<number> {
      const rows = await query.all('SELECT SUM(cost) AS cost FROM attempts WHERE started_at >= ?', since);
      return Number(rows[0]?.['cost'] ?? 0);
    },

    /** Durations in ms of the role's last attempts that ended as done, newest first. */
    async durations(role: string, limit = 20): Promise<number[]> {
      const rows = await query.all(
        `SELECT a.ended_at - a.started_at AS ms FROM attempts a JOIN tasks t ON t.id = a.task_id
         WHERE t.role = ? AND a.result = 'done' ORDER BY a.started_at DESC LIMIT ?`,
        role,
        limit,
      );
      return rows.map((row) => Number(row['ms']));
    },
  };
}

function decode(row: Row): Attempt {
  return {
    id: String(row['id']),
    taskId: String(row['task_id']),
    number: Number(row['number']),
    round: Number(row['round']),
    workerId: String(row['worker_id']),
    agent: String(row['agent']),
    sessionId: String(row['session_id']),
    resumed: Number(row['resumed']) === 1,
    pid: row['pid'] === null || row['pid'] === undefined ? null : Number(row['pid']),
    pidStart: row['pid_start'] as string | null,
    result: row['result'] as string | null,
    failureKind: row['failure_kind'] as string | null,
    failureCode: row['failure_code'] as string | null,
    message: row['message'] as string | null,
    spent: Number(row['spent']) === 1,
    cost: Number(row['cost']),
    budget: row['budget'] === null || row['budget'] === undefined ? null : Number(row['budget']),
    turns: row['turns'] === null || row['turns'] === undefined ? null : Number(row['turns']),
    denials: JSON.parse(String(row['denials'])) as Denial[],
    artifacts: JSON.parse(String(row['artifacts'])) as Artifact[],
    startedAt: Number(row['started_at']),
    endedAt: row['ended_at'] === null || row['ended_at'] === undefined ? null : Number(row['ended_at']),
  };
}
