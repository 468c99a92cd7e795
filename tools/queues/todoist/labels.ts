/**
 * Label arithmetic. Pure. The API knows no "add one label": a write replaces the whole list, so it is always made
 * from a list that was just read, and only our own labels in it are ever touched.
 */
import { allAgentLabels, type AgentLabel } from '../queue.ts';

/** The labels with `target` as the only one of ours; the human's keep their order. */
export function withOurs(labels: readonly string[], target: AgentLabel | null): string[] {
  const others = labels.filter((label) => !allAgentLabels.includes(label));
  return target === null ? others : [...others, target];
}

export function sameLabels(a: readonly string[], b: readonly string[]): boolean {
  const [left, right] = [new Set(a), new Set(b)];
  return left.size === right.size && [...left].every((label) => right.has(label));
}

export type LabelStep = 'done' | 'repeat' | 'write';

/**
 * What to do about a label. `previousBase` are the labels that an earlier write, whose answer was lost, was made
 * from. Still the same: that write did not land, or it did and a human took our label off again; sending it once more
 * settles both, since the server ignores a uuid it has seen. Anything else has moved on: write afresh.
 */
export function labelStep(
  fresh: readonly string[],
  target: AgentLabel | null,
  previousBase: readonly string[] | undefined,
): LabelStep {
  if (sameLabels(fresh, withOurs(fresh, target))) return 'done';
  return previousBase !== undefined && sameLabels(fresh, previousBase) ? 'repeat' : 'write';
}
