/** Who works on this store, what is paused, and small facts that belong to the store as a whole. */
import type { Query, Row } from './sql.ts';

export interface WorkerRow {
  id: string;
  host: string;
  /** Changes with every boot of the machine: a pid of another boot is nobody. */
  bootId: string;
  pid: number;
  pidStart: string;
  startedAt: number;
  seenAt: number;
  /** After how much silence it is given up on, where its process cannot be looked at. */
  leaseMs: number;
  /** Role names. */
  serves: string[];
}

export interface Pause {
  /** `role:<name>` or `agent:<name>` (an account). */
  scope: string;
  kind: 'usage_limit' | 'setup' | 'budget';
  message: string;
  since: number;
  /** Epoch ms; null: until a check passes. */
  until: number | null;
  tries: number;
}

export function workersOf(query: Query) {
  return {
    async register(worker: WorkerRow): Promise<void> {
      await query.run(
        `INSERT INTO workers (id, host, boot_id, pid, pid_start, started_at, seen_at, lease_ms, serves)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        worker.id,
        worker.host,
        worker.bootId,
        worker.pid,
        worker.pidStart,
        worker.startedAt,
        worker.seenAt,
        worker.leaseMs,
        JSON.stringify(worker.serves),
      );
    },

    /** Prolongs the worker's life and the leases of all its running tasks. False: the worker was given up on. */
    async heartbeat(id: string, now: number, leaseMs: number): Promise<boolean> {
      const alive = await query.run('UPDATE workers SET seen_at = ? WHERE id = ?', now, id);
      await query.run(
        `UPDATE tasks SET lease_until = ? WHERE state = 'running' AND worker_id = ?`,
        now + leaseMs,
        id,
      );
      return alive === 1;
    },

    /** The same for one that works from a shell and says each time how long it may be silent. */
    async prolong(id: string, now: number, leaseMs: number): Promise<boolean> {
      await query.run('UPDATE workers SET lease_ms = ? WHERE id = ?', leaseMs, id);
      return this.heartbeat(id, now, leaseMs);
    },

    async list(): Promise<WorkerRow[]> {
      return (await query.all('SELECT * FROM workers ORDER BY started_at')).map(decode);
    },

    async remove(id: string): Promise<void> {
      await query.run('DELETE FROM workers WHERE id = ?', id);
      await query.run('DELETE FROM leads WHERE worker_id = ?', id);
    },

    async leader(queue: string): Promise<{ workerId: string; until: number } | undefined> {
      const rows = await query.all('SELECT worker_id, until FROM leads WHERE queue = ?', queue);
      return rows[0] && { workerId: String(rows[0]['worker_id']), until: Number(rows[0]['until']) };
    },

    /** One worker at a time reads and writes a queue: takes or keeps that duty. False: another has it. */
    async lead(queue: string, id: string, now: number, leaseMs: number): Promise<boolean> {
      const rows = await query.all(
        `INSERT INTO leads (queue, worker_id, until) VALUES (?, ?, ?)
         ON CONFLICT (queue) DO UPDATE SET worker_id = excluded.worker_id, until = excluded.until
         WHERE leads.worker_id = excluded.worker_id OR leads.until < ? RETURNING worker_id`,
        queue,
        id,
        now + leaseMs,
        now,
      );
      return rows.length === 1;
    },
  };
}

export function pausesOf(query: Query) {
  return {
    async list(): Promise<Pause[]> {
      const rows = await query.all('SELECT * FROM pauses ORDER BY since');
      return rows.map((row) => ({
        scope: String(row['scope']),
        kind: String(row['kind']) as Pause['kind'],
        message: String(row['message']),
        since: Number(row['since']),
        until: row['until'] === null || row['until'] === undefined ? null : Number(row['until']),
        tries: Number(row['tries']),
      }));
    },

    async set(pause: Omit<Pause, 'tries'>): Promise<void> {
      await query.run(
        `INSERT INTO pauses (scope, kind, message, since, until, tries) VALUES (?, ?, ?, ?, ?, 1)
         ON CONFLICT (scope) DO UPDATE SET kind = excluded.kind, message = excluded.message, until = excluded.until,
         tries = pauses.tries + 1`,
        pause.scope,
        pause.kind,
        pause.message,
        pause.since,
        pause.until,
      );
    },

    /** Let the next task through now; only its success lifts the pause. */
    async release(scope: string, now: number): Promise<void> {
      await query.run('UPDATE pauses SET until = ? WHERE scope = ?', now, scope);
    },

    /** `startedAt`: only a pause that began before then; what was under way at the time proves nothing. */
    async clear(scope: string, startedAt = Number.MAX_SAFE_INTEGER): Promise<boolean> {
      return (await query.run('DELETE FROM pauses WHERE scope = ? AND since <= ?', scope, startedAt)) > 0;
    },
  };
}

export interface Grant {
  taskId: string;
  /** The permission rule that was decided on. */
  rule: string;
  /** The task's text when it was decided; an edit makes it void. */
  contentHash: string;
  decision: 'approve' | 'reject';
  decidedBy: string;
  at: number;
}

export function grantsOf(query: Query) {
  return {
    async decide(grant: Grant): Promise<void> {
      await query.run(
        `INSERT INTO grants (task_id, rule, content_hash, decision, decided_by, at) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (task_id, rule) DO UPDATE SET content_hash = excluded.content_hash, decision = excluded.decision,
         decided_by = excluded.decided_by, at = excluded.at`,
        grant.taskId,
        grant.rule,
        grant.contentHash,
        grant.decision,
        grant.decidedBy,
        grant.at,
      );
    },

    async clear(taskId: string): Promise<void> {
      await query.run('DELETE FROM grants WHERE task_id = ?', taskId);
    },

    async list(taskId: string): Promise<Grant[]> {
      const rows = await query.all('SELECT * FROM grants WHERE task_id = ? ORDER BY at, rule', taskId);
      return rows.map((row) => ({
        taskId,
        rule: String(row['rule']),
        contentHash: String(row['content_hash']),
        decision: String(row['decision']) as Grant['decision'],
        decidedBy: String(row['decided_by']),
        at: Number(row['at']),
      }));
    },
  };
}

export function settingsOf(query: Query) {
  return {
    async get(key: string): Promise<string | undefined> {
      const rows = await query.all('SELECT value FROM settings WHERE key = ?', key);
      return rows[0] === undefined ? undefined : String(rows[0]['value']);
    },
    async set(key: string, value: string): Promise<void> {
      await query.run(
        'INSERT INTO settings (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
        key,
        value,
      );
    },
  };
}

function decode(row: Row): WorkerRow {
  return {
    id: String(row['id']),
    host: String(row['host']),
    bootId: String(row['boot_id']),
    pid: Number(row['pid']),
    pidStart: String(row['pid_start']),
    startedAt: Number(row['started_at']),
    seenAt: Number(row['seen_at']),
    leaseMs: Number(row['lease_ms']),
    serves: JSON.parse(String(row['serves'])) as string[],
  };
}
