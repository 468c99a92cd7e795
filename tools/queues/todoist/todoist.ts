/**
 * Todoist as a queue: one incremental sync request tells what changed, however long the lists are; reports go out as
 * sync commands with a stored uuid, so that a repeated one has no second effect. Reads and writes never share a
 * request: the SDK drops what was read when a write fails.
 */
import { randomUUID } from 'node:crypto';
import { hasCode, messageOf } from '../../errors.ts';
import type { AgentLabel, Prepared, Queue, Report, TaskSnapshot } from '../queue.ts';
import { type ClientOptions, openClient, type TodoistClient } from './client.ts';
import { assertCommand, isCommand, itemUpdate, noteAdd, noteUpdate } from './commands.ts';
import { deltaOf, merged, missingFrom, type Reading, readingOf, tokenFor } from './delta.ts';
import { isKind } from './failures.ts';
import { labelStep, withOurs } from './labels.ts';
import type { Unreadable } from './mend-objects.ts';
import { commentSnapshot, deletedTask } from './snapshots.ts';

export type TodoistOptions = ClientOptions;

export function openTodoistQueue(options: TodoistOptions): Queue {
  const client = openClient(options);
  let scope: ReadonlySet<string> = new Set();
  return {
    name: 'todoist',
    supports: { poll: true, editComments: true },
    projects: () => client.projects(),
    watch: (projects) => {
      scope = new Set(projects.map((project) => project.id));
    },
    poll: async (cursor, knownIds) => {
      const view = { scope, known: new Set(knownIds) };
      const reading = await read(client, tokenFor(cursor, view.scope));
      return deltaOf(reading, view, await makeSure(client, missingFrom(reading, view.known)));
    },
    comments: async (taskId) =>
      (await client.comments(taskId)).map((comment) => commentSnapshot(comment, taskId)),
    prepare: async (report, previous) => {
      if (report.body.kind === 'label') return prepareLabel(client, report, report.body.label, previous);
      // What is for programs is told by a broker alone.
      if (!('text' in report.body)) return { done: { status: 'sent' } };
      // The uuid makes it harmless to send the same comment again, whatever became of it the first time.
      if (isCommand(previous, 'note_add')) return { command: previous };
      return { command: noteAdd(report, report.body.text) };
    },
    send: async (stored) => {
      const command = assertCommand(stored);
      const made = await client.run(command);
      if (made === 'gone') return { status: 'gone' };
      if (command.type === 'item_update') return { status: 'sent', labels: command.args.labels };
      return made.nativeId === undefined ? { status: 'sent' } : { status: 'sent', nativeId: made.nativeId };
    },
    editComment: async (commentId, text) =>
      (await client.run(noteUpdate(commentId, text, randomUUID()))) !== 'gone',
    close: async () => client.close(),
  };
}

/** A full reading may lag behind on big accounts, so one incremental follows it at once. */
async function read(client: TodoistClient, token: string): Promise<Reading> {
  const first = await readSince(client, token).catch((error: unknown) => {
    if (token !== '*' && isKind(error, 'stale-token')) return readSince(client, '*');
    throw error;
  });
  return first.full ? merged(first, await readSince(client, first.token)) : first;
}

/** What was asked for in full is full, whether the answer says so or not. */
async function readSince(client: TodoistClient, token: string): Promise<Reading> {
  const reading = readingOf(await client.read(token));
  return { ...reading, full: reading.full || token === '*' };
}

/** Full readings hold active tasks only; why a known one is not there must be asked, never guessed. */
async function makeSure(
  client: TodoistClient,
  missing: readonly string[],
): Promise<{ tasks: TaskSnapshot[]; unreadable: Unreadable[] }> {
  const tasks: TaskSnapshot[] = [];
  const unreadable: Unreadable[] = [];
  for (const nativeId of missing)
    try {
      tasks.push((await client.task(nativeId)) ?? deletedTask(nativeId));
    } catch (error) {
      if (!isKind(error, 'unreadable') && !hasCode(error, 'QUEUE_REJECTED')) throw error;
      unreadable.push({ nativeId, within: undefined, problem: messageOf(error) });
    }
  return { tasks, unreadable };
}

async function prepareLabel(
  client: TodoistClient,
  report: Report,
  target: AgentLabel | null,
  previous: unknown,
): Promise<Prepared> {
  const task = await client.task(report.nativeTaskId);
  if (task?.presence !== 'open') return { done: { status: 'gone' } };
  const before = isCommand(previous, 'item_update') ? previous : undefined;
  const step = labelStep(task.labels, target, before?.base);
  if (step === 'done') return { done: { status: 'sent', labels: task.labels } };
  if (step === 'repeat') return { command: before };
  const labels = withOurs(task.labels, target);
  // A uuid that was used may have been executed, and would then be ignored.
  const uuid = before ? randomUUID() : report.uuid;
  return { command: itemUpdate(task.nativeId, { base: task.labels, labels, uuid }) };
}
