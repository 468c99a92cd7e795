/** `agentq list`, `show` and `inbox`: reading. */
import { AppError } from '../../errors.ts';
import { states, type State } from '../../store/states.ts';
import { withoutSignature } from '../../worker/thread.ts';
import { findTask, print, printJson, withStore, type Output } from '../session.ts';
import { withNews } from '../with-news.ts';
import {
  attemptJson,
  detailLines,
  eventJson,
  indented,
  iso,
  taskJson,
  taskLine,
  threadOf,
} from '../task-view.ts';

export interface ListOptions extends Output {
  state?: string[];
  role?: string;
  parent?: string;
  from?: string;
  limit: string;
}

export async function list(options: ListOptions): Promise<void> {
  const wanted = options.state?.map(stateOf);
  const limit = Number(options.limit);
  if (!Number.isInteger(limit) || limit < 1)
    throw new AppError('BAD_USAGE', `expected --limit to be a whole number from 1, got: "${options.limit}"`);
  await withNews(async (session) => {
    const { store, now } = session;
    const parent = options.parent === undefined ? undefined : await findTask(session, options.parent);
    const found = await store.read(({ tasks }) =>
      tasks.list({
        limit,
        ...(wanted ? { states: wanted } : {}),
        ...(options.role === undefined ? {} : { role: options.role }),
        ...(parent === undefined ? {} : { parentId: parent.id }),
        ...(options.from === undefined ? {} : { from: options.from }),
      }),
    );
    if (options.json) printJson({ tasks: found.map(taskJson) });
    else if (options.quiet) found.forEach((task) => print(task.id));
    else print(found.length === 0 ? 'no tasks' : found.map((task) => taskLine(task, now)));
  });
}

function stateOf(text: string): State {
  const state = states.find((known) => known === text);
  if (state) return state;
  throw new AppError('BAD_USAGE', `expected --state to be one of ${states.join(', ')}, got: "${text}"`);
}

export async function show(ref: string, options: Output): Promise<void> {
  await withNews(async (session) => {
    const task = await findTask(session, ref);
    const { attempts, events, comments, reports } = await session.store.read(async (tables) => ({
      attempts: await tables.attempts.list(task.id),
      events: await tables.events.list(task.id),
      comments: await tables.mirror.comments(task.queue, task.nativeId),
      reports: await tables.reports.list(task.id),
    }));
    const thread = threadOf(comments, reports);
    if (options.quiet) return print(task.id);
    if (!options.json) return print(detailLines({ task, attempts, events, thread, now: session.now }));
    return printJson({
      ...taskJson(task),
      envelope: task.meta.envelope ?? null,
      attempts: attempts.map(attemptJson),
      artifacts: attempts.flatMap((attempt) => attempt.artifacts),
      events: events.map(eventJson),
      thread: thread.map((entry) => ({ ...entry, at: iso(entry.at) })),
    });
  });
}

/** All that wait for a person, over every queue, oldest first. */
export async function inbox(options: Output): Promise<void> {
  await withStore({ create: false }, async (session) => {
    const items = await session.store.read(async ({ tasks, reports }) => {
      const waiting = await tasks.list({ states: ['input_required'], limit: 1000 });
      const oldestFirst = waiting.sort((a, b) => a.updatedAt - b.updatedAt);
      return Promise.all(
        oldestFirst.map(async (task) => {
          const told = (await reports.list(task.id))
            .filter((report) => report.body.kind === 'comment')
            .at(-1);
          return {
            task,
            question: told?.body.kind === 'comment' ? withoutSignature(told.body.text) : (task.note ?? ''),
          };
        }),
      );
    });
    if (options.json)
      return printJson({ tasks: items.map(({ task, question }) => ({ ...taskJson(task), question })) });
    if (options.quiet) return items.forEach(({ task }) => print(task.id));
    if (items.length === 0) return print('nothing waits for you');
    return print(
      items.flatMap(({ task, question }) => [
        taskLine(task, session.now),
        ...indented(question),
        `    → agentq answer ${task.id} "…"`,
        '',
      ]),
    );
  });
}
