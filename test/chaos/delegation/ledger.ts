/**
 * The ledger: what agents really did, written down by themselves as they do it, one line each, appended so that no kill
 * can take it back. It is judged against what the stores say. Times are of the machine's monotonic clock, which all
 * processes share.
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';

/** `end` is the effect; `dropped`: the worker ended the run before it. */
export type What = 'start' | 'end' | 'dropped';

export interface Line {
  what: What;
  taskId: string;
  attemptId: string;
  /** 1-based, as its store counts. */
  attempt: number;
  workerId: string;
  /** Monotonic, ms. */
  at: number;
}

/** One start and what became of it. */
export interface Run extends Omit<Line, 'what'> {
  endedAt: number | undefined;
  how: 'end' | 'dropped' | undefined;
}

export function clock(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}

export function write(file: string, line: Omit<Line, 'at'>): void {
  appendFileSync(file, `${JSON.stringify({ ...line, at: clock() })}\n`);
}

/** A writer that was killed may have left half a line. */
export function readLines(file: string): Line[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => JSON.parse(line) as Line);
}

/** In the order in which they began. */
export function runsIn(lines: readonly Line[]): Run[] {
  const runs = new Map<string, Run>();
  const again: Run[] = [];
  for (const { what, ...line } of lines) {
    const known = runs.get(line.attemptId);
    if (what === 'start') {
      const run: Run = { ...line, endedAt: undefined, how: undefined };
      if (known) again.push(run);
      else runs.set(line.attemptId, run);
    } else if (known) Object.assign(known, { endedAt: line.at, how: what });
  }
  return [...runs.values(), ...again].sort((one, two) => one.at - two.at);
}

export function byTask(runs: readonly Run[]): Map<string, Run[]> {
  const tasks = new Map<string, Run[]>();
  for (const run of runs) tasks.set(run.taskId, [...(tasks.get(run.taskId) ?? []), run]);
  return tasks;
}
