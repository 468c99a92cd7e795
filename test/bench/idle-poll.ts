/** What an idle poll costs with 1,000 open tasks in the account, beside listing all tasks each time. */
import { TodoistApi } from '@doist/todoist-api-typescript';
import { openTodoistQueue } from '../../tools/queues/todoist/todoist.ts';
import { startTodoistServer, type TodoistServer } from '../fakes/todoist-server.ts';
import { ratio, say } from './worker-program.ts';

const projects = 4;
const tasksEach = 250;

export async function idlePoll(): Promise<void> {
  const server = await startTodoistServer();
  try {
    await measure(server);
  } finally {
    await server.shutdown();
  }
}

async function measure(server: TodoistServer): Promise<void> {
  for (let index = 0; index < projects; index += 1) {
    const { id } = server.addProject(`Desk ${index}`);
    for (let task = 0; task < tasksEach; task += 1)
      server.addTask({
        projectId: id,
        content: `Task ${task}`,
        description: 'Some words on what is wanted here.',
      });
  }
  const queue = openTodoistQueue({ token: server.token, baseUrl: server.url });
  queue.watch((await queue.projects()).slice(0, 1));
  const first = await queue.poll(undefined, []);
  const before = server.calls.length;
  await queue.poll(
    first.cursor,
    first.tasks.map((task) => task.nativeId),
  );
  const poll = cost(server, before);

  const api = new TodoistApi(server.token, { baseUrl: server.url });
  const listedFrom = server.calls.length;
  let cursor: string | null = null;
  do {
    const page = await api.getTasks({ limit: 200, ...(cursor === null ? {} : { cursor }) });
    cursor = page.nextCursor;
  } while (cursor !== null);
  const listing = cost(server, listedFrom);
  await queue.close();

  say(`idle poll, ${projects * tasksEach} open tasks in the account`);
  say(`  incremental sync   ${poll.requests} request, ${poll.bytes} bytes`);
  say(`  listing all tasks  ${listing.requests} requests, ${listing.bytes} bytes (comments not counted)`);
  say(`  ratio              ${ratio(poll.bytes, listing.bytes)} of the bytes`);
}

function cost(server: TodoistServer, from: number): { requests: number; bytes: number } {
  const calls = server.calls.slice(from);
  return {
    requests: calls.length,
    bytes: calls.reduce((sum, call) => sum + call.bytesIn + call.bytesOut, 0),
  };
}
