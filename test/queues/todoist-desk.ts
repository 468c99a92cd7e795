/** A Todoist with one watched project, and the queue on it, for one test. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { onTestFinished } from 'vitest';
import { AppError } from '../../tools/errors.ts';
import type { AgentLabel, Queue, QueueDelta, Receipt } from '../../tools/queues/queue.ts';
import { openTodoistQueue, type TodoistOptions } from '../../tools/queues/todoist/todoist.ts';
import {
  startTodoistServer,
  type TodoistServer,
  type TodoistServerOptions,
} from '../fakes/todoist-server.ts';

export interface Desk {
  server: TodoistServer;
  queue: Queue;
  projectId: string;
  /** A task on the desk. */
  task: (content: string, more?: Partial<Parameters<TodoistServer['addTask']>[0]>) => string;
  /** Requests since the last look, as "METHOD path". */
  requests: () => string[];
  /** A poll from nothing; its cursor. */
  start: () => Promise<string>;
  /** A second queue on the same account: what a restarted worker has. */
  restarted: (more?: Partial<TodoistOptions>) => Queue;
}

interface DeskOptions extends Partial<Omit<TodoistOptions, 'token' | 'baseUrl'>> {
  server?: TodoistServerOptions;
}

export async function openDesk({ server: serverOptions, ...options }: DeskOptions = {}): Promise<Desk> {
  const server = await startTodoistServer(serverOptions);
  const { id: projectId } = server.addProject('LinkedIn Writer');
  const queues: Queue[] = [];
  const open = (more: Partial<TodoistOptions> = {}): Queue => {
    const queue = openTodoistQueue({ token: server.token, baseUrl: server.url, ...options, ...more });
    queue.watch([{ id: projectId, name: 'LinkedIn Writer' }]);
    queues.push(queue);
    return queue;
  };
  onTestFinished(async () => {
    for (const queue of queues) await queue.close();
    await server.shutdown();
  });
  const queue = open();
  let looked = 0;
  return {
    server,
    queue,
    projectId,
    task: (content, more = {}) => server.addTask({ projectId, content, ...more }).id,
    requests: () => {
      const made = server.calls.slice(looked).map((call) => `${call.method} ${call.path}`);
      looked = server.calls.length;
      return made;
    },
    start: async () => (await queue.poll(undefined, [])).cursor,
    restarted: open,
  };
}

/** Somebody else than Todoist, at this address. */
export async function stranger(
  answer: (request: IncomingMessage, response: ServerResponse) => unknown,
): Promise<string> {
  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
}

/** What is thrown, as an AppError. */
export async function failureOf(doing: Promise<unknown>): Promise<AppError> {
  try {
    await doing;
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('expected it to fail, and it did not');
}

export function presences(delta: QueueDelta): Record<string, string> {
  return Object.fromEntries(delta.tasks.map((task) => [task.nativeId, task.presence]));
}

let reports = 0;
const report = (
  nativeTaskId: string,
  body: Parameters<Queue['prepare']>[0]['body'],
): Parameters<Queue['prepare']>[0] => ({
  id: `report-${(reports += 1)}`,
  nativeTaskId,
  uuid: crypto.randomUUID(),
  body,
});

export const commentOn = (taskId: string, text: string) => report(taskId, { kind: 'comment', text });
export const labelOn = (taskId: string, label: AgentLabel | null) => report(taskId, { kind: 'label', label });

/** Prepares and sends, as the worker does. */
export async function deliver(
  queue: Queue,
  one: Parameters<Queue['prepare']>[0],
  previous?: unknown,
): Promise<Receipt> {
  const prepared = await queue.prepare(one, previous);
  return 'done' in prepared ? prepared.done : queue.send(prepared.command);
}

export async function commandFor(
  queue: Queue,
  one: Parameters<Queue['prepare']>[0],
  previous?: unknown,
): Promise<unknown> {
  const prepared = await queue.prepare(one, previous);
  if ('done' in prepared) throw new Error(`expected a command, got: ${JSON.stringify(prepared)}`);
  return prepared.command;
}
