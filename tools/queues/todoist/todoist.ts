/**
 * Todoist as a queue, through its own SDK. Reads are one incremental sync of items and notes for the whole account
 * (measured: about 310 bytes when nothing has changed, whatever the backlog); writes are sync commands.
 */
import type { TodoistApi } from '@doist/todoist-api-typescript';
import { AppError, messageOf } from '../../errors.ts';
import type { CommentSnapshot, Prepared, Project, Queue, QueueDelta, Receipt, Report, TaskSnapshot } from '../queue.ts';
import { addNote, isCommand, updateNote, writeLabels, type Command } from './commands.ts';
import { sanitize, toComment, toTask, type Accepts, type Raw, type SdkNote, type SdkTask, type SetAside } from './delta.ts';
import { createFetch, type Verdict } from './transport.ts';

export interface TodoistOptions {
  token: string;
  /** Scheme and host of another server; default: Todoist's. */
  baseUrl?: string;
  /** Limit of one request, headers and body; Todoist's own is 15 s. */
  timeoutMs?: number;
  now?: () => number;
}

interface Cursor {
  token: string;
  scope: string[];
}

interface SyncAnswer {
  syncToken?: string;
  fullSync?: boolean;
  items?: SdkTask[];
  notes?: SdkNote[];
  incompleteItemIds?: string[];
  tempIdMapping?: Record<string, string>;
}

