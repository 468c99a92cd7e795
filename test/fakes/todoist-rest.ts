/** Todoist's REST routes, as far as a client of tasks, comments and projects needs them. */
import type { FakeAccount } from './todoist-account.ts';
import type { Reply } from './faults.ts';
import { badArgument, notFound, Refusal } from './todoist-refusals.ts';
import { isActive, type NewTask } from './todoist-shapes.ts';
import { editFrom, words } from './todoist-sync.ts';

export interface RestRequest {
  method: string;
  /** After /api/v1/. */
  path: string;
  query: URLSearchParams;
  body: Record<string, unknown>;
}

export function answerRest(account: FakeAccount, request: RestRequest): Reply {
  const [kind, id, act] = request.path.split('/').map(decodeURIComponent);
  const route = `${request.method} ${kind}${id === undefined ? '' : '/:id'}${act === undefined ? '' : `/${act}`}`;
  const answer = routes[route];
  if (!answer) throw notFound();
  try {
    const body = answer(account, request, id ?? '');
    return body === undefined ? { status: 204 } : { status: 200, body };
  } catch (error) {
    // REST says of a task what it says of everything else.
    throw error instanceof Refusal && error.status === 404 ? notFound() : error;
  }
}

type Route = (account: FakeAccount, request: RestRequest, id: string) => unknown;

const routes: Record<string, Route> = {
  'GET projects': (account, request) =>
    page(
      request,
      account.projects().filter((one) => !one.is_archived && !one.is_deleted),
    ),
  'GET projects/:id': (account, _request, id) => account.project(id),
  'POST projects': (account, { body }) => account.addProject(words(body['name'])),
  'GET tasks': (account, request) =>
    page(
      request,
      account.tasks().filter((task) => isActive(task) && wanted(task, request.query)),
    ),
  'GET tasks/:id': (account, _request, id) => account.task(id),
  'POST tasks': (account, { body }) => account.addTask(newTask(body)),
  'POST tasks/:id': (account, { body }, id) => account.edit(id, editFrom(body)),
  'DELETE tasks/:id': (account, _request, id) => account.delete(id),
  'POST tasks/:id/close': (account, _request, id) => void account.close(id),
  'POST tasks/:id/reopen': (account, _request, id) => void account.reopen(id),
  'POST tasks/:id/move': (account, { body }, id) => account.move(id, words(body['project_id'])),
  'GET comments': (account, request) => {
    const taskId = request.query.get('task_id');
    if (taskId === null) throw badArgument('task_id', 'expected task_id or project_id');
    return page(request, account.comments(account.task(taskId).id));
  },
  'POST comments': (account, { body }) => account.comment(words(body['task_id']), words(body['content'])),
  'POST comments/:id': (account, { body }, id) => account.editComment(id, words(body['content'])),
  'DELETE comments/:id': (account, _request, id) => account.deleteComment(id),
};

function newTask(body: Record<string, unknown>): NewTask {
  return { ...editFrom(body), projectId: words(body['project_id']), content: words(body['content']) };
}

function wanted(
  task: { id: string; project_id: string; parent_id: string | null; labels: string[] },
  query: URLSearchParams,
): boolean {
  const ids = query.get('ids')?.split(',');
  return (
    (query.get('project_id') ?? task.project_id) === task.project_id &&
    (query.get('parent_id') ?? task.parent_id) === task.parent_id &&
    (ids?.includes(task.id) ?? true) &&
    (!query.has('label') || task.labels.includes(query.get('label') ?? ''))
  );
}

/** Cursors are opaque and point to a place: what moves in between shows up twice or not at all. */
function page({ query }: RestRequest, all: unknown[]): { results: unknown[]; next_cursor: string | null } {
  const limit = Number(query.get('limit') ?? 50);
  if (!Number.isInteger(limit) || limit < 1 || limit > 200) throw badArgument('limit', 'expected 1 to 200');
  const from = query.has('cursor')
    ? Number(Buffer.from(query.get('cursor') ?? '', 'base64url').toString())
    : 0;
  if (!Number.isInteger(from)) throw badArgument('cursor', 'expected a cursor of ours');
  const next = from + limit < all.length ? Buffer.from(String(from + limit)).toString('base64url') : null;
  return { results: all.slice(from, from + limit), next_cursor: next };
}
