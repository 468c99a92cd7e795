/** Acting on what humans said: the same act for a comment in the queue and for `agentq answer`, taken exactly once. */
import type { Role } from '../roles/role.ts';
import type { Tables } from '../store/store.ts';
import type { Task, Turn } from '../store/tasks.ts';
import { cancel } from './cancel.ts';
import { again } from './enqueue.ts';
import { startRule } from '../delegation/may-start.ts';
import { roundsUsedUp, textChanged } from './messages.ts';
import { readComments, signature } from './thread.ts';
import { tell } from './tell.ts';

/**
 * Reads a resting task's unused human comments and puts the task back into the queue where they ask for it. Yields
 * why it was queued, or undefined. Comments on a task that waits or runs stay unused until it comes to rest.
 */
export async function heed(
  tables: Tables,
  task: Task,
  role: Role | undefined,
  now: number,
): Promise<string | undefined> {
  if (task.state !== 'completed' && task.state !== 'failed' && task.state !== 'input_required')
    return undefined;
  const comments = await tables.mirror.comments(task.queue, task.nativeId);
  const unused = comments.filter((comment) => comment.author === 'human' && !comment.used);
  const askedAt = comments.findLast((comment) => comment.author === 'worker')?.postedAt;
  const reading = readComments(task, unused, role?.rounds ?? 5, askedAt);
  if (reading.kind === 'nothing') return undefined;
  await tables.mirror.useComments(
    task.queue,
    unused.map((comment) => comment.nativeId),
  );
  if (reading.kind === 'thanks') return undefined;
  if (reading.kind !== 'turn') {
    const last = unused.at(-1);
    const words = reading.kind === 'void' ? textChanged() : roundsUsedUp(role?.rounds ?? 5);
    const text = words + signature((await tables.settings.get('store_id')) ?? '');
    await tell(
      tables,
      {
        id: `${task.id}:${reading.kind}:${last?.nativeId ?? task.round}`,
        taskId: task.id,
        attemptId: null,
        queue: task.queue,
        body: { kind: 'comment', text },
      },
      now,
    );
    return undefined;
  }
  const { turn } = reading;
  const begins = turn.kind === 'decision' && turn.rules.includes(startRule);
  if (begins && turn.decision === 'reject') return leaveUndone(tables, task, now);
  if (turn.kind === 'decision') {
    for (const rule of turn.rules)
      await tables.grants.decide({
        taskId: task.id,
        rule,
        contentHash: task.contentHash,
        decision: turn.decision,
        decidedBy: unused.map((comment) => comment.nativeId).join(' '),
        at: now,
      });
  }
  const why = reasonFor(turn);
  // An approval to begin is no word in a conversation: there has been none.
  await again(tables, task, role, { turn: begins ? { kind: 'start' } : turn, why, afresh: false }, now);
  return why;
}

async function leaveUndone(tables: Tables, task: Task, now: number): Promise<string> {
  await cancel(tables, task, 'rejected before it began', now);
  const id = `${task.id}:r${task.round}:rejected:label`;
  const about = { taskId: task.id, attemptId: null, queue: task.queue };
  await tell(tables, { ...about, id, body: { kind: 'label', label: null } }, now);
  return 'rejected';
}

function reasonFor(turn: Turn): string {
  if (turn.kind === 'decision') return turn.decision === 'approve' ? 'approved' : 'rejected';
  return turn.kind === 'message' && turn.from === 'answer' ? 'answered' : 'follow-up';
}