export function openTodoistQueue(options: TodoistOptions): Queue {
  const client = connect(options);
  let scope: string[] = [];

  async function readSince(token: string): Promise<{ answer: SyncAnswer; aside: SetAside }> {
    const answer = await client.call<SyncAnswer>((api) => api.sync({ syncToken: token, resourceTypes: ['items', 'notes'] }));
    if (typeof answer.syncToken !== 'string' || answer.syncToken === '')
      throw new AppError('QUEUE_UNAVAILABLE', 'Todoist answered without a sync token');
    return { answer, aside: client.takeAside() };
  }

  /** A full read may lag behind on big accounts, so what has changed since is read right after it. */
  async function readAll(): Promise<{ answer: SyncAnswer; aside: SetAside }> {
    const first = await readSince('*');
    const second = await readSince(first.answer.syncToken ?? '*');
    return {
      answer: {
        ...second.answer,
        fullSync: true,
        items: [...(first.answer.items ?? []), ...(second.answer.items ?? [])],
        notes: [...(first.answer.notes ?? []), ...(second.answer.notes ?? [])],
        incompleteItemIds: [...(first.answer.incompleteItemIds ?? []), ...(second.answer.incompleteItemIds ?? [])],
      },
      aside: {
        unreadable: [...first.aside.unreadable, ...second.aside.unreadable],
        deletedItems: [...first.aside.deletedItems, ...second.aside.deletedItems],
        deletedNotes: [...first.aside.deletedNotes, ...second.aside.deletedNotes],
      },
    };
  }

  async function read(cursor: Cursor | undefined): Promise<{ answer: SyncAnswer; aside: SetAside }> {
    if (!cursor || cursor.scope.join() !== scope.join()) return readAll();
    try {
      return await readSince(cursor.token);
    } catch (error) {
      // What Todoist does with a token it no longer knows is not documented; a refusal means: start over.
      if (error instanceof AppError && error.code === 'QUEUE_REJECTED') return readAll();
      throw error;
    }
  }

  /** A known task that a full read does not name is looked at by itself before it is believed gone. */
  async function lookAt(nativeId: string): Promise<TaskSnapshot | undefined> {
    const task = await getTask(nativeId);
    if (task) return toTask(task);
    return undefined;
  }

  async function getTask(nativeId: string): Promise<SdkTask | undefined> {
    try {
      return await client.call<SdkTask>((api) => api.getTask(nativeId));
    } catch (error) {
      if (isGone(error)) return undefined;
      throw error;
    }
  }

  async function missing(known: readonly string[], named: ReadonlySet<string>): Promise<TaskSnapshot[]> {
    const found: TaskSnapshot[] = [];
    for (const nativeId of known) if (!named.has(nativeId)) found.push((await lookAt(nativeId)) ?? tombstone(nativeId));
    return found;
  }

  async function poll(value: string | undefined, known: readonly string[]): Promise<QueueDelta> {
    const { answer, aside } = await read(parseCursor(value));
    const knownIds = new Set(known);
    const watched = new Set(scope);
    const all = lastById((answer.items ?? []).map(toTask), aside.deletedItems);
    const tasks = all.filter((task) => watched.has(task.projectId) || knownIds.has(task.nativeId));
    const full = answer.fullSync === true;
    if (full) {
      const named = new Set([...all.map((task) => task.nativeId), ...ids(aside.unreadable)]);
      tasks.push(...(await missing(known, named)));
    }
    const comments = (answer.notes ?? []).flatMap((note) => toComment(note) ?? []);
    return {
      cursor: JSON.stringify({ token: answer.syncToken ?? '', scope } satisfies Cursor),
      full,
      tasks,
      comments: [...comments, ...aside.deletedNotes.map(deletedComment)],
      unreadable: aside.unreadable,
      commentsIncomplete: (answer.incompleteItemIds ?? []).filter((id) => tasks.some((task) => task.nativeId === id)),
    };
  }

  async function prepare(report: Report, previous: unknown): Promise<Prepared> {
    const { body } = report;
    if (isCommand(previous) && body.kind !== 'label') return { command: previous };
    const task = await getTask(report.nativeTaskId);
    if (!task || task.checked || task.isDeleted) return { done: { status: 'gone' } };
    if (body.kind !== 'label') return { command: addNote(report, body.text) };
    const write = writeLabels(report, body.label, task.labels, previous);
    return write.kind === 'done' ? { done: { status: 'sent', labels: task.labels } } : { command: write.command };
  }

  async function send(command: unknown): Promise<Receipt> {
    if (!isCommand(command)) throw new AppError('QUEUE_REJECTED', 'the stored write cannot be read');
    try {
      const answer = await execute(command);
      const nativeId = command.tempId === undefined ? undefined : answer.tempIdMapping?.[command.tempId];
      const labels = command.type === 'item_update' ? (command.args['labels'] as string[]) : undefined;
      return { status: 'sent', ...(nativeId === undefined ? {} : { nativeId }), ...(labels ? { labels } : {}) };
    } catch (error) {
      if (isGone(error)) return { status: 'gone' };
      throw error;
    }
  }

  function execute({ type, uuid, tempId, args }: Command): Promise<SyncAnswer> {
    const command = { type, uuid, args, ...(tempId === undefined ? {} : { tempId }) };
    // The SDK's type of note_add asks for more than the API does; the API's shape is what is sent.
    return client.call<SyncAnswer>((api) => api.sync({ commands: [command as never] }));
  }

  return {
    name: 'todoist',
    supports: { poll: true, editComments: true },
    projects: () => client.pages<Project>((api, cursor) => api.getProjects({ limit: 200, ...cursor })).then((all) => all.map(({ id, name }) => ({ id, name }))),
    watch: (projects) => {
      scope = projects.map((project) => project.id).sort();
    },
    poll,
    async comments(nativeTaskId) {
      const notes = await client.pages<SdkNote>((api, cursor) => api.getComments({ taskId: nativeTaskId, limit: 200, ...cursor })).catch((error: unknown) => {
        if (isGone(error)) return [];
        throw error;
      });
      return notes.flatMap((note) => toComment(note) ?? []);
    },
    prepare,
    send,
    async editComment(nativeCommentId, text) {
      const receipt = await send(updateNote(nativeCommentId, text));
      return receipt.status === 'sent';
    },
    close: async () => undefined,
  };
}

interface Page<T> {
  results: T[];
  nextCursor: string | null;
}

