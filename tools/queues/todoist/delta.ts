/** From what a sync read to what the core is told: cursor, scope, and who is missing. Pure. */
import type { SyncResponse } from '@doist/todoist-api-typescript';
import type { CommentSnapshot, QueueDelta, TaskSnapshot } from '../queue.ts';
import { TodoistFailure } from './failures.ts';
import type { Unreadable } from './mend-objects.ts';
import { isRecord, stringOr } from './raw.ts';
import { commentSnapshot, deletedComment, deletedTask, taskSnapshot } from './snapshots.ts';

/** One sync answer, or a full one and the incremental one that followed it. */
export interface Reading {
  full: boolean;
  token: string;
  items: Map<string, TaskSnapshot>;
  comments: Map<string, CommentSnapshot>;
  unreadableItems: Unreadable[];
  unreadableNotes: Unreadable[];
  incompleteItemIds: string[];
}

/** `answer` has been mended: besides what fits, it lists what was taken out (`mend.ts`). */
export function readingOf(answer: SyncResponse): Reading {
  if (answer.syncToken === undefined)
    throw new TodoistFailure('QUEUE_UNAVAILABLE', "expected a sync token in Todoist's answer, got: none");
  const comments = (answer.notes ?? []).flatMap((note) =>
    note.itemId === undefined ? [] : [commentSnapshot(note, note.itemId)],
  );
  return {
    full: answer.fullSync === true,
    token: answer.syncToken,
    items: byId([
      ...(answer.items ?? []).map(taskSnapshot),
      ...strings(answer['deletedItems']).map(deletedTask),
    ]),
    comments: byId([...comments, ...strings(answer['deletedNotes']).map(deletedComment)]),
    unreadableItems: unreadables(answer['unreadableItems']),
    unreadableNotes: unreadables(answer['unreadableNotes']),
    incompleteItemIds: strings(answer['incompleteItemIds']),
  };
}

function strings(list: unknown): string[] {
  return Array.isArray(list) ? list.map(String) : [];
}

function unreadables(list: unknown): Unreadable[] {
  if (!Array.isArray(list)) return [];
  return list.filter(isRecord).map((one) => ({
    nativeId: stringOr(one['nativeId'], undefined),
    within: stringOr(one['within'], undefined),
    problem: stringOr(one['problem'], ''),
  }));
}

/** Of two readings of one object the later counts, whether it could be read or not. */
export function merged(full: Reading, later: Reading): Reading {
  const unreadableNow = new Set(
    [...later.unreadableItems, ...later.unreadableNotes].map((one) => one.nativeId),
  );
  const still = <T>(before: Map<string, T>): [string, T][] =>
    [...before].filter(([id]) => !unreadableNow.has(id));
  return {
    full: true,
    token: later.token,
    items: new Map([...still(full.items), ...later.items]),
    comments: new Map([...still(full.comments), ...later.comments]),
    unreadableItems: [
      ...full.unreadableItems.filter((one) => !has(later.items, one)),
      ...later.unreadableItems,
    ],
    unreadableNotes: [
      ...full.unreadableNotes.filter((one) => !has(later.comments, one)),
      ...later.unreadableNotes,
    ],
    incompleteItemIds: [...new Set([...full.incompleteItemIds, ...later.incompleteItemIds])],
  };
}

export interface View {
  scope: ReadonlySet<string>;
  known: ReadonlySet<string>;
}

/** The account's changes, cut down to watched projects and known tasks. `sureOf`: missing ones that were asked after. */
export function deltaOf(
  reading: Reading,
  view: View,
  sureOf: { tasks: TaskSnapshot[]; unreadable: Unreadable[] },
): QueueDelta {
  const tasks = [...reading.items.values()].filter((item) => concerns(item.nativeId, item.projectId, view));
  const ours = new Set([...view.known, ...tasks.map((item) => item.nativeId)]);
  const unreadable = [
    ...reading.unreadableItems.filter((one) => concerns(one.nativeId, one.within, view)),
    ...reading.unreadableNotes.filter((one) => one.within === undefined || ours.has(one.within)),
    ...sureOf.unreadable,
  ];
  return {
    cursor: formatCursor({ token: reading.token, scope: [...view.scope] }),
    full: reading.full,
    tasks: [...tasks, ...sureOf.tasks],
    // Of a deleted comment the task may be unknown; forgetting a comment one never had costs nothing.
    comments: [...reading.comments.values()].filter(
      (one) => ours.has(one.taskNativeId) || one.taskNativeId === '',
    ),
    unreadable: unreadable.map(({ nativeId, problem }) => ({ nativeId, problem })),
    commentsIncomplete: reading.incompleteItemIds.filter((id) => ours.has(id)),
  };
}

function concerns(
  nativeId: string | undefined,
  projectId: string | undefined,
  { scope, known }: View,
): boolean {
  return projectId === undefined || scope.has(projectId) || (nativeId !== undefined && known.has(nativeId));
}

/** Known tasks that a full reading does not name at all. One that could not be read is not missing. */
export function missingFrom(reading: Reading, known: ReadonlySet<string>): string[] {
  if (!reading.full) return [];
  const unreadable = new Set(reading.unreadableItems.map((one) => one.nativeId));
  return [...known].filter((id) => !reading.items.has(id) && !unreadable.has(id));
}

export interface Cursor {
  token: string;
  scope: string[];
}

export function formatCursor({ token, scope }: Cursor): string {
  return JSON.stringify({ token, scope: scope.toSorted() });
}

/** The token to go on from; '*' (everything) at first, and when other projects are watched than before. */
export function tokenFor(cursor: string | undefined, scope: ReadonlySet<string>): string {
  const before = cursor === undefined ? undefined : parseCursor(cursor);
  if (!before || before.token === '') return '*';
  const same = before.scope.length === scope.size && before.scope.every((id) => scope.has(id));
  return same ? before.token : '*';
}

function parseCursor(text: string): Cursor | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (!isRecord(value) || typeof value['token'] !== 'string' || !Array.isArray(value['scope']))
      return undefined;
    return { token: value['token'], scope: value['scope'].map(String) };
  } catch {
    // Not a cursor of ours: reading everything again is always right.
    return undefined;
  }
}

function byId<T extends { nativeId: string }>(objects: T[]): Map<string, T> {
  return new Map(objects.map((one) => [one.nativeId, one]));
}

function has(objects: Map<string, unknown>, { nativeId }: Unreadable): boolean {
  return nativeId !== undefined && objects.has(nativeId);
}
