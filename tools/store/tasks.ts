/**
 * Tasks: the row that says what is to be done and in which state it is. Every change of state goes through `move`,
 * which checks the transition and appends the event; nothing else writes the state column.
 */
import { AppError } from '../errors.ts';
import type { TaskEnvelope } from '../queues/envelope.ts';
import { appendEvent } from './events.ts';
import type { Query } from './sql.ts';
import { assertTransition, type State } from './states.ts';
import { columnOf, columns, decodeTask, encode } from './task-row.ts';

/** What the next attempt is about; kept until an attempt has settled it. */
export type Turn =
  | { kind: 'start' }
  | { kind: 'message'; from: 'answer' | 'follow_up'; text: string }
  | { kind: 'decision'; decision: 'approve' | 'reject'; rules: string[]; text: string };

/** Facts that no statement selects by. */
export interface TaskMeta {
  maxAttempts?: number;
  /** Attempts of this round that ended because their worker was gone. */
  crashes?: number;
  /** The one retry that `no_evidence` gets has been used in this round. */
  evidenceRetried?: boolean;
  /** Answers and follow-ups taken so far. */
  rounds?: number;
  /** Rules that a human must decide on before the task can go on. */
  asked?: string[];
  /** `contentHash` of the task when it was asked: an approval of an older text does not count. */
  askedHash?: string;
  /** Who submitted it, over which channel. */
  submittedBy?: string;
  recurring?: boolean;
  /** What the task had cost when this round began: each round has the whole budget. */
  costAtRound?: number;
  budgetUsd?: number;
  /** From when the role's deadline counts, epoch ms. */
  deadlineBase?: number;
  /** The message by which an agent or a person delegated it, as it came; absent: it comes from a to-do list. */
  envelope?: TaskEnvelope;
  /** It was cancelled where it was asked for: what others say about it comes too late. */
  withdrawn?: boolean;
  /** How many tasks asked for each other before this one. */
  depth?: number;
  /** What its last finished attempt left under the artifact root. */
  result?: {
    ref: string;
    manifestSha256: string;
    summary: string;
    /** Manifests of other machines that were told of as well: what lies there is one of them. */
    orElse?: string[];
  };
  /** A command that publishes the result right now: nobody else may, until then (epoch ms). */
  publishing?: { by: string; until: number };
}

/** `availableAt` of a task that a broker holds: it is nobody's here until the broker hands it over. */
export const withBroker = 9_000_000_000_000_000;

export interface Task {
  id: string;
  queue: string;
  nativeId: string;
  role: string;
  title: string;
  description: string;
  /** 1 most urgent … 4. */
  priority: number;
  /** Epoch ms; `noDue` when it has none. */
  dueAt: number;
  position: number;
  /** Rank by waiting time and priority: smaller runs first, so that nothing starves. */
  ordinal: number;
  state: State;
  /** 0: ready now; otherwise epoch ms. */
  availableAt: number;
  createdAt: number;
  enqueuedAt: number;
  updatedAt: number;
  deadlineAt: number | null;
  round: number;
  /** Attempts of this round that count against the role's `attempts`. */
  failures: number;
  turn: Turn;
  attemptId: string | null;
  workerId: string | null;
  leaseUntil: number | null;
  sessionId: string | null;
  sessionCost: number;
  sessionUsable: boolean;
  cost: number;
  /** Why it is in this state, one sentence. */
  note: string | null;
  failureKind: string | null;
  /** The occurrence of a recurring task that was taken last. */
  occurrence: string | null;
  contentHash: string;
  submitKey: string | null;
  /** The task that asked for this one. */
  parentId: string | null;
  meta: TaskMeta;
}

export const noDue = 9_000_000_000_000_000;
const dayMs = 24 * 3_600_000;

/** A day of waiting lifts a task by one priority. */
export function ordinalOf(priority: number, enqueuedAt: number): number {
  return Math.floor(enqueuedAt / dayMs) + priority;
}

export type TaskPatch = Partial<Omit<Task, 'id' | 'state'>>;

