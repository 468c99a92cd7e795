import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { TodoistApi } from '@doist/todoist-api-typescript';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startTodoistServer, type TodoistServer, type TodoistServerOptions } from './todoist-server.ts';

type Json = Record<string, unknown>;

async function open(
  options: TodoistServerOptions = {},
): Promise<{ server: TodoistServer; projectId: string; sync: (body: Json) => Promise<Json> }> {
  const server = await startTodoistServer(options);
  onTestFinished(() => server.shutdown());
  const sync = async (body: Json): Promise<Json> => (await request(server, 'POST', 'sync', body)).body;
  return { server, projectId: server.addProject('LinkedIn Writer').id, sync };
}

async function request(
  server: { url: string; token: string },
  method: string,
  path: string,
  body?: unknown,
): Promise<{ status: number; body: Json }> {
  const response = await fetch(`${server.url}/api/v1/${path}`, {
    method,
    headers: { authorization: `Bearer ${server.token}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? {} : (JSON.parse(text) as Json) };
}

const reads = { resource_types: ['items', 'notes'] };
const noteAdd = (uuid: string, item_id: string, content: string): Json => ({
  type: 'note_add',
  uuid,
  temp_id: `temp-${uuid}`,
  args: { item_id, content },
});

/** What 30 requests meet when half of them fail. */
async function luck(seed: number): Promise<number[]> {
  const { server } = await open({ seed });
  server.fault({ kind: 500, rate: 0.5 });
  for (let n = 0; n < 30; n += 1)
    await fetch(`${server.url}/api/v1/projects`).then((response) => response.text());
  return server.calls.map((call) => call.status);
}

describe('the fake Todoist', () => {
  it('satisfies the real SDK', async () => {
    const { server, projectId } = await open();
    const api = new TodoistApi(server.token, { baseUrl: server.url });
    const task = await api.addTask({
      content: 'Post',
      projectId,
      labels: ['home'],
      priority: 4,
      dueDate: '2026-12-01',
      deadlineDate: '2026-12-02',
    });
    expect(task).toMatchObject({
      content: 'Post',
      labels: ['home'],
      priority: 4,
      due: { date: '2026-12-01' },
      deadline: { date: '2026-12-02' },
    });
    await api.updateTask(task.id, { labels: ['home', 'urgent'] });
    const comment = await api.addComment({ taskId: task.id, content: 'Hello' });
    await api.updateComment(comment.id, { content: 'Hello again' });
    expect((await api.getComments({ taskId: task.id })).results.map((one) => one.content)).toEqual([
      'Hello again',
    ]);
    expect((await api.getTasks({ projectId })).results.map((one) => one.labels)).toEqual([
      ['home', 'urgent'],
    ]);
    expect((await api.getProjects()).results.map((one) => one.name)).toEqual(['LinkedIn Writer']);
    await api.closeTask(task.id);
    expect((await api.getTask(task.id)).checked).toBe(true);
    await api.reopenTask(task.id);
    await api.deleteTask(task.id);
    await expect(api.getTask(task.id)).rejects.toMatchObject({ httpStatusCode: 404 });
  });

  it('executes a uuid once, and answers a replay alike', async () => {
    const { server, projectId, sync } = await open();
    const { id } = server.addTask({ projectId, content: 'Post' });
    const first = await sync({ commands: [noteAdd('u1', id, 'once')] });
    expect(await sync({ commands: [noteAdd('u1', id, 'once')] })).toEqual(first);
    expect(first).toMatchObject({
      sync_status: { u1: 'ok' },
      temp_id_mapping: { 'temp-u1': server.comments(id)[0]?.id },
    });
    expect(server.comments(id)).toHaveLength(1);
  });

  it('fails commands one by one inside a 200', async () => {
    const { server, projectId, sync } = await open();
    const { id } = server.addTask({ projectId, content: 'Post' });
    const answer = await sync({
      commands: [
        noteAdd('u1', 'nowhere', 'x'),
        noteAdd('u2', id, 'x'),
        noteAdd('u3', id, 'x'.repeat(15_001)),
        noteAdd('u4', id, '🙂'.repeat(15_000)),
      ],
    });
    expect(answer['sync_status']).toMatchObject({
      u1: { error_code: 22, error_tag: 'ITEM_NOT_FOUND', http_code: 404 },
      u2: 'ok',
      u3: { error_tag: 'INVALID_ARGUMENT_VALUE', http_code: 400 },
      u4: 'ok',
    });
  });

  it('shows in a delta what changed since, its own writes too, and in full only what is active', async () => {
    const { server, projectId, sync } = await open();
    const [a, b, c] = ['A', 'B', 'C'].map((content) => server.addTask({ projectId, content }).id) as [
      string,
      string,
      string,
    ];
    const full = await sync({ sync_token: '*', ...reads });
    expect(full).toMatchObject({ full_sync: true, items: [{ id: a }, { id: b }, { id: c }] });
    await sync({ commands: [noteAdd('u1', a, 'ours')] });
    server.close(b);
    server.delete(c);
    const delta = await sync({ sync_token: full['sync_token'], ...reads });
    expect(delta).toMatchObject({
      full_sync: false,
      items: [
        { id: b, checked: true },
        { id: c, is_deleted: true },
      ],
      notes: [{ item_id: a, content: 'ours' }],
    });
    expect((await sync({ sync_token: '*', ...reads }))['items']).toMatchObject([{ id: a }]);
  });

  it('moves a recurring task on, and completes sub-tasks of any other', async () => {
    const { server, projectId } = await open();
    const daily = server.addTask({
      projectId,
      content: 'Daily',
      due: '2026-12-31',
      recurring: 'every day',
      labels: ['x'],
    });
    expect(server.close(daily.id)).toMatchObject({
      checked: false,
      labels: ['x'],
      due: { date: '2027-01-01', is_recurring: true },
    });
    const parent = server.addTask({ projectId, content: 'Parent' });
    const child = server.addTask({ projectId, content: 'Child', parentId: parent.id });
    server.close(parent.id);
    expect(server.task(child.id).checked).toBe(true);
    server.reopen(child.id);
    expect(server.task(parent.id).checked).toBe(false);
  });

  it('enforces what Todoist limits', async () => {
    const { server, projectId, sync } = await open();
    for (let n = 0; n < 300; n += 1) server.addTask({ projectId, content: `Task ${n}` });
    expect(
      await request(server, 'POST', 'tasks', { project_id: projectId, content: 'One more' }),
    ).toMatchObject({ status: 403, body: { error_code: 49, error_tag: 'MAX_ITEMS_LIMIT_REACHED' } });
    expect((await request(server, 'GET', 'tasks?limit=201')).status).toBe(400);
    expect((await request({ url: server.url, token: 'wrong' }, 'GET', 'tasks')).status).toBe(401);
    expect((await request(server, 'POST', 'sync', { filler: 'x'.repeat(1024 * 1024) })).status).toBe(413);
    const commands = Array.from({ length: 101 }, (_, n) => noteAdd(`u${n}`, 'x', 'x'));
    expect(await sync({ commands })).toMatchObject({ http_code: 400 });
    expect(
      await request(server, 'POST', 'tasks', {
        project_id: server.addProject('B').id,
        content: 'x'.repeat(501),
      }),
    ).toMatchObject({ status: 400 });
  });

  it('limits requests in any 15 minutes, full readings apart', async () => {
    let now = 0;
    const { sync } = await open({ now: () => now, limits: { fullSync: 1, partialSync: 2 } });
    const { sync_token } = await sync({ sync_token: '*', ...reads });
    expect(await sync({ sync_token: '*', ...reads })).toMatchObject({
      error_code: 35,
      error_tag: 'LIMITS_REACHED',
      error_extra: { retry_after: 900 },
    });
    await sync({ sync_token, ...reads });
    now = 60_000;
    await sync({ sync_token, ...reads });
    expect(await sync({ sync_token, ...reads })).toMatchObject({ error_extra: { retry_after: 840 } });
    now = 15 * 60_000;
    expect(await sync({ sync_token, ...reads })).toMatchObject({ full_sync: false });
  });

  it('plays faults as often as it is told, on what it is told', async () => {
    const { server } = await open();
    server.fault({ kind: 503, match: /^GET tasks/, times: 2 });
    const statuses = [];
    for (const path of ['projects', 'tasks', 'tasks', 'tasks'])
      statuses.push(
        (
          await fetch(`${server.url}/api/v1/${path}`, {
            headers: { authorization: `Bearer ${server.token}` },
          })
        ).status,
      );
    expect(statuses).toEqual([200, 503, 503, 200]);
  });

  it('plays them by chance alike for the same seed', async () => {
    const first = await luck(7);
    expect(new Set(first)).toEqual(new Set([401, 500]));
    expect(await luck(7)).toEqual(first);
    expect(await luck(8)).not.toEqual(first);
  });

  it('runs by itself, for tests that kill what talks to it', async () => {
    const program = fileURLToPath(new URL('./todoist-server.ts', import.meta.url));
    const child = spawn(process.execPath, [program, '--projects', 'LinkedIn Writer, Newsletter Editor'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void child.kill());
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const { port, token, projects } = JSON.parse(line.toString()) as {
      port: number;
      token: string;
      projects: { id: string; name: string }[];
    };
    expect(projects.map((one) => one.name)).toEqual(['LinkedIn Writer', 'Newsletter Editor']);
    const server = { url: `http://127.0.0.1:${port}`, token };
    const made = await request(server, 'POST', 'tasks', { project_id: projects[0]?.id, content: 'Post' });
    expect(made).toMatchObject({ status: 200, body: { content: 'Post' } });
    await fetch(`${server.url}/control/fault`, {
      method: 'POST',
      body: JSON.stringify({ kind: 503, match: '^GET tasks' }),
    });
    expect((await fetch(`${server.url}/api/v1/tasks`)).status).toBe(503);
    const calls = (await (await fetch(`${server.url}/control/calls`)).json()) as Json[];
    expect(calls.map((call) => call['status'])).toEqual([200, 503]);
  });
});
