/** What the fixture agent is to do with a task, and how such a task must end. Words are those of `chaos-agent.ts`. */
export interface Plan {
  /** One word an attempt, the last for all that follow. */
  words: string;
  /** How often among a hundred tasks. */
  share: number;
  end: 'agent-done' | 'agent-failed';
}

export const plans: readonly Plan[] = [
  { words: 'done', share: 34, end: 'agent-done' },
  { words: 'leaves-a-child', share: 6, end: 'agent-done' },
  { words: 'slow', share: 6, end: 'agent-done' },
  { words: 'exit-75 done', share: 8, end: 'agent-done' },
  { words: 'exit-75', share: 2, end: 'agent-failed' },
  { words: 'exit-3 done', share: 6, end: 'agent-done' },
  { words: 'exit-3', share: 2, end: 'agent-failed' },
  { words: 'exit-127 done', share: 2, end: 'agent-done' },
  { words: 'dies done', share: 3, end: 'agent-done' },
  { words: 'bad-json done', share: 5, end: 'agent-done' },
  { words: 'bad-json', share: 1, end: 'agent-failed' },
  { words: 'lies done', share: 4, end: 'agent-done' },
  { words: 'lies', share: 2, end: 'agent-failed' },
  { words: 'no-file done', share: 2, end: 'agent-done' },
  { words: 'gives-up', share: 3, end: 'agent-failed' },
  { words: 'ask', share: 6, end: 'agent-done' },
  { words: 'review', share: 4, end: 'agent-done' },
  { words: 'hangs done', share: 3, end: 'agent-done' },
  { words: 'hangs', share: 1, end: 'agent-failed' },
];

export function pickPlan(random: () => number): Plan {
  let left = random() * plans.reduce((sum, plan) => sum + plan.share, 0);
  for (const plan of plans) {
    left -= plan.share;
    if (left < 0) return plan;
  }
  return plans[0] as Plan;
}
