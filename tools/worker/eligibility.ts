/**
 * What a change in the queue means for a task. Pure: the item before and after, the task as stored, and nothing
 * else. The human's side of the product is decided here: closing cancels, taking a label off means "again".
 */
import { allAgentLabels, agentLabels, type TaskSnapshot } from '../queues/queue.ts';
import { isLive, type State } from '../store/states.ts';
import type { Task } from '../store/tasks.ts';

export type Decision =
  | { action: 'none' }
  /** Not known yet: take it. `availableAt` 0 or the time the occurrence is due. */
  | { action: 'enqueue'; availableAt: number }
  /** Labelled by an earlier worker whose store is gone: know it, do not run it. */
  | { action: 'adopt'; state: State }
  | { action: 'cancel'; why: string }
  /** Text, priority, due date or place changed. */
  | { action: 'update' }
  /** Run from the beginning, in a new session. */
  | { action: 'rerun'; why: string; availableAt: number };

export interface Change {
  before: TaskSnapshot | undefined;
  after: TaskSnapshot;
  task: Task | undefined;
  /** Does the project belong to a role we serve? */
  inScope: boolean;
  /** The task now lies on another employee's desk than the one who has it: that role's name. */
  newDesk: string | undefined;
  /** A label of ours is still on its way to the queue: labels say nothing now. */
  labelPending: boolean;
  now: number;
}

export function decide(change: Change): Decision {
  const { after, task } = change;
  const absence = absent(change);
  if (absence !== undefined) {
    return task && isLive(task.state) ? { action: 'cancel', why: absence } : { action: 'none' };
  }
  if (!change.inScope) return { action: 'none' };
  if (!task) return firstSight(after, change.now);
  if (change.newDesk !== undefined && ours(after.labels).length === 0)
    return {
      action: 'rerun',
      why: `it was moved to ${change.newDesk}`,
      availableAt: dueLater(after, change.now),
    };
  if (task.state === 'cancelled') return returned(change);
  const occurrence = nextOccurrence(change, task);
  if (occurrence) return occurrence;
  if (task.state === 'queued' || task.state === 'waiting') return queuedTask(change);
  if (task.state === 'running') return { action: 'update' };
  if (labelTakenOff(change)) return { action: 'rerun', why: 'its label was taken off', availableAt: 0 };
  if (cameBackBare(change))
    return { action: 'rerun', why: 'it is open again', availableAt: dueLater(after, change.now) };
  return { action: 'update' };
}

function absent({ before, after, inScope }: Change): string | undefined {
  if (after.presence === 'closed') return 'it was closed';
  if (after.presence === 'deleted') return 'it was deleted';
  // A project that nobody knows just now is not a move; only another project than before is one.
  if (!inScope && before?.projectId !== after.projectId) return 'it was moved away';
  if (after.parentId !== undefined) return 'it became a sub-task';
  return undefined;
}

function firstSight(after: TaskSnapshot, now: number): Decision {
  const label = ours(after.labels)[0];
  if (label === undefined) return { action: 'enqueue', availableAt: dueLater(after, now) };
  const [state] = Object.entries(agentLabels).find(([, name]) => name === label) ?? ['completed'];
  return { action: 'adopt', state: state as State };
}

/** A task that had gone (and so left the mirror) is back: reopened, or moved back. */
function returned(change: Change): Decision {
  const { before, after, now } = change;
  if (labelTakenOff(change)) return { action: 'rerun', why: 'its label was taken off', availableAt: 0 };
  if (before !== undefined || ours(after.labels).length > 0) return { action: 'none' };
  return { action: 'rerun', why: 'it is open again', availableAt: dueLater(after, now) };
}

/** Recurring tasks are schedules: closing one moves the due date on, and the next occurrence is new work. */
function nextOccurrence({ after, now }: Change, task: Task): Decision | undefined {
  if (!after.due?.recurring || task.occurrence === null || task.occurrence === after.due.date)
    return undefined;
  return {
    action: 'rerun',
    why: `the next occurrence is due ${after.due.date}`,
    availableAt: dueLater(after, now),
  };
}

function queuedTask({ before, after, labelPending }: Change): Decision {
  const labelled = ours(after.labels).length > 0 && before !== undefined && ours(before.labels).length === 0;
  if (labelled && !labelPending) return { action: 'cancel', why: 'it was labelled by hand' };
  return { action: 'update' };
}

function labelTakenOff({ before, after, labelPending }: Change): boolean {
  if (labelPending || before === undefined) return false;
  return ours(before.labels).length > 0 && ours(after.labels).length === 0;
}

/** It had gone before our label got to it, and is back without one: an open task without a label is to be done. */
function cameBackBare({ before, after, labelPending }: Change): boolean {
  return before === undefined && !labelPending && ours(after.labels).length === 0;
}

export function ours(labels: readonly string[]): string[] {
  return labels.filter((label) => allAgentLabels.includes(label));
}

/** Only schedules wait for their date; any other due date just orders. */
function dueLater(after: TaskSnapshot, now: number): number {
  return after.due?.recurring && after.due.at > now ? after.due.at : 0;
}

/** `Name: value` lines of a description, names in lower case. */
export function fieldsOf(description: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const line of description.split(/\r\n?|\n/)) {
    const match = /^\s*(?:[-*]\s+)?\**([\p{L}][\p{L}\p{N} _-]{0,40}?)\**\s*:\**\s*(\S.*)$/u.exec(line);
    if (match?.[1] && match[2]) fields.set(match[1].trim().toLowerCase(), match[2].trim());
  }
  return fields;
}

/** The required fields that a task lacks. */
export function missingFields(requires: readonly string[], description: string): string[] {
  const fields = fieldsOf(description);
  return requires.filter((name) => !fields.has(name.toLowerCase()));
}
