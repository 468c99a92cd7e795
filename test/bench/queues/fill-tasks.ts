/** A long backlog, written by the database itself: a million rows through the product's code would take minutes. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Client } from 'pg';
import { storeFile } from '../../../tools/store/store.ts';
import { role, type OurPlace } from './our-worker.ts';

/** Rows as `freshTask` makes them; both databases run the same text. They come before whatever is submitted later. */
function statement(count: number, now: number): string {
  return `INSERT INTO tasks (id, queue, native_id, role, title, description, priority, due_at, position, ordinal, state,
    available_at, created_at, enqueued_at, updated_at, round, failures, turn, session_cost, session_usable, cost,
    content_hash, meta)
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})
    SELECT 'backlog-' || i, 'local', 'backlog-' || i, '${role.name}', 'Waits', '', 3, 9000000000000000, i, 0, 'queued',
    0, ${now}, ${now}, ${now}, 1, 0, '{"kind":"start"}', 0, 0, 0, 'none', '{}' FROM n`;
}

export async function fillTasks(place: OurPlace, url: string | undefined, count: number): Promise<void> {
  const text = statement(count, place.store.now());
  if (url === undefined) {
    using database = new DatabaseSync(join(place.folder, 'data', storeFile));
    database.exec(`PRAGMA synchronous = OFF; ${text}; PRAGMA wal_checkpoint(TRUNCATE)`);
    return;
  }
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(text);
    await client.query('VACUUM ANALYZE tasks');
    // Not later, while something is measured.
    await client.query('CHECKPOINT');
  } finally {
    await client.end();
  }
}