/** The SDK, loaded on first use, with every way in which it can fail mapped to ours. One call at a time. */
function connect(options: TodoistOptions) {
  const verdict: Verdict = { error: undefined };
  let aside: SetAside = emptyAside();
  let sdk: Promise<TodoistApi> | undefined;
  let turn: Promise<unknown> = Promise.resolve();

  async function load(): Promise<TodoistApi> {
    const { TodoistApi: Api, TaskSchema, RawCommentSchema } = await import('@doist/todoist-api-typescript');
    const accepts: Accepts = (kind, object) => {
      const result = (kind === 'item' ? TaskSchema : RawCommentSchema).safeParse(camelKeys(object));
      return result.success ? undefined : result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ').slice(0, 300);
    };
    const customFetch = createFetch(
      { timeoutMs: options.timeoutMs ?? 15_000, now: options.now ?? Date.now, sanitize: (body) => sanitize(body, accepts, aside) },
      verdict,
    );
    return new Api(options.token, { customFetch, ...(options.baseUrl === undefined ? {} : { baseUrl: options.baseUrl }) });
  }

  async function once<T>(request: (api: TodoistApi) => Promise<unknown>): Promise<T> {
    sdk ??= load();
    const api = await sdk;
    aside = emptyAside();
    verdict.error = undefined;
    try {
      return (await request(api)) as T;
    } catch (error) {
      throw verdict.error ?? mapped(error);
    }
  }

  function call<T>(request: (api: TodoistApi) => Promise<unknown>): Promise<T> {
    const next = turn.then(
      () => once<T>(request),
      () => once<T>(request),
    );
    turn = next.catch(() => undefined);
    return next;
  }

  return {
    call,
    takeAside: () => aside,
    /** All pages; an object that comes twice, because data moved meanwhile, is kept once. */
    async pages<T extends { id: string }>(request: (api: TodoistApi, cursor: { cursor?: string }) => Promise<unknown>): Promise<T[]> {
      const found = new Map<string, T>();
      let cursor: string | undefined;
      do {
        const at = cursor;
        const page = await call<Page<T>>((api) => request(api, at === undefined ? {} : { cursor: at }));
        for (const object of page.results) found.set(object.id, object);
        cursor = page.nextCursor ?? undefined;
      } while (cursor !== undefined);
      return [...found.values()];
    },
  };
}

/** What the SDK itself throws: a command that failed, or an answer that is not what it expects. */
function mapped(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (typeof error === 'object' && error !== null && 'syncStatus' in error) {
    const status = 'httpStatusCode' in error ? Number(error.httpStatusCode) : 400;
    const code = status >= 500 || status === 429 ? 'QUEUE_UNAVAILABLE' : 'QUEUE_REJECTED';
    return new AppError(code, `Todoist refused (${status}): ${messageOf(error)}`, { cause: { status } });
  }
  return new AppError('QUEUE_UNAVAILABLE', 'Todoist answered with something unexpected', { cause: error });
}

function isGone(error: unknown): boolean {
  if (!(error instanceof AppError) || error.code !== 'QUEUE_REJECTED') return false;
  return typeof error.cause === 'object' && error.cause !== null && 'status' in error.cause && error.cause.status === 404;
}

function emptyAside(): SetAside {
  return { unreadable: [], deletedItems: [], deletedNotes: [] };
}

function parseCursor(value: string | undefined): Cursor | undefined {
  if (value === undefined) return undefined;
  try {
    const cursor = JSON.parse(value) as Partial<Cursor>;
    return typeof cursor.token === 'string' && Array.isArray(cursor.scope) ? { token: cursor.token, scope: cursor.scope } : undefined;
  } catch {
    return undefined; // not one of ours: read everything
  }
}

/** The state after the last mention; a later deletion wins. */
function lastById(tasks: TaskSnapshot[], deleted: readonly string[]): TaskSnapshot[] {
  const byId = new Map(tasks.map((task) => [task.nativeId, task]));
  for (const id of deleted) byId.set(id, tombstone(id));
  return [...byId.values()];
}

function tombstone(nativeId: string): TaskSnapshot {
  return {
    nativeId,
    projectId: '',
    parentId: undefined,
    title: '',
    description: '',
    priority: 4,
    labels: [],
    presence: 'deleted',
    due: undefined,
    deadlineAt: undefined,
    position: 0,
    addedAt: undefined,
  };
}

function deletedComment({ id, itemId }: { id: string; itemId: string }): CommentSnapshot {
  return { nativeId: id, taskNativeId: itemId, text: '', attachment: undefined, postedAt: 0, deleted: true };
}

function ids(unreadable: SetAside['unreadable']): string[] {
  return unreadable.flatMap(({ nativeId }) => nativeId ?? []);
}

function camelKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(camelKeys);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value as Raw).map(([key, part]) => [key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()), camelKeys(part)]),
  );
}
