/**
 * From Todoist's raw objects to ours. Pure. The SDK parses a sync answer as a whole, so one object it does not
 * expect would throw the whole delta away, and the token would never advance: every object is looked at alone here,
 * completed where only an empty field is missing, and set aside where it cannot be read.
 */
import type { CommentSnapshot, TaskSnapshot } from '../queue.ts';

export type Raw = Record<string, unknown>;

/** What was taken out of an answer before the SDK saw it. */
export interface SetAside {
  unreadable: { nativeId: string | undefined; problem: string }[];
  deletedItems: string[];
  deletedNotes: { id: string; itemId: string }[];
}

/** Says what is wrong with an object, or undefined. */
export type Accepts = (kind: 'item' | 'note', object: Raw) => string | undefined;

/** Keys the SDK demands although null is allowed (read in 17.0.0's schemas). */
const nullable = {
  item: ['section_id', 'parent_id', 'added_by_uid', 'assigned_by_uid', 'responsible_uid', 'deadline', 'duration', 'added_at', 'completed_at', 'updated_at', 'due'],
  note: ['file_attachment', 'uids_to_notify', 'reactions'],
} as const;

const defaults = {
  item: { description: '', labels: [], priority: 1, child_order: 0, day_order: -1, checked: false, is_deleted: false, is_collapsed: false, user_id: '0' },
  note: { posted_uid: '0', is_deleted: false },
} as const;

export function sanitize(body: unknown, accepts: Accepts, aside: SetAside): unknown {
  if (!isObject(body)) return body;
  const clean: Raw = { ...body };
  if (Array.isArray(body['items'])) clean['items'] = sift('item', body['items'], accepts, aside);
  if (Array.isArray(body['notes'])) clean['notes'] = sift('note', body['notes'], accepts, aside);
  return clean;
}

function sift(kind: 'item' | 'note', objects: unknown[], accepts: Accepts, aside: SetAside): Raw[] {
  return objects.flatMap((object) => {
    if (!isObject(object)) {
      aside.unreadable.push({ nativeId: undefined, problem: `a ${kind} that is not an object` });
      return [];
    }
    const id = typeof object['id'] === 'string' ? object['id'] : undefined;
    if (object['is_deleted'] === true && id !== undefined) {
      if (kind === 'item') aside.deletedItems.push(id);
      else aside.deletedNotes.push({ id, itemId: String(object['item_id'] ?? '') });
      return [];
    }
    const whole = complete(kind, object);
    const problem = accepts(kind, whole);
    if (problem === undefined) return [whole];
    // A note on a project is none of ours; anything else is worth a word.
    if (kind === 'item' || typeof object['item_id'] === 'string') aside.unreadable.push({ nativeId: id, problem });
    return [];
  });
}

function complete(kind: 'item' | 'note', object: Raw): Raw {
  const whole: Raw = { ...defaults[kind], ...object };
  for (const key of nullable[kind]) whole[key] ??= null;
  // The SDK wants exactly one of the two, and a null one is one too many.
  if (kind === 'note' && whole['project_id'] === null) delete whole['project_id'];
  if (kind === 'note' && typeof whole['item_id'] === 'string') delete whole['project_id'];
  return whole;
}

export function isObject(value: unknown): value is Raw {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The part of the SDK's Task that we use. */
export interface SdkTask {
  id: string;
  projectId: string;
  parentId: string | null;
  content: string;
  description: string;
  priority: number;
  labels: string[];
  checked: boolean;
  isDeleted: boolean;
  childOrder: number;
  addedAt: Date | null;
  due: { date: string; datetime?: string | null | undefined; isRecurring: boolean; string: string } | null;
  deadline: { date: string } | null;
}

export interface SdkNote {
  id: string;
  itemId?: string | undefined;
  taskId?: string | undefined;
  content: string;
  postedAt: Date;
  isDeleted: boolean;
  fileAttachment: { fileName?: string | null | undefined } | null;
}

export function toTask(item: SdkTask): TaskSnapshot {
  return {
    nativeId: item.id,
    projectId: item.projectId,
    parentId: item.parentId ?? undefined,
    title: item.content,
    description: item.description,
    // Todoist counts the other way round: 4 is p1.
    priority: Math.min(4, Math.max(1, 5 - item.priority)),
    labels: item.labels,
    presence: item.isDeleted ? 'deleted' : item.checked ? 'closed' : 'open',
    due: dueOf(item.due),
    deadlineAt: item.deadline === null ? undefined : endOfDay(item.deadline.date),
    position: item.childOrder,
    addedAt: item.addedAt?.getTime(),
  };
}

function dueOf(due: SdkTask['due']): TaskSnapshot['due'] {
  if (due === null) return undefined;
  const date = due.datetime ?? due.date;
  // A bare day is due from its first minute, in this machine's time; so is a time without a zone.
  const at = Date.parse(/^\d{4}-\d{2}-\d{2}$/.test(date) ? `${date}T00:00:00` : date);
  return Number.isNaN(at) ? undefined : { date, at, recurring: due.isRecurring, text: due.string };
}

function endOfDay(date: string): number | undefined {
  const at = Date.parse(`${date.slice(0, 10)}T23:59:59.999`);
  return Number.isNaN(at) ? undefined : at;
}

export function toComment(note: SdkNote): CommentSnapshot | undefined {
  const taskNativeId = note.itemId ?? note.taskId;
  if (taskNativeId === undefined) return undefined;
  return {
    nativeId: note.id,
    taskNativeId,
    text: note.content,
    attachment: note.fileAttachment === null ? undefined : (note.fileAttachment.fileName ?? 'a file'),
    postedAt: note.postedAt.getTime(),
    deleted: note.isDeleted,
  };
}
