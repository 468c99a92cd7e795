/** A delegated task: from its envelope and its context into a row of the store; the same for submitter and worker. Pure. */
import type { TaskEnvelope } from '../queues/envelope.ts';
import { rankOf } from '../queues/priority.ts';
import type { Role } from '../roles/role.ts';
import type { Task } from '../store/tasks.ts';
import { freshTask } from '../worker/enqueue.ts';

/** Agents that ask agents that ask agents: beyond this many it is a mistake, and an expensive one. */
export const maxDepth = 5;

export interface Delegation {
  envelope: TaskEnvelope;
  /** What `context_ref` holds. */
  context: string | undefined;
  queue: string;
  role: Pick<Role, 'name' | 'deadlineMs'>;
  /** 0: ready now; `withBroker`: the broker has it. */
  availableAt: number;
  submittedBy: string;
  /** By which a second submission to this store is known; messages are known by their ids. */
  submitKey?: string | undefined;
}

export function delegatedTask(given: Delegation, now: number): Task {
  const { envelope } = given;
  const description = [envelope.instructions, given.context].filter((part) => part?.trim()).join('\n\n');
  const task = freshTask(
    {
      id: envelope.task_id,
      queue: given.queue,
      nativeId: envelope.task_id,
      role: given.role,
      title: titleOf(envelope, given.context),
      description,
      priority: rankOf(envelope.priority),
      // What was submitted first comes first.
      position: Date.parse(envelope.created_at),
      deadlineAt: deadlineOf(envelope),
      submitKey: given.submitKey,
      parentId: envelope.parent_id,
      meta: {
        envelope,
        submittedBy: given.submittedBy,
        ...(envelope.depth === undefined ? {} : { depth: envelope.depth }),
        ...(envelope.budget_usd === undefined ? {} : { budgetUsd: envelope.budget_usd }),
      },
    },
    now,
  );
  return { ...task, availableAt: given.availableAt };
}

/** Epoch ms of the latest useful completion. */
export function deadlineOf(envelope: Pick<TaskEnvelope, 'created_at' | 'ttl_seconds'>): number | undefined {
  if (envelope.ttl_seconds === undefined) return undefined;
  return Date.parse(envelope.created_at) + envelope.ttl_seconds * 1000;
}

/** The title, or what stands in for one: the first line of the instructions or of the context. */
export function titleOf(
  envelope: Pick<TaskEnvelope, 'title' | 'instructions' | 'type'>,
  context: string | undefined,
): string {
  const text = [envelope.title, envelope.instructions, context]
    .flatMap((part) => (part ?? '').split('\n'))
    .map((line) => line.replace(/^#+\s*/, '').trim())
    .find((line) => line !== '');
  return (text ?? envelope.type).slice(0, 500);
}
