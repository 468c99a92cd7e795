/**
 * What is wanted of Todoist, through the SDK: whole lists instead of pages, values instead of 404s, and every error
 * an AppError. The SDK (0.3 s, 38 MB) is loaded with the first call.
 */
import type { Comment, SyncCommand, SyncResponse, TodoistApi } from '@doist/todoist-api-typescript';
import { AppError } from '../../errors.ts';
import type { Project, TaskSnapshot } from '../queue.ts';
import { type Command, commandFailure } from './commands.ts';
import { isKind, TodoistFailure } from './failures.ts';
import { taskSnapshot } from './snapshots.ts';
import { failureOf, openTransport } from './transport.ts';

export interface ClientOptions {
  token: string;
  /** Scheme, host and port; default: Todoist itself. */
  baseUrl?: string;
  /** Epoch milliseconds. */
  clock?: () => number;
  /** Objects of a page that could not be read and were left out. */
  log?: (problem: string) => void;
  /** For headers and body of one request together; Todoist ends standard requests after 15 s itself. */
  timeoutMs?: number;
}

export interface TodoistClient {
  projects(): Promise<Project[]>;
  comments(taskId: string): Promise<Comment[]>;
  /** Undefined: Todoist says that there is none. */
  task(taskId: string): Promise<TaskSnapshot | undefined>;
  /** Everything that changed since the token, `'*'`: all. Reads only. */
  read(syncToken: string): Promise<SyncResponse>;
  /** Writes only. `gone`: what was to be written to is not there. `nativeId`: of the comment that was made. */
  run(command: Command): Promise<{ nativeId: string | undefined } | 'gone'>;
  /** Ends requests under way and refuses new ones. */
  close(): void;
}

const pageSize = 200;

export function openClient(options: ClientOptions): TodoistClient {
  const closing = new AbortController();
  const clock = options.clock ?? Date.now;
  const token = checkedToken(options.token);
  let opening: Promise<TodoistApi> | undefined;

  const open = async (): Promise<TodoistApi> => {
    const { TodoistApi: Api } = await import('@doist/todoist-api-typescript');
    const customFetch = openTransport({
      token,
      timeoutMs: options.timeoutMs ?? 15_000,
      now: clock,
      closed: closing.signal,
      onUnreadable: (problem) => options.log?.(problem),
    });
    return new Api(token, {
      customFetch,
      ...(options.baseUrl === undefined ? {} : { baseUrl: options.baseUrl }),
    });
  };
  const call = async <T>(use: (api: TodoistApi) => Promise<T>): Promise<T> => {
    const api = await (opening ??= open());
    try {
      return await use(api);
    } catch (error) {
      throw failureOf(error);
    }
  };
  return {
    projects: async () => {
      const all = await allPages((page) => call((api) => api.getProjects(page)));
      return all.filter((one) => !one.isArchived && !one.isDeleted).map(({ id, name }) => ({ id, name }));
    },
    comments: (taskId) => allPages((page) => call((api) => api.getComments({ ...page, taskId }))),
    task: (taskId) =>
      orMissing(async () => taskSnapshot(await call((api) => api.getTask(taskId))), undefined),
    read: (syncToken) => call((api) => api.sync({ syncToken, resourceTypes: ['items', 'notes'] })),
    run: (command) => orMissing(() => call((api) => execute(api, command, clock)), 'gone' as const),
    close: () => closing.abort(),
  };
}

interface Page {
  limit: number;
  cursor?: string;
}

/** Objects move from page to page while one turns them, so the same one may come twice. */
async function allPages<T extends { id: string }>(
  turn: (page: Page) => Promise<{ results: T[]; nextCursor: string | null }>,
): Promise<T[]> {
  const found = new Map<string, T>();
  const turned = new Set<string>();
  let page: Page = { limit: pageSize };
  for (;;) {
    const { results, nextCursor } = await turn(page);
    for (const one of results) found.set(one.id, one);
    if (nextCursor === null || turned.has(nextCursor)) return [...found.values()];
    turned.add(nextCursor);
    page = { limit: pageSize, cursor: nextCursor };
  }
}

async function execute(
  api: TodoistApi,
  command: Command,
  clock: () => number,
): Promise<{ nativeId: string | undefined }> {
  const { TodoistSyncError } = await import('@doist/todoist-api-typescript');
  const { type, uuid, args } = command;
  const temp = command.type === 'note_add' ? { tempId: command.tempId } : {};
  // The SDK's types demand a `postedAt` that the API does not want.
  const commands = [{ type, uuid, args, ...temp }] as unknown as SyncCommand[];
  try {
    const answer = await api.sync({ commands });
    if (answer.syncStatus?.[uuid] !== 'ok')
      throw new TodoistFailure('QUEUE_UNAVAILABLE', `expected an answer to ${type} ${uuid}, got: none`);
    return { nativeId: command.type === 'note_add' ? answer.tempIdMapping?.[command.tempId] : undefined };
  } catch (error) {
    const status = error instanceof TodoistSyncError ? error.syncStatus[uuid] : undefined;
    throw status === undefined || status === 'ok' ? error : commandFailure(command, status, clock());
  }
}

async function orMissing<T, U>(ask: () => Promise<T>, missing: U): Promise<T | U> {
  try {
    return await ask();
  } catch (error) {
    if (isKind(error, 'missing')) return missing;
    throw error;
  }
}

/** A header value with a line break in it would be quoted, token and all, in the error that fetch throws. */
function checkedToken(token: string): string {
  const trimmed = token.trim();
  if (/^[\x21-\x7e]+$/.test(trimmed)) return trimmed;
  throw new AppError(
    'NO_TOKEN',
    `expected a Todoist token, got: ${trimmed.length} characters that cannot be one`,
    {
      hints: ['copy it from Todoist: Settings → Integrations → Developer, into .env as TODOIST_API_TOKEN'],
    },
  );
}
