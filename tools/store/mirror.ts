/**
 * What a queue last showed us: its items, their human comments, and the cursor up to which we have read. Kept so
 * that a poll need only ask for what has changed, and so that a change can be told from what was there before.
 */
import type { TaskSnapshot } from '../queues/queue.ts';
import type { Query, Row } from './sql.ts';

export interface Comment {
  queue: string;
  nativeId: string;
  taskNativeId: string;
  author: 'human' | 'worker';
  text: string;
  attachment: string | null;
  postedAt: number;
  /** True: an attempt has had it in its prompt, or it needs no attempt. */
  used: boolean;
}

export function mirrorOf(query: Query) {
  return {
    async cursor(queue: string): Promise<string | undefined> {
      const rows = await query.all('SELECT value FROM cursors WHERE queue = ?', queue);
      return rows[0] === undefined ? undefined : String(rows[0]['value']);
    },

    async saveCursor(queue: string, value: string, at: number): Promise<void> {
      await query.run(
        `INSERT INTO cursors (queue, value, at) VALUES (?, ?, ?)
         ON CONFLICT (queue) DO UPDATE SET value = excluded.value, at = excluded.at`,
        queue,
        value,
        at,
      );
    },

    async item(queue: string, nativeId: string): Promise<TaskSnapshot | undefined> {
      const rows = await query.all(
        'SELECT snapshot FROM items WHERE queue = ? AND native_id = ?',
        queue,
        nativeId,
      );
      return rows[0] && (JSON.parse(String(rows[0]['snapshot'])) as TaskSnapshot);
    },

    async items(queue: string): Promise<TaskSnapshot[]> {
      const rows = await query.all('SELECT snapshot FROM items WHERE queue = ?', queue);
      return rows.map((row) => JSON.parse(String(row['snapshot'])) as TaskSnapshot);
    },

    async itemIds(queue: string): Promise<string[]> {
      const rows = await query.all('SELECT native_id FROM items WHERE queue = ?', queue);
      return rows.map((row) => String(row['native_id']));
    },

    async children(queue: string, parentId: string): Promise<TaskSnapshot[]> {
      const rows = await query.all(
        'SELECT snapshot FROM items WHERE queue = ? AND parent_id = ?',
        queue,
        parentId,
      );
      return rows
        .map((row) => JSON.parse(String(row['snapshot'])) as TaskSnapshot)
        .sort((a, b) => a.position - b.position);
    },

    async saveItem(queue: string, item: TaskSnapshot): Promise<void> {
      await query.run(
        `INSERT INTO items (queue, native_id, project_id, parent_id, snapshot) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (queue, native_id) DO UPDATE SET project_id = excluded.project_id,
         parent_id = excluded.parent_id, snapshot = excluded.snapshot`,
        queue,
        item.nativeId,
        item.projectId,
        item.parentId ?? null,
        JSON.stringify(item),
      );
    },

    async removeItem(queue: string, nativeId: string): Promise<void> {
      await query.run('DELETE FROM items WHERE queue = ? AND native_id = ?', queue, nativeId);
    },

    async comment(queue: string, nativeId: string): Promise<Comment | undefined> {
      const rows = await query.all(
        'SELECT * FROM comments WHERE queue = ? AND native_id = ?',
        queue,
        nativeId,
      );
      return rows[0] && decode(rows[0]);
    },

    async saveComment(comment: Comment): Promise<void> {
      await query.run(
        `INSERT INTO comments (queue, native_id, task_native_id, author, text, attachment, posted_at, used)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (queue, native_id) DO UPDATE SET text = excluded.text,
         author = excluded.author, attachment = excluded.attachment, 
         posted_at = CASE WHEN excluded.author = 'worker' THEN excluded.posted_at ELSE comments.posted_at END,
         used = excluded.used`,
        comment.queue,
        comment.nativeId,
        comment.taskNativeId,
        comment.author,
        comment.text,
        comment.attachment,
        comment.postedAt,
        comment.used ? 1 : 0,
      );
    },

    async removeComment(queue: string, nativeId: string): Promise<void> {
      await query.run('DELETE FROM comments WHERE queue = ? AND native_id = ?', queue, nativeId);
    },

    async comments(queue: string, taskNativeId: string): Promise<Comment[]> {
      const rows = await query.all(
        'SELECT * FROM comments WHERE queue = ? AND task_native_id = ? ORDER BY posted_at, native_id',
        queue,
        taskNativeId,
      );
      return rows.map(decode);
    },

    /** They have been heard: they ask for nothing any more. */
    async useComments(queue: string, nativeIds: readonly string[]): Promise<void> {
      for (const nativeId of nativeIds)
        await query.run('UPDATE comments SET used = 1 WHERE queue = ? AND native_id = ?', queue, nativeId);
    },
  };
}

function decode(row: Row): Comment {
  return {
    queue: String(row['queue']),
    nativeId: String(row['native_id']),
    taskNativeId: String(row['task_native_id']),
    author: String(row['author']) as Comment['author'],
    text: String(row['text']),
    attachment: row['attachment'] as string | null,
    postedAt: Number(row['posted_at']),
    used: Number(row['used']) === 1,
  };
}
