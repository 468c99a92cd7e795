/**
 * Reports (the outbox): what a queue is still to be told. Written in the transaction that makes them true, with the
 * uuid of the write, and taken off only when the queue has them. `id` is derived from what is reported, so saying it
 * twice is one report.
 */
import { randomUUID } from 'node:crypto';
import type { ReportBody } from '../queues/queue.ts';
import type { Query, Row } from './sql.ts';

export interface StoredReport {
  seq: number;
  id: string;
  taskId: string;
  attemptId: string | null;
  queue: string;
  uuid: string;
  body: ReportBody;
  /** The write as it was sent, or null: never sent. */
  command: unknown;
  /** `dropped`: the task is gone or the queue refused it; `problem` says why. */
  state: 'pending' | 'sent' | 'dropped';
  tries: number;
  nextAt: number;
  /** Id of the comment it became. */
  nativeId: string | null;
  problem: string | null;
  createdAt: number;
  sentAt: number | null;
}

export interface NewReport {
  id: string;
  taskId: string;
  attemptId: string | null;
  queue: string;
  body: ReportBody;
}

export function reportsOf(query: Query) {
  const put = async (report: NewReport, at: number, sentAt: number | null): Promise<boolean> => {
    const added = await query.run(
      `INSERT INTO reports (id, task_id, attempt_id, queue, uuid, body, state, tries, next_at, created_at, sent_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, ?, ?) ON CONFLICT (id) DO NOTHING`,
      report.id,
      report.taskId,
      report.attemptId,
      report.queue,
      randomUUID(),
      JSON.stringify(report.body),
      sentAt === null ? 'pending' : 'sent',
      at,
      sentAt,
    );
    return added === 1;
  };

  return {
    /** Idempotent by id. */
    add: async (report: NewReport, at: number): Promise<void> => void (await put(report, at, null)),

    /** A report that needs no delivery. Yields false when it was there already. */
    addSent: (report: NewReport, at: number): Promise<boolean> => put(report, at, at),

    async get(id: string): Promise<StoredReport | undefined> {
      const rows = await query.all('SELECT * FROM reports WHERE id = ?', id);
      return rows[0] && decode(rows[0]);
    },

    /** Oldest first; at most one per task, so that what is told stays in order. */
    async due(queue: string, now: number, limit = 20): Promise<StoredReport[]> {
      const rows = await query.all(
        `SELECT r.* FROM reports r WHERE r.queue = ? AND r.state = 'pending' AND r.next_at <= ? AND NOT EXISTS (
           SELECT 1 FROM reports earlier WHERE earlier.task_id = r.task_id AND earlier.state = 'pending' AND earlier.seq < r.seq)
         ORDER BY r.seq LIMIT ?`,
        queue,
        now,
        limit,
      );
      return rows.map(decode);
    },

    async pending(queue?: string): Promise<number> {
      const rows =
        queue === undefined
          ? await query.all(`SELECT COUNT(*) AS count FROM reports WHERE state = 'pending'`)
          : await query.all(
              `SELECT COUNT(*) AS count FROM reports WHERE state = 'pending' AND queue = ?`,
              queue,
            );
      return Number(rows[0]?.['count'] ?? 0);
    },

    async pendingFor(taskId: string): Promise<StoredReport[]> {
      const rows = await query.all(
        `SELECT * FROM reports WHERE task_id = ? AND state = 'pending' ORDER BY seq`,
        taskId,
      );
      return rows.map(decode);
    },

    async saveCommand(id: string, command: unknown): Promise<void> {
      await query.run(
        `UPDATE reports SET command = ?, tries = tries + 1 WHERE id = ?`,
        JSON.stringify(command),
        id,
      );
    },

    async sent(id: string, nativeId: string | undefined, at: number): Promise<void> {
      await query.run(
        `UPDATE reports SET state = 'sent', native_id = ?, sent_at = ? WHERE id = ?`,
        nativeId ?? null,
        at,
        id,
      );
    },

    /** Tells it once more, to somebody who can bear to hear it twice. */
    async repeat(id: string): Promise<void> {
      await query.run(
        `UPDATE reports SET state = 'pending', next_at = 0 WHERE id = ? AND state = 'sent'`,
        id,
      );
    },

    async postpone(id: string, nextAt: number, problem: string): Promise<void> {
      await query.run('UPDATE reports SET next_at = ?, problem = ? WHERE id = ?', nextAt, problem, id);
    },

    async drop(id: string, problem: string): Promise<void> {
      await query.run(`UPDATE reports SET state = 'dropped', problem = ? WHERE id = ?`, problem, id);
    },

    /** A report that was never sent is obsolete once its task is gone or has moved on. */
    async dropUnsent(taskId: string, problem: string): Promise<number> {
      return query.run(
        `UPDATE reports SET state = 'dropped', problem = ? WHERE task_id = ? AND state = 'pending'`,
        problem,
        taskId,
      );
    },

    async list(taskId: string): Promise<StoredReport[]> {
      const rows = await query.all('SELECT * FROM reports WHERE task_id = ? ORDER BY seq', taskId);
      return rows.map(decode);
    },

    /** Is this comment one of ours? */
    async isOurs(queue: string, nativeId: string): Promise<boolean> {
      const rows = await query.all(
        'SELECT 1 AS one FROM reports WHERE queue = ? AND native_id = ?',
        queue,
        nativeId,
      );
      return rows.length > 0;
    },
  };
}

function decode(row: Row): StoredReport {
  return {
    seq: Number(row['seq']),
    id: String(row['id']),
    taskId: String(row['task_id']),
    attemptId: row['attempt_id'] as string | null,
    queue: String(row['queue']),
    uuid: String(row['uuid']),
    body: JSON.parse(String(row['body'])) as ReportBody,
    command:
      row['command'] === null || row['command'] === undefined ? null : JSON.parse(String(row['command'])),
    state: String(row['state']) as StoredReport['state'],
    tries: Number(row['tries']),
    nextAt: Number(row['next_at']),
    nativeId: row['native_id'] as string | null,
    problem: row['problem'] as string | null,
    createdAt: Number(row['created_at']),
    sentAt: row['sent_at'] === null || row['sent_at'] === undefined ? null : Number(row['sent_at']),
  };
}
