/** `agentq cancel`, `answer` and `redrive`: what a human says to a task. The same acts as in Todoist. */
import { randomUUID } from 'node:crypto';
import { attemptMarker } from '../../agents/agent.ts';
import { AppError } from '../../errors.ts';
import { openRoles } from '../../roles/watch-roles.ts';
import { isLive } from '../../store/states.ts';
import type { Task } from '../../store/tasks.ts';
import { again, contentHash } from '../../worker/enqueue.ts';
import { heed } from '../../worker/heed.ts';
import { cancel as cancelTask } from '../../worker/intake.ts';
import { signature } from '../../worker/thread.ts';
import { findTask, print, printJson, withStore, type Output, type Session } from '../session.ts';
import { taskJson } from '../task-view.ts';

export async function cancel(ref: string, options: Output & { reason?: string }): Promise<void> {
  await withStore({ create: false }, async (session) => {
    const { id } = await findTask(session, ref);
    const why = options.reason ?? 'cancelled with agentq';
    const changed = await session.store.transaction(async (tables) => {
      const task = await mustGet(tables.tasks.get(id), id);
      if (!isLive(task.state)) return false;
      await cancelTask(tables, task, why, session.now);
      await tables.reports.add(
        {
          id: `${task.id}:r${task.round}:cancelled:label`,
          taskId: task.id,
          attemptId: null,
          queue: task.queue,
          body: { kind: 'label', label: null },
        },
        session.now,
      );
      await tables.reports.add(
        {
          id: `${task.id}:r${task.round}:cancelled`,
          taskId: task.id,
          attemptId: null,
          queue: task.queue,
          body: { kind: 'comment', text: `■ Cancelled: ${why}${signature(session.store.id)}` },
        },
        session.now,
      );
      return true;
    });
    session.store.ring();
    await tell(session, id, changed ? 'cancelled' : 'not changed: it had already ended', options);
  });
}

/** An answer, a follow-up, `approve` or `reject`. Recorded once; the first answer to a question wins. */
export async function answer(ref: string, text: string, options: Output): Promise<void> {
  refuseAgents('answer');
  if (text.trim() === '') throw new AppError('BAD_USAGE', 'expected an answer, got an empty text');
  await withStore({ create: false }, async (session) => {
    const { id } = await findTask(session, ref);
    const roles = openRoles(session.settings).current();
    const why = await session.store.transaction(async (tables) => {
      const task = await mustGet(tables.tasks.get(id), id);
      if (task.state !== 'input_required' && task.state !== 'completed' && task.state !== 'failed')
        throw new AppError('CONFLICT', `${task.id} is ${task.state}: there is nothing to answer now`, {
          hints: [`agentq show ${task.id}   (somebody may have answered before)`],
        });
      const said = `agentq:${randomUUID()}`;
      await tables.mirror.saveComment({
        queue: task.queue,
        nativeId: said,
        taskNativeId: task.nativeId,
        author: 'human',
        text,
        attachment: null,
        postedAt: session.now,
        used: false,
      });
      const heard = await heed(
        tables,
        task,
        roles.find((role) => role.name === task.role),
        session.now,
      );
      // The thread on the phone shows the answer too; local tasks have it in the store already.
      if (task.queue !== 'local')
        await tables.reports.add(
          {
            id: `${task.id}:answered:${said}`,
            taskId: task.id,
            attemptId: null,
            queue: task.queue,
            body: { kind: 'comment', text: `💬 Answered with agentq: ${text}${signature(session.store.id)}` },
          },
          session.now,
        );
      return heard;
    });
    session.store.ring();
    await tell(session, id, why ?? 'noted; nothing is to be done', options);
  });
}

/** A dead letter, or anything that has ended, runs again from the beginning. */
export async function redrive(ref: string, options: Output & { edit?: string }): Promise<void> {
  await withStore({ create: false }, async (session) => {
    const { id } = await findTask(session, ref);
    await session.store.transaction(async (tables) => {
      const task = await mustGet(tables.tasks.get(id), id);
      if (task.state === 'running' || task.state === 'queued' || task.state === 'waiting')
        throw new AppError('CONFLICT', `${task.id} is ${task.state}: it runs anyway`, {
          hints: [`agentq show ${task.id}`],
        });
      const role = openRoles(session.settings)
        .current()
        .find((known) => known.name === task.role);
      const patch =
        options.edit === undefined
          ? {}
          : { description: options.edit, contentHash: contentHash(task.title, options.edit) };
      await again(
        tables,
        task,
        role,
        { turn: { kind: 'start' }, why: 'redriven with agentq', afresh: true, patch },
        session.now,
      );
    });
    session.store.ring();
    await tell(session, id, 'queued again', options);
  });
}

/** An approval counts only from a human's channel: an agent's shell is not one. */
function refuseAgents(verb: string): void {
  if (process.env[attemptMarker] === undefined) return;
  throw new AppError('BAD_USAGE', `agentq ${verb} is for people; an agent cannot use it`, {
    hints: ['return needs_input or needs_review instead'],
  });
}

async function mustGet(task: Promise<Task | undefined>, id: string): Promise<Task> {
  const found = await task;
  if (!found)
    throw new AppError('NOT_FOUND', `expected the id of a task, got: "${id}"`, { hints: ['agentq list'] });
  return found;
}

async function tell(session: Session, id: string, what: string, options: Output): Promise<void> {
  const task = await mustGet(
    session.store.read(({ tasks }) => tasks.get(id)),
    id,
  );
  if (options.json) printJson({ ...taskJson(task), result: what });
  else print(options.quiet ? task.id : `${task.id}  ${what}`);
}