export function tasksOf(query: Query) {
  const get = async (id: string): Promise<Task | undefined> => {
    const rows = await query.all('SELECT * FROM tasks WHERE id = ?', id);
    return rows[0] && decodeTask(rows[0]);
  };

  /** Yields false when there is no such task (in that state). */
  const write = async (id: string, patch: Partial<Task>, state?: State): Promise<boolean> => {
    const keys = Object.keys(patch) as (keyof Task)[];
    const assignments = keys.map((key) => `${columnOf.get(key)} = ?`).join(', ');
    const values = keys.map((key) => encode(patch[key] as Task[keyof Task]));
    const inState = state === undefined ? [] : [state];
    const where = state === undefined ? 'id = ?' : 'id = ? AND state = ?';
    return (
      (await query.run(`UPDATE tasks SET ${assignments} WHERE ${where}`, ...values, id, ...inState)) === 1
    );
  };

  const ready = async (
    lock: Query['skipLocked'],
    role: string,
    queues: readonly string[],
    except: readonly string[],
  ): Promise<Task | undefined> => {
    const rows = await query.all(
      `SELECT * FROM tasks WHERE role = ? AND state = 'queued' AND available_at = 0
       AND queue IN (${queues.map(() => '?').join(', ')})
       ${except.length === 0 ? '' : `AND id NOT IN (${except.map(() => '?').join(', ')})`}
       AND NOT EXISTS (SELECT 1 FROM attempts WHERE attempts.task_id = tasks.id AND attempts.ended_at IS NULL)
       ORDER BY ordinal, priority, due_at, position, id LIMIT 1${lock}`,
      role,
      ...queues,
      ...except,
    );
    return rows[0] && decodeTask(rows[0]);
  };

  return {
    get,

    async byNativeId(queue: string, nativeId: string): Promise<Task | undefined> {
      const rows = await query.all('SELECT * FROM tasks WHERE queue = ? AND native_id = ?', queue, nativeId);
      return rows[0] && decodeTask(rows[0]);
    },

    async bySubmitKey(key: string): Promise<Task | undefined> {
      const rows = await query.all('SELECT * FROM tasks WHERE submit_key = ?', key);
      return rows[0] && decodeTask(rows[0]);
    },

    async insert(task: Task, at: number): Promise<void> {
      const names = columns.map(([, column]) => column).join(', ');
      const marks = columns.map(() => '?').join(', ');
      await query.run(
        `INSERT INTO tasks (${names}) VALUES (${marks})`,
        ...columns.map(([key]) => encode(task[key])),
      );
      await appendEvent(query, {
        taskId: task.id,
        attemptId: null,
        at,
        type: task.state,
        data: { note: task.note },
      });
    },

    /** Changes facts, never the state. */
    async patch(id: string, patch: TaskPatch, at: number): Promise<void> {
      if (await write(id, { ...patch, updatedAt: at })) return;
      throw new AppError('NOT_FOUND', `expected task ${id} in the store`);
    },

    /** The only way to change the state. Throws ILLEGAL_TRANSITION, also when `task` shows a state it has left. */
    async move(task: Task, to: State, patch: TaskPatch, at: number): Promise<void> {
      assertTransition(task.id, task.state, to);
      const released = to === 'running' ? {} : { attemptId: null, workerId: null, leaseUntil: null };
      const moved = await write(task.id, { ...released, ...patch, state: to, updatedAt: at }, task.state);
      if (!moved)
        throw new AppError(
          'ILLEGAL_TRANSITION',
          `expected task ${task.id} to be ${task.state}, got: another state`,
        );
      await appendEvent(query, {
        taskId: task.id,
        attemptId: patch.attemptId ?? task.attemptId,
        at,
        type: to,
        data: { from: task.state, note: patch.note ?? null },
      });
    },

    /**
     * The first ready task of the role from these queues. One whose last attempt has not ended yet (its agent is still
     * being stopped) is not ready: two of them must never live at once. `except` are ids that were looked at before.
     * In a claim it is locked, and passed over where another claim has locked it.
     */
    firstReady: (
      role: string,
      queues: readonly string[],
      except: readonly string[] = [],
    ): Promise<Task | undefined> => ready(query.skipLocked, role, queues, except),

    /** The same, only looked at: it may be another's a moment later. */
    peekReady: (role: string, queues: readonly string[]): Promise<Task | undefined> =>
      ready('', role, queues, []),

    /** Delayed tasks whose time has come become ready. Yields how many. */
    promote: (now: number): Promise<number> =>
      query.run(
        `UPDATE tasks SET available_at = 0 WHERE state = 'queued' AND available_at > 0 AND available_at <= ?`,
        now,
      ),

    async running(workerId?: string): Promise<Task[]> {
      const rows =
        workerId === undefined
          ? await query.all(`SELECT * FROM tasks WHERE state = 'running'`)
          : await query.all(`SELECT * FROM tasks WHERE state = 'running' AND worker_id = ?`, workerId);
      return rows.map(decodeTask);
    },
  };
}
