/** `agentq workers`: who works on this store, agent-workers and shells alike. */
import type { Task } from '../../store/tasks.ts';
import type { WorkerRow } from '../../store/workers.ts';
import { duration } from '../../worker/messages.ts';
import { isGone } from '../../worker/reconcile.ts';
import { shown } from '../render-worker.ts';
import { print, printJson, withStore, type Output } from '../session.ts';
import { iso } from '../task-view.ts';

interface Seen {
  row: WorkerRow;
  kind: 'agent-worker' | 'shell';
  alive: boolean;
  running: Task[];
}

export async function workers(options: Output): Promise<void> {
  await withStore({ create: false }, async ({ store, now }) => {
    const { rows, tasks } = await store.read(async (tables) => ({
      rows: await tables.workers.list(),
      tasks: await tables.tasks.running(),
    }));
    const seen = rows.map((row): Seen => ({
      row,
      kind: row.bootId === '' ? 'shell' : 'agent-worker',
      alive: !isGone(row, now),
      running: tasks.filter((task) => task.workerId === row.id),
    }));
    if (options.json) printJson({ workers: seen.map((each) => workerJson(each, now)) });
    else if (options.quiet) rows.forEach((row) => print(row.id));
    else print(seen.length === 0 ? 'no workers' : seen.flatMap((each) => workerLines(each, now)));
  });
}

function workerJson({ row, kind, alive, running }: Seen, now: number): Record<string, unknown> {
  return {
    id: row.id,
    kind,
    host: row.host,
    pid: row.pid,
    serves: row.serves,
    alive,
    started_at: iso(row.startedAt),
    seen_seconds_ago: Math.max(0, Math.round((now - row.seenAt) / 1000)),
    running: running.map((task) => task.id),
  };
}

function workerLines({ row, kind, alive, running }: Seen, now: number): string[] {
  const seen = `${alive ? 'alive' : 'gone'}, seen ${duration(now - row.seenAt)} ago`;
  return [
    `${kind.padEnd(12)}  ${shown(row.host, 60)}/${row.pid}  ${seen}  serves ${row.serves.join(', ') || 'nobody'}`,
    ...running.map((task) => `    ${task.id}  ${task.role}  ${shown(task.title)}`),
  ];
}
