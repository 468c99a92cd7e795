/** Plain values for tests of the worker's decisions: each is complete, and a test names only what it is about. */
import { randomUUID } from 'node:crypto';
import type { TaskSnapshot } from '../../tools/queues/queue.ts';
import { roleDefaults, type Role } from '../../tools/roles/role.ts';
import type { Comment } from '../../tools/store/mirror.ts';
import type { Task } from '../../tools/store/tasks.ts';
import { freshTask } from '../../tools/worker/enqueue.ts';

/** A Tuesday, 10:00 UTC. */
export const noon = Date.UTC(2026, 2, 3, 10);
export const minuteMs = 60_000;
export const hourMs = 60 * minuteMs;
export const dayMs = 24 * hourMs;

export function exampleRole(patch: Partial<Role> = {}): Role {
  return {
    ...roleDefaults,
    name: 'writer',
    description: 'Writes.',
    file: '.claude/agents/writer.md',
    body: 'Write well.',
    tools: ['Read', 'Write'],
    model: undefined,
    skills: [],
    project: 'Writer',
    deadlineMs: undefined,
    budgetUsd: undefined,
    dailyBudgetUsd: undefined,
    requires: [],
    output: undefined,
    repo: undefined,
    ask: [],
    sharesOutput: false,
    acceptsFrom: undefined,
    irreversible: false,
    edits: false,
    hash: 'h1',
    ...patch,
  };
}

export function exampleTask(patch: Partial<Task> = {}): Task {
  const nativeId = patch.nativeId ?? randomUUID();
  const fresh = freshTask(
    {
      id: `${patch.queue ?? 'todoist'}:${nativeId}`,
      queue: patch.queue ?? 'todoist',
      nativeId,
      role: exampleRole({ name: patch.role ?? 'writer' }),
      title: patch.title ?? 'Why queues beat chat',
      description: patch.description ?? 'For engineers.',
      priority: 4,
    },
    noon,
  );
  return { ...fresh, ...patch };
}

export function exampleItem(patch: Partial<TaskSnapshot> = {}): TaskSnapshot {
  return {
    nativeId: 'n1',
    projectId: 'p1',
    parentId: undefined,
    title: 'Why queues beat chat',
    description: 'For engineers.',
    priority: 4,
    labels: [],
    presence: 'open',
    due: undefined,
    deadlineAt: undefined,
    position: 1,
    addedAt: noon,
    ...patch,
  };
}

export function exampleComment(text: string, patch: Partial<Comment> = {}): Comment {
  return {
    queue: 'todoist',
    nativeId: `c-${text.slice(0, 20)}`,
    taskNativeId: 'n1',
    author: 'human',
    text,
    attachment: null,
    postedAt: noon,
    used: false,
    ...patch,
  };
}
