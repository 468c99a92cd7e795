/** What the fixture agent wrote down, and what the store holds of it: together they tell a run that should not be. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { workerMarker } from '../../tools/agents/agent.ts';
import { markedProcesses } from '../../tools/agents/processes.ts';
import type { Attempt } from '../../tools/store/attempts.ts';
import type { StoredReport } from '../../tools/store/reports.ts';
import { openStore } from '../../tools/store/store.ts';
import type { Task } from '../../tools/store/tasks.ts';
import type { Site } from './worker-process.ts';

export interface AgentRun {
  taskId: string;
  attempt: number;
  attemptId: string;
  workerId: string;
  pid: number;
}

export function runsIn(site: Site): AgentRun[] {
  return linesOf(join(site.book, 'runs.jsonl')) as AgentRun[];
}

/** Runs that began while another of the same task was alive. */
export function overlapsIn(site: Site): unknown[] {
  return linesOf(join(site.book, 'overlaps.jsonl'));
}

/** A run that was killed may have left half a line at the end. */
function linesOf(file: string): unknown[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => JSON.parse(line) as unknown);
}

export interface StoredTask {
  task: Task;
  attempts: Attempt[];
  reports: StoredReport[];
}

/** All that the store holds, read by itself: nobody may be in the middle of writing it. */
export async function readStore(site: Site): Promise<StoredTask[]> {
  const store = await openStore(site.dataDir);
  try {
    return await store.read(async ({ tasks, attempts, reports }) => {
      const all = await tasks.list({ limit: 100_000 });
      return Promise.all(
        all.map(async (task) => ({
          task,
          attempts: await attempts.list(task.id),
          reports: await reports.list(task.id),
        })),
      );
    });
  } finally {
    await store.close();
  }
}

/** Results that settle a round: after one of these the agent has nothing more to do in it. */
export const settling: readonly (string | null)[] = ['done', 'needs_review', 'needs_input'];

/** Runs of the agent that should not have been: of a round that was settled, twice of one attempt, or of none. */
export function needlessRuns(stored: readonly StoredTask[], runs: readonly AgentRun[]): AgentRun[] {
  const byId = new Map(
    stored.flatMap(({ attempts }) => attempts).map((attempt) => [attempt.id, attempt] as const),
  );
  const seen = new Set<string>();
  return runs.filter((run) => {
    const attempt = byId.get(run.attemptId);
    const again = seen.has(run.attemptId);
    seen.add(run.attemptId);
    if (!attempt || again) return true;
    const round = [...byId.values()].filter(
      (other) => other.taskId === attempt.taskId && other.round === attempt.round,
    );
    return round.some((other) => other.number < attempt.number && settling.includes(other.result));
  });
}

/** Processes that carry the mark of one of these workers, once they have had `patienceMs` to go. */
export async function leftProcesses(workerIds: Iterable<string>, patienceMs = 8000): Promise<number[]> {
  const end = Date.now() + patienceMs;
  const ids = new Set(workerIds);
  for (;;) {
    const left = (await Promise.all([...ids].map((id) => markedProcesses(workerMarker, id)))).flat();
    if (left.length === 0 || Date.now() > end) return left;
    await sleep(50);
  }
}
