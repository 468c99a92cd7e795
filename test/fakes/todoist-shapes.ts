/** Todoist's objects as they go over the wire, and the limits on what may be in them. Pure. */
import { badArgument } from './todoist-refusals.ts';

export interface WireDue {
  date: string;
  string: string;
  lang: string;
  timezone: string | null;
  is_recurring: boolean;
}

/** A task as it goes over the wire. */
export interface WireTask {
  id: string;
  user_id: string;
  project_id: string;
  section_id: string | null;
  parent_id: string | null;
  added_by_uid: string | null;
  assigned_by_uid: string | null;
  responsible_uid: string | null;
  labels: string[];
  deadline: { date: string; lang: string } | null;
  duration: null;
  checked: boolean;
  is_deleted: boolean;
  added_at: string;
  completed_at: string | null;
  updated_at: string;
  due: WireDue | null;
  /** 4 is the most urgent (p1). */
  priority: number;
  child_order: number;
  content: string;
  description: string;
  note_count: number;
  day_order: number;
  is_collapsed: boolean;
}

export interface WireNote {
  id: string;
  item_id: string;
  content: string;
  posted_at: string;
  posted_uid: string;
  file_attachment: Record<string, unknown> | null;
  uids_to_notify: string[] | null;
  reactions: Record<string, string[]> | null;
  is_deleted: boolean;
}

export interface WireProject {
  id: string;
  name: string;
  child_order: number;
  parent_id: string | null;
  is_archived: boolean;
  is_deleted: boolean;
  inbox_project: boolean;
  [key: string]: unknown;
}

export interface NewTask {
  projectId: string;
  content: string;
  description?: string;
  /** As the API counts: 4 is p1. */
  priority?: number;
  /** A date, floating time or time with Z; `every …` in `recurring` makes it a schedule. */
  due?: string;
  recurring?: string;
  labels?: string[];
  parentId?: string;
  deadline?: string;
  order?: number;
}

export type TaskEdit = Partial<Omit<NewTask, 'projectId'>>;

export function isActive(task: WireTask): boolean {
  return !task.checked && !task.is_deleted;
}

export const taskDefaults = {
  section_id: null,
  assigned_by_uid: null,
  responsible_uid: null,
  deadline: null,
  duration: null,
  checked: false,
  is_deleted: false,
  completed_at: null,
  due: null,
  priority: 1,
  content: '',
  description: '',
  note_count: 0,
  day_order: -1,
  is_collapsed: false,
};

export const projectDefaults = {
  parent_id: null,
  can_assign_tasks: false,
  color: 'charcoal',
  created_at: '2026-01-01T00:00:00.000000Z',
  is_archived: false,
  is_deleted: false,
  is_favorite: false,
  is_frozen: false,
  updated_at: '2026-01-01T00:00:00.000000Z',
  view_style: 'list',
  default_order: 0,
  description: '',
  is_collapsed: false,
  is_shared: false,
};

/** Given keys only, in wire shape, within Todoist's limits. */
export function checkedEdit(edit: TaskEdit): Partial<WireTask> {
  if (edit.content !== undefined && (edit.content.trim() === '' || characters(edit.content) > 500))
    throw badArgument('content', 'expected 1 to 500 characters');
  if (characters(edit.description ?? '') > 16_383) throw badArgument('description', 'too long');
  if ((edit.labels ?? []).length > 100) throw badArgument('labels', 'too many');
  if (edit.priority !== undefined && ![1, 2, 3, 4].includes(edit.priority))
    throw badArgument('priority', 'expected 1 to 4');
  return {
    ...(edit.content === undefined ? {} : { content: edit.content }),
    ...(edit.description === undefined ? {} : { description: edit.description }),
    ...(edit.priority === undefined ? {} : { priority: edit.priority }),
    ...(edit.labels === undefined ? {} : { labels: [...edit.labels] }),
    ...(edit.order === undefined ? {} : { child_order: edit.order }),
    ...(edit.due === undefined && edit.recurring === undefined ? {} : { due: dueFrom(edit) }),
    ...(edit.deadline === undefined ? {} : { deadline: { date: edit.deadline, lang: 'en' } }),
  };
}

function dueFrom({ due, recurring }: TaskEdit): WireDue {
  const date = due ?? new Date().toISOString().slice(0, 10);
  return {
    date,
    string: recurring ?? date,
    lang: 'en',
    timezone: null,
    is_recurring: recurring !== undefined,
  };
}

export function checkedComment(text: string): string {
  if (text.trim() === '') throw badArgument('content', 'expected some text');
  if (characters(text) > 15_000) throw badArgument('content', 'expected at most 15000 characters');
  return text;
}

/** As a server in Python counts them: an emoji is one. */
function characters(text: string): number {
  return Array.from(text).length;
}

const steps: [RegExp, number][] = [
  [/week|mon|tue|wed|thu|fri|sat|sun/i, 7],
  [/month/i, 30],
  [/year/i, 365],
];

export function nextDate(due: WireDue): string {
  const days = steps.find(([pattern]) => pattern.test(due.string))?.[1] ?? 1;
  const next = new Date(`${due.date.slice(0, 10)}T12:00:00Z`);
  next.setUTCDate(next.getUTCDate() + days);
  return next.toISOString().slice(0, 10) + due.date.slice(10);
}
