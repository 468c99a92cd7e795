/**
 * One raw item, comment or project, judged by itself. What fits is rebuilt with every key that the SDK's schemas
 * demand (@doist/todoist-sdk 17.0.0, types/{tasks,comments,projects}/types.js): keys we use as they came, an absent
 * nullable one as null, keys we do not use with a neutral value. So a fit object can never fail the SDK's parse. Pure.
 */
import { dueAt, deadlineEnd } from './dates.ts';
import { idOr, isInstant, isRecord, type Raw, stringOr } from './raw.ts';

/** Something that was taken out of an answer. */
export interface Unreadable {
  nativeId: string | undefined;
  /** The project of an item or the item of a comment, if that much could be read. */
  within: string | undefined;
  problem: string;
}

/** `deleted`: nothing but the id of something that is gone could be read, and nothing more is needed. */
export type Judged = { fit: Raw } | { deleted: string } | Unreadable;

export function mendItem(value: unknown): Judged {
  const raw = isRecord(value) ? value : {};
  const problem = itemProblem(raw);
  if (problem !== undefined) return unfit(raw, problem, idOr(raw['project_id'], undefined));
  return {
    fit: {
      ...unusedInItem,
      id: idOr(raw['id'], ''),
      project_id: idOr(raw['project_id'], ''),
      parent_id: idOr(raw['parent_id'], null),
      content: raw['content'],
      description: raw['description'],
      labels: raw['labels'],
      checked: raw['checked'],
      is_deleted: raw['is_deleted'] === true,
      priority: Number.isSafeInteger(raw['priority']) ? raw['priority'] : 1,
      child_order: Number.isSafeInteger(raw['child_order']) ? raw['child_order'] : 0,
      added_at: isInstant(raw['added_at']) ? raw['added_at'] : null,
      due: mendDue(raw['due']),
      deadline: isRecord(raw['deadline']) ? { date: raw['deadline']['date'], lang: 'en' } : null,
    },
  };
}

const unusedInItem = {
  user_id: '',
  section_id: null,
  added_by_uid: null,
  assigned_by_uid: null,
  responsible_uid: null,
  duration: null,
  completed_at: null,
  updated_at: null,
  day_order: -1,
  is_collapsed: false,
};

function itemProblem(raw: Raw): string | undefined {
  if (idOr(raw['id'], '') === '') return expected('id', 'an id', raw['id']);
  if (idOr(raw['project_id'], '') === '') return expected('project_id', 'an id', raw['project_id']);
  for (const key of ['content', 'description'])
    if (typeof raw[key] !== 'string') return expected(key, 'a string', raw[key]);
  if (typeof raw['checked'] !== 'boolean') return expected('checked', 'true or false', raw['checked']);
  const { labels } = raw;
  // Without labels a task looks as if its label had been taken off, which is an order to run it again.
  if (!Array.isArray(labels) || labels.some((label) => typeof label !== 'string'))
    return expected('labels', 'a list of strings', labels);
  return dateProblem(raw);
}

function dateProblem({ due, deadline }: Raw): string | undefined {
  if (
    due !== null &&
    due !== undefined &&
    !(isRecord(due) && Number.isFinite(dueAt(stringOr(due['date'], ''))))
  )
    return expected('due', 'null or an object with a date', due);
  if (isRecord(due) && typeof due['is_recurring'] !== 'boolean')
    return expected('due.is_recurring', 'true or false', due['is_recurring']);
  if (deadline === null || deadline === undefined) return undefined;
  if (isRecord(deadline) && Number.isFinite(deadlineEnd(stringOr(deadline['date'], '')))) return undefined;
  return expected('deadline', 'null or an object with a date', deadline);
}

function mendDue(due: unknown): Raw | null {
  if (!isRecord(due)) return null;
  return { date: due['date'], string: stringOr(due['string'], ''), is_recurring: due['is_recurring'] };
}

/** A comment of the sync answer or of a page; exactly one of item_id and project_id may be there. */
export function mendComment(value: unknown): Judged {
  const raw = isRecord(value) ? value : {};
  const itemId = idOr(raw['item_id'], idOr(raw['task_id'], undefined));
  const problem = commentProblem(raw);
  if (problem !== undefined) return unfit(raw, problem, itemId);
  return {
    fit: {
      id: idOr(raw['id'], ''),
      ...(itemId === undefined ? { project_id: idOr(raw['project_id'], '') } : { item_id: itemId }),
      content: raw['content'],
      posted_at: raw['posted_at'],
      posted_uid: '',
      file_attachment: mendAttachment(raw['file_attachment']),
      uids_to_notify: null,
      reactions: null,
      is_deleted: raw['is_deleted'] === true,
    },
  };
}

function commentProblem(raw: Raw): string | undefined {
  if (idOr(raw['id'], '') === '') return expected('id', 'an id', raw['id']);
  if (typeof raw['content'] !== 'string') return expected('content', 'a string', raw['content']);
  return isInstant(raw['posted_at']) ? undefined : expected('posted_at', 'a time', raw['posted_at']);
}

function mendAttachment(raw: unknown): Raw | null {
  if (!isRecord(raw)) return null;
  const kept = ['file_name', 'file_url', 'url', 'title'].filter((key) => typeof raw[key] === 'string');
  return {
    resource_type: stringOr(raw['resource_type'], 'file'),
    ...Object.fromEntries(kept.map((key) => [key, raw[key]])),
  };
}

/** All that is wanted of a project is its id and name; so every kind passes as a personal one. */
export function mendProject(value: unknown): Judged {
  const raw = isRecord(value) ? value : {};
  const id = idOr(raw['id'], '');
  if (id === '') return unfit(raw, expected('id', 'an id', raw['id']), undefined);
  if (typeof raw['name'] !== 'string')
    return unfit(raw, expected('name', 'a string', raw['name']), undefined);
  const flags = { is_archived: raw['is_archived'] === true, is_deleted: raw['is_deleted'] === true };
  return { fit: { ...unusedInProject, ...flags, id, name: raw['name'] } };
}

const unusedInProject = {
  can_assign_tasks: false,
  child_order: 0,
  color: '',
  created_at: null,
  is_favorite: false,
  is_frozen: false,
  updated_at: null,
  view_style: 'list',
  default_order: 0,
  description: '',
  is_collapsed: false,
  is_shared: false,
  parent_id: null,
};

function unfit(raw: Raw, problem: string, within: string | undefined): Judged {
  const nativeId = idOr(raw['id'], undefined);
  return raw['is_deleted'] === true && nativeId !== undefined
    ? { deleted: nativeId }
    : { nativeId, within, problem };
}

function expected(key: string, what: string, got: unknown): string {
  return `expected \`${key}\` to be ${what}, got: ${JSON.stringify(got)?.slice(0, 60) ?? 'nothing'}`;
}
