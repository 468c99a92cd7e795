/** Why an agent was started again for a task: a run that nothing accounts for should not have been. */
import type { Life } from './fleet.ts';
import type { Run } from './ledger.ts';

export interface Rerun {
  why: 'kill' | 'freeze' | 'cut' | undefined;
  text: string;
}

export interface Circumstances {
  lives: ReadonlyMap<string, Life>;
  /** Do all workers share one store? */
  shared: boolean;
  /** When connections were cut. */
  cuts: readonly number[];
}

/** After it was woken a frozen worker needs a moment to find out that its task is another's. */
export const wakingMs = 2000;
/** A task was in its worker's hands a while before its agent began. */
const takenMs = 2000;
/** And before that it had waited at the broker: twice, where its asker had to send it again. */
const askedMs = 15_000;

/** Every run of one task but the first. */
export function rerunsOf(runs: readonly Run[], around: Circumstances): Rerun[] {
  return runs.slice(1).map((run, index) => {
    const before = runs.slice(0, index + 1);
    const why = around.shared ? whyOnOneStore(run, before, around) : whyApart(run, before, around);
    return { why, text: `${run.taskId}: run ${index + 2}, though nothing had happened to the one before` };
  });
}

/** Something has happened to the very run before it: one more start for each death at most. */
function whyOnOneStore(run: Run, before: readonly Run[], { lives }: Circumstances): Rerun['why'] {
  const last = before.at(-1);
  if (last && wasKilled(last, run, lives)) return 'kill';
  return (last && wasFrozen(last, run, lives)) || wasFrozen(run, run, lives) ? 'freeze' : undefined;
}

/**
 * Machines of their own do not know of each other: what one had taken when it died or was cut off is handed to another,
 * and done by both when the first is back before the result is there.
 */
function whyApart(run: Run, before: readonly Run[], { lives, cuts }: Circumstances): Rerun['why'] {
  const since = (before[0]?.at ?? 0) - takenMs;
  if (before.some((earlier) => wasKilled(earlier, run, lives)) || isHeir(run, since, lives)) return 'kill';
  return cuts.some((at) => at >= since - askedMs && at <= run.at) ? 'cut' : undefined;
}

function wasKilled(one: Run, next: Run, lives: Circumstances['lives']): boolean {
  const killedAt = lives.get(one.workerId)?.killedAt;
  return killedAt !== undefined && killedAt >= one.at && killedAt <= next.at;
}

function wasFrozen(one: Run, next: Run, lives: Circumstances['lives']): boolean {
  const spells = lives.get(one.workerId)?.frozen ?? [];
  return spells.some(({ from, to }) => from <= next.at && to + wakingMs >= one.at);
}

/** Its machine had the task in its own store when its worker died, whoever has begun it since. */
function isHeir(run: Run, since: number, lives: Circumstances['lives']): boolean {
  const machine = lives.get(run.workerId)?.machine;
  return [...lives.values()].some(
    ({ killedAt, machine: other }) =>
      other === machine && killedAt !== undefined && killedAt >= since && killedAt <= run.at,
  );
}
