/** Priorities by name, as envelopes say them, and by rank, as the store orders them: 1 most urgent … 4. Pure. */
export const priorities = ['urgent', 'high', 'normal', 'low'] as const;
export type Priority = (typeof priorities)[number];

export function rankOf(priority: Priority): number {
  return priorities.indexOf(priority) + 1;
}

export function priorityOf(rank: number): Priority {
  return priorities[Math.min(4, Math.max(1, rank)) - 1] ?? 'normal';
}
