/** `agentq events`: the history of a task, and with --follow what becomes of it until it rests. */
import type { TaskEvent } from '../../store/events.ts';
import type { State } from '../../store/states.ts';
import { shown } from '../render-worker.ts';
import { findTask, print, type Output, type Session } from '../session.ts';
import { withNews } from '../with-news.ts';
import { eventJson, iso } from '../task-view.ts';
import { waitFor } from '../wait-for.ts';

export interface EventsOptions extends Output {
  follow: boolean;
}

const page = 500;
/** From here on only a person makes it go on. */
const resting: readonly State[] = ['completed', 'failed', 'cancelled', 'input_required'];

export async function events(ref: string, options: EventsOptions): Promise<void> {
  await withNews(async (session) => {
    const { id } = await findTask(session, ref);
    const stop = new AbortController();
    const onSignal = (): void => stop.abort();
    if (options.follow) for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, onSignal);
    let seen = 0;
    const forMs = options.follow ? Infinity : 0;
    await waitFor(session, { forMs, signal: stop.signal }, async () => {
      // The state first: what led to it has been written by then.
      const state = (await session.store.read(({ tasks }) => tasks.get(id)))?.state;
      seen = await printSince(session, id, seen, options);
      return state === undefined || resting.includes(state) ? state : undefined;
    });
  });
}

async function printSince(session: Session, id: string, after: number, options: Output): Promise<number> {
  let seen = after;
  for (;;) {
    const found = await session.store.read((tables) => tables.events.list(id, seen, page));
    if (found.length > 0) print(found.map((event) => lineOf(event, options)));
    seen = found.at(-1)?.seq ?? seen;
    if (found.length < page) return seen;
  }
}

function lineOf(event: TaskEvent, options: Output): string {
  if (options.json) return JSON.stringify({ task_id: event.taskId, ...eventJson(event) });
  if (options.quiet) return String(event.seq);
  const text = event.data['text'] ?? event.data['note'];
  const tail = typeof text === 'string' && text !== '' ? `: ${shown(text, 300)}` : '';
  return `${iso(event.at)}  ${shown(event.type, 60)}${tail}`;
}
