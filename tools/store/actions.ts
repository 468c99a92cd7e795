/**
 * The action ledger: what cannot be undone is written down before it is done. A key is taken once; whoever comes
 * later gets the first result, and a key whose taker died in between is "unknown", never repeated.
 */
import type { Query, Row } from './sql.ts';

export interface Action {
  key: string;
  taskId: string | null;
  argv: string[];
  argvHash: string;
  state: 'started' | 'done';
  host: string;
  bootId: string;
  pid: number;
  pidStart: string;
  startedAt: number;
  endedAt: number | null;
  exitCode: number | null;
  stdout: string | null;
  stderr: string | null;
}

export type NewAction = Omit<Action, 'state' | 'endedAt' | 'exitCode' | 'stdout' | 'stderr'>;

export function actionsOf(query: Query) {
  return {
    /** Takes the key. Yields undefined when it is now ours, or whoever took it before. */
    async take(action: NewAction): Promise<Action | undefined> {
      const rows = await query.all('SELECT * FROM actions WHERE key = ?', action.key);
      if (rows[0]) return decode(rows[0]);
      await query.run(
        `INSERT INTO actions (key, task_id, argv, argv_hash, state, host, boot_id, pid, pid_start, started_at)
         VALUES (?, ?, ?, ?, 'started', ?, ?, ?, ?, ?)`,
        action.key,
        action.taskId,
        JSON.stringify(action.argv),
        action.argvHash,
        action.host,
        action.bootId,
        action.pid,
        action.pidStart,
        action.startedAt,
      );
      return undefined;
    },

    async get(key: string): Promise<Action | undefined> {
      const rows = await query.all('SELECT * FROM actions WHERE key = ?', key);
      return rows[0] && decode(rows[0]);
    },

    async finish(
      key: string,
      end: { endedAt: number; exitCode: number | null; stdout: string; stderr: string },
    ): Promise<void> {
      await query.run(
        `UPDATE actions SET state = 'done', ended_at = ?, exit_code = ?, stdout = ?, stderr = ? WHERE key = ?`,
        end.endedAt,
        end.exitCode,
        end.stdout,
        end.stderr,
        key,
      );
    },

    /** A person has looked and says that it was not done: the key is free again. */
    async forget(key: string): Promise<boolean> {
      return (await query.run('DELETE FROM actions WHERE key = ?', key)) > 0;
    },
  };
}

function decode(row: Row): Action {
  return {
    key: String(row['key']),
    taskId: row['task_id'] as string | null,
    argv: JSON.parse(String(row['argv'])) as string[],
    argvHash: String(row['argv_hash']),
    state: String(row['state']) as Action['state'],
    host: String(row['host']),
    bootId: String(row['boot_id']),
    pid: Number(row['pid']),
    pidStart: String(row['pid_start']),
    startedAt: Number(row['started_at']),
    endedAt: row['ended_at'] === null || row['ended_at'] === undefined ? null : Number(row['ended_at']),
    exitCode: row['exit_code'] === null || row['exit_code'] === undefined ? null : Number(row['exit_code']),
    stdout: row['stdout'] as string | null,
    stderr: row['stderr'] as string | null,
  };
}
