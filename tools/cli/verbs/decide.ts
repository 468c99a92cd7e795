/** `agentq cancel`, `answer` and `redrive`: what a human says to a task. The same acts as in Todoist. */
import { randomUUID } from 'node:crypto';
import { AppError } from '../../errors.ts';
import { openRoles } from '../../roles/watch-roles.ts';
import { isLive } from '../../store/states.ts';
import { withBroker, type Task } from '../../store/tasks.ts';
import { heed } from '../../worker/heed.ts';
import { putBack } from '../../delegation/put-back.ts';
import { cancel as cancelTask } from '../../worker/cancel.ts';
import { signature } from '../../worker/thread.ts';
import { markWithdrawn } from '../../delegation/withdraw.ts';
import { isAgent } from '../agents-may.ts';
import { refuseSecrets } from '../secrets.ts';
import { findTask, print, printJson, withStore, type Output, type Session } from '../session.ts';
import { taskJson } from '../task-view.ts';
import { handOver } from './submit.ts';
import { tell as tellQueue } from '../../worker/tell.ts';

export async function cancel(ref: string, options: Output & { reason?: string }): Promise<void> {
  await withStore({ create: false }, async (session) => {
    const { id } = await findTask(session, ref);
    const why = options.reason ?? 'cancelled with agentq';
    const { task: before, changed } = await session.store.transaction(async (tables) => {
      const task = await mustGet(tables.tasks.get(id), id);
      if (!isLive(task.state)) return { task, changed: false };
      assertOurs(task);
      await cancelTask(tables, task, why, session.now);
      await tellQueue(
        tables,
        {
          id: `${task.id}:r${task.round}:cancelled:label`,
          taskId: task.id,
          attemptId: null,
          queue: task.queue,
          body: { kind: 'label', label: null },
        },
        session.now,
      );
      await tellQueue(
        tables,
        {
          id: `${task.id}:r${task.round}:cancelled`,
          taskId: task.id,
          attemptId: null,
          queue: task.queue,
          body: { kind: 'comment', text: `■ Cancelled: ${why}${signature(session.store.id)}` },
        },
        session.now,
      );
      return { task, changed: true };
    });
    session.store.ring();
    await tell(session, id, changed ? 'cancelled' : 'not changed: it had already ended', options);
    try {
      // Also when it was cancelled before: that command may have ended before it could leave the mark.
      if (before.availableAt === withBroker && (changed || before.state === 'cancelled'))
        await withdraw(session, before, why);
    } finally {
      if (changed) await handOver(session);
    }
  });
}

async function withdraw(session: Session, { id, meta }: Task, reason: string): Promise<void> {
  const withdrawal = { taskId: id, reason, redrive: meta.envelope?.redrive };
  await markWithdrawn(await session.artifacts(), withdrawal, session.now);
}

/** An agent may stop what it has asked for, and nothing else. */
function assertOurs(task: Task): void {
  if (!isAgent() || task.parentId === process.env['AGENT_TASK_ID']) return;
  throw new AppError('BAD_USAGE', `an agent can cancel only tasks that it has submitted, got: ${task.id}`);
}

/** An answer, a follow-up, `approve` or `reject`. Recorded once; the first answer to a question wins. */
export async function answer(ref: string, text: string, options: Output): Promise<void> {
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
      if (task.availableAt === withBroker)
        throw new AppError('CONFLICT', `${task.id} runs on another machine, which has asked`, {
          hints: ['answer it there: agentq inbox on that machine shows the question'],
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
        await tellQueue(
          tables,
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
    refuseSecrets(options.edit ?? '', session.settings.env, '--edit');
    await session.store.transaction(async (tables) => {
      const task = await mustGet(tables.tasks.get(id), id);
      if (task.state === 'running' || task.state === 'queued' || task.state === 'waiting')
        throw new AppError('CONFLICT', `${task.id} is ${task.state}: it runs anyway`, {
          hints: [`agentq show ${task.id}`],
        });
      const role = openRoles(session.settings)
        .current()
        .find((known) => known.name === task.role);
      await putBack(
        tables,
        { task, role, why: 'redriven with agentq', description: options.edit },
        session.now,
      );
    });
    session.store.ring();
    await tell(session, id, 'queued again', options);
    await handOver(session);
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
