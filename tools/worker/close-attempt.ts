/** Ending an attempt whose task is somebody else's now, or cancelled: its cost is kept, what it did is not told. */
import type { AgentResult } from '../agents/agent.ts';
import type { Tables } from '../store/store.ts';
import type { Claim } from './claim.ts';

export async function closeAttempt(
  { attempts, tasks }: Tables,
  claim: Pick<Claim, 'attemptId' | 'task'>,
  result: Pick<AgentResult, 'costUsd' | 'turns'> | undefined,
  now: number,
): Promise<void> {
  const ended = await attempts.finish(claim.attemptId, {
    result: 'cancelled',
    failureKind: null,
    failureCode: 'task_taken_away',
    message: 'The task was taken away while the agent worked; the agent was stopped.',
    spent: false,
    cost: result?.costUsd ?? 0,
    turns: result?.turns ?? null,
    denials: [],
    artifacts: [],
    endedAt: now,
  });
  if (!ended) return;
  const task = await tasks.get(claim.task.id);
  const cost = (await attempts.get(claim.attemptId))?.cost ?? 0;
  if (task && cost > 0) await tasks.patch(task.id, { cost: task.cost + cost }, now);
}
