/** `agentq stats`, `why` and `dlq`: what an operator looks at. */
import { AppError } from '../../errors.ts';
import { openRoles } from '../../roles/watch-roles.ts';
import { isGone } from '../../worker/reconcile.ts';
import { findTask, print, printJson, withStore, type Output } from '../session.ts';
import { withNews } from '../with-news.ts';
import { prometheus, readStats, statsLines } from '../stats.ts';
import { taskJson, taskLine } from '../task-view.ts';
import { whyNot } from '../why.ts';
import { shown } from '../render-worker.ts';

export async function stats(options: { json: boolean; prometheus: boolean }): Promise<void> {
  await withStore({ create: false }, async ({ store, settings, now }) => {
    const roles = openRoles(settings).current();
    const numbers = await store.read((tables) => readStats(tables, roles, now));
    if (options.prometheus) process.stdout.write(prometheus(numbers));
    else if (options.json) printJson(numbers);
    else print(statsLines(numbers));
  });
}

export async function why(ref: string, options: Output): Promise<void> {
  await withStore({ create: false }, async (session) => {
    const task = await findTask(session, ref);
    const role = openRoles(session.settings)
      .current()
      .find((known) => known.name === task.role);
    const facts = await session.store.read(async (tables) => ({
      pauses: await tables.pauses.list(),
      // A shell has taken one task, and takes no other by itself.
      workers: (await tables.workers.list()).filter((row) => row.bootId !== '' && !isGone(row, session.now)),
      running: await tables.tasks.running(),
      ahead: await tables.tasks.ahead(task),
      unsent: (await tables.reports.pendingFor(task.id)).some(({ body }) => body.kind === 'task'),
    }));
    const sentence = whyNot({
      task,
      role,
      now: session.now,
      hasBroker: session.settings.amqpUrl !== undefined,
      ...facts,
    });
    if (options.json) printJson({ id: task.id, state: task.state, why: sentence });
    else print(shown(sentence, 1000));
  });
}

export async function dlq(options: Output): Promise<void> {
  await withNews(async ({ store, settings, now }) => {
    const dead = await store.read(({ tasks }) => tasks.list({ states: ['failed'], limit: 1000 }));
    const letters =
      settings.amqpUrl === undefined
        ? []
        : await (await import('../broker-dead-letters.ts')).brokerDeadLetters(settings, store.id);
    if (options.json) {
      const broker = settings.amqpUrl === undefined ? {} : { broker: letters };
      return printJson({ tasks: dead.map(taskJson), ...broker });
    }
    if (options.quiet) return dead.forEach((task) => print(task.id));
    if (dead.length === 0 && letters.length === 0) return print('no dead letters');
    return print([
      ...dead.flatMap((task) => [
        taskLine(task, now),
        `    ${task.failureKind ?? 'agent'}: ${shown(task.note ?? '', 200)}`,
      ]),
      ...letters.flatMap((letter) => [
        `${shown(letter.task_id ?? 'no task', 130)}  at the broker  from ${shown(letter.queue ?? 'nowhere', 130)}`,
        `    ${shown(letter.reason, 200)}`,
      ]),
    ]);
  });
}

/** Dead letters are taken out of the store; what was told in the queue stays there. */
export async function purge(ref: string | undefined, options: Output & { yes: boolean }): Promise<void> {
  if (!options.yes)
    throw new AppError('BAD_USAGE', 'purging cannot be undone', {
      hints: ['add --yes to do it', 'agentq dlq   (shows what would go)'],
    });
  await withStore({ create: false }, async (session) => {
    const only = ref === undefined ? undefined : await findTask(session, ref);
    const gone = await session.store.transaction(async ({ tasks }) => {
      const dead = only ? [only] : await tasks.list({ states: ['failed'], limit: 10_000 });
      for (const task of dead) {
        if (task.state !== 'failed')
          throw new AppError('CONFLICT', `${task.id} is ${task.state}, not failed`);
        await tasks.move(task, 'cancelled', { note: 'purged from the dead letters' }, session.now);
      }
      return dead.map((task) => task.id);
    });
    if (options.json) printJson({ purged: gone });
    else print(gone.length === 0 ? 'no dead letters' : gone.map((id) => `${id}  purged`));
  });
}
