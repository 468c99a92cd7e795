import { describe, expect, it } from 'vitest';
import { openDesk, presences, stranger } from './todoist-desk.ts';

describe('polling Todoist', () => {
  it('yields all that is open on the desk at first, and then only what has changed', async () => {
    const { server, queue, task } = await openDesk();
    const first = task('First', {
      description: 'Audience: founders',
      labels: ['home'],
      priority: 4,
      order: 7,
    });
    task('Second');
    server.comment(first, 'Make it short');
    const all = await queue.poll(undefined, []);
    expect(all.full).toBe(true);
    expect(all.tasks.map((one) => one.title)).toEqual(['First', 'Second']);
    expect(all.tasks[0]).toMatchObject({
      description: 'Audience: founders',
      labels: ['home'],
      priority: 1,
      position: 7,
    });
    expect(all.comments).toMatchObject([{ taskNativeId: first, text: 'Make it short', deleted: false }]);

    server.edit(first, { content: 'First, better' });
    const changed = await queue.poll(
      all.cursor,
      all.tasks.map((one) => one.nativeId),
    );
    expect(changed).toMatchObject({ full: false, tasks: [{ title: 'First, better' }], comments: [] });
    expect(await queue.poll(changed.cursor, [first])).toMatchObject({ full: false, tasks: [], comments: [] });
  });

  it('asks one request of less than 1 kB when nothing has changed, however long the list', async () => {
    const { server, queue, requests } = await openDesk();
    const desks = Array.from({ length: 4 }, (_, n) => server.addProject(`Desk ${n}`));
    for (const { id: projectId } of desks)
      for (let n = 0; n < 250; n += 1)
        server.comment(server.addTask({ projectId, content: `Task ${n}` }).id, 'A comment');
    queue.watch(desks);
    const all = await queue.poll(undefined, []);
    expect(all.tasks).toHaveLength(1000);
    expect(all.comments).toHaveLength(1000);
    expect(requests()).toEqual(['POST sync', 'POST sync']);

    const known = all.tasks.map((one) => one.nativeId);
    await queue.poll(all.cursor, known);
    expect(requests()).toEqual(['POST sync']);
    const idle = server.calls.at(-1);
    expect((idle?.bytesIn ?? 0) + (idle?.bytesOut ?? 0)).toBeLessThan(1000);
  });

  it('keeps its connection from poll to poll', async () => {
    const { server, queue, start } = await openDesk();
    let cursor = await start();
    for (let n = 0; n < 5; n += 1) cursor = (await queue.poll(cursor, [])).cursor;
    const connections = server.calls.slice(-4).map((call) => call.connection);
    expect(Math.max(...connections)).toBeLessThanOrEqual(2);
  });

  it('tells due dates and deadlines in local time', async () => {
    const { task, queue } = await openDesk();
    task('Day', { due: '2026-12-01', deadline: '2026-12-02' });
    task('Floating', { due: '2026-12-01T09:30:00' });
    task('Fixed', { due: '2026-12-01T09:30:00Z' });
    task('Daily', { due: '2026-12-01', recurring: 'every day' });
    const [day, floating, fixed, daily] = (await queue.poll(undefined, [])).tasks;
    expect(day?.due).toEqual({
      date: '2026-12-01',
      at: new Date(2026, 11, 1).getTime(),
      recurring: false,
      text: '2026-12-01',
    });
    expect(day?.deadlineAt).toBe(new Date(2026, 11, 3).getTime() - 1);
    expect(floating?.due?.at).toBe(new Date(2026, 11, 1, 9, 30).getTime());
    expect(fixed?.due?.at).toBe(Date.UTC(2026, 11, 1, 9, 30));
    expect(daily?.due).toMatchObject({ recurring: true, text: 'every day' });
  });

  it('shows sub-tasks with their parent, and says nothing of other projects', async () => {
    const { server, queue, task } = await openDesk();
    const parent = task('Parent');
    task('Child', { parentId: parent });
    const elsewhere = server.addTask({ projectId: server.addProject('Groceries').id, content: 'Milk' });
    server.comment(elsewhere.id, 'two litres');
    const delta = await queue.poll(undefined, []);
    expect(delta.tasks.map((one) => [one.title, one.parentId])).toEqual([
      ['Parent', undefined],
      ['Child', parent],
    ]);
    expect(delta.comments).toEqual([]);
    server.comment(elsewhere.id, 'or three');
    server.edit(elsewhere.id, { content: 'Oat milk' });
    expect(await queue.poll(delta.cursor, [parent])).toMatchObject({
      tasks: [],
      comments: [],
      unreadable: [],
    });
  });

  it('yields a comment on a known task whose own record did not change', async () => {
    const { server, queue, task, start } = await openDesk();
    const id = task('Write');
    const cursor = await start();
    const note = server.comment(id, 'Shorter, please', {
      file_name: 'notes.pdf',
      file_url: 'https://files.example/notes.pdf',
    });
    const delta = await queue.poll(cursor, [id]);
    expect(delta.tasks).toEqual([]);
    expect(delta.comments).toMatchObject([{ nativeId: note.id, taskNativeId: id, attachment: 'notes.pdf' }]);
    server.deleteComment(note.id);
    expect((await queue.poll(delta.cursor, [id])).comments).toMatchObject([
      { nativeId: note.id, deleted: true },
    ]);
  });

  it('tells of known tasks that were closed, deleted or moved away', async () => {
    const { server, queue, task, start } = await openDesk();
    const [closed, deleted, moved] = [task('Close me'), task('Delete me'), task('Move me')];
    const cursor = await start();
    const other = server.addProject('Groceries').id;
    server.close(closed);
    server.delete(deleted);
    server.move(moved, other);
    const delta = await queue.poll(cursor, [closed, deleted, moved]);
    expect(presences(delta)).toEqual({ [closed]: 'closed', [deleted]: 'deleted', [moved]: 'open' });
    expect(delta.tasks.find((one) => one.nativeId === moved)?.projectId).toBe(other);
  });

  it('shows a recurring task that was closed as open, at its next date, with its label', async () => {
    const { server, queue, task, start } = await openDesk();
    const id = task('Weekly', { due: '2026-12-01', recurring: 'every week', labels: ['agent-done'] });
    const cursor = await start();
    server.close(id);
    expect((await queue.poll(cursor, [id])).tasks).toMatchObject([
      { presence: 'open', labels: ['agent-done'], due: { date: '2026-12-08' } },
    ]);
  });
});

describe('reading everything again', () => {
  it('makes sure of each known task that is missing: closed, deleted or moved while away', async () => {
    const { server, queue, task, start, requests } = await openDesk();
    const [closed, deleted, moved, kept] = [task('Close'), task('Delete'), task('Move'), task('Keep')];
    const cursor = await start();
    server.close(closed);
    server.delete(deleted);
    const other = server.addProject('Groceries').id;
    server.move(moved, other);
    server.expireTokens('refuse');
    requests();
    const delta = await queue.poll(cursor, [closed, deleted, moved, kept]);
    expect(delta.full).toBe(true);
    expect(presences(delta)).toEqual({
      [closed]: 'closed',
      [deleted]: 'deleted',
      [moved]: 'open',
      [kept]: 'open',
    });
    expect(delta.tasks.find((one) => one.nativeId === moved)?.projectId).toBe(other);
    expect(requests()).toEqual([
      'POST sync',
      'POST sync',
      'POST sync',
      `GET tasks/${closed}`,
      `GET tasks/${deleted}`,
    ]);
  });

  it.each(['refuse', 'full'] as const)('goes on after its token has expired (%s)', async (how) => {
    const { server, queue, task, start } = await openDesk();
    const cursor = await start();
    task('New');
    server.expireTokens(how);
    const delta = await queue.poll(cursor, []);
    expect(delta).toMatchObject({ full: true, tasks: [{ title: 'New' }] });
    expect(await queue.poll(delta.cursor, [])).toMatchObject({ full: false, tasks: [] });
  });

  it('does so when other projects are watched, and not when they are named in another order', async () => {
    const { server, queue, task, projectId } = await openDesk();
    const second = server.addProject('Newsletter Editor');
    server.addTask({ projectId: second.id, content: 'Issue 12' });
    task('Post');
    const watched = [
      { id: projectId, name: '' },
      { id: second.id, name: '' },
    ];
    const one = await queue.poll(undefined, []);
    queue.watch(watched);
    const both = await queue.poll(
      one.cursor,
      one.tasks.map((item) => item.nativeId),
    );
    expect(both.full).toBe(true);
    expect(both.tasks.map((item) => item.title)).toEqual(['Issue 12', 'Post']);
    queue.watch(watched.toReversed());
    expect((await queue.poll(both.cursor, [])).full).toBe(false);
  });

  it('reports tasks of a project that is no longer watched as moved, without asking after each', async () => {
    const { server, queue, task, start, requests } = await openDesk();
    const id = task('Post');
    const cursor = await start();
    const other = server.addProject('Groceries');
    queue.watch([other]);
    requests();
    const delta = await queue.poll(cursor, [id]);
    expect(delta.tasks).toMatchObject([{ nativeId: id, presence: 'open' }]);
    expect(requests()).toEqual(['POST sync', 'POST sync']);
  });

  it('follows a full answer that lags behind with an incremental one', async () => {
    const { server, queue, task } = await openDesk();
    const id = task('Old title');
    const gone = task('Closed meanwhile');
    server.lagNextFull();
    server.edit(id, { content: 'New title' });
    server.close(gone);
    const delta = await queue.poll(undefined, [gone]);
    expect(delta.tasks.find((one) => one.nativeId === id)?.title).toBe('New title');
    expect(presences(delta)[gone]).toBe('closed');
  });

  it('takes what was asked for in full as full, though the answer does not say so', async () => {
    const baseUrl = await stranger((_, response) => response.end('{"sync_token":"T","items":[],"notes":[]}'));
    const { restarted } = await openDesk();
    expect(await restarted({ baseUrl }).poll(undefined, [])).toMatchObject({ full: true, tasks: [] });
  });

  it('names the tasks whose comments Todoist left out', async () => {
    const { server, queue, task } = await openDesk();
    const id = task('Chatty');
    server.comment(id, 'one of many');
    server.omitNotes(id);
    const delta = await queue.poll(undefined, []);
    expect(delta.comments).toEqual([]);
    expect(delta.commentsIncomplete).toEqual([id]);
    expect(await queue.comments(id)).toMatchObject([{ text: 'one of many' }]);
  });

  it('takes a cursor it does not know for none', async () => {
    const { queue, task } = await openDesk();
    task('Post');
    for (const cursor of ['', 'nonsense', '{}', '{"token":7}', 'null'])
      expect(await queue.poll(cursor, [])).toMatchObject({ full: true, tasks: [{ title: 'Post' }] });
  });
});

describe('lists in pages', () => {
  it('reads all projects, and not the archived ones', async () => {
    const { server, queue, requests } = await openDesk();
    for (let n = 0; n < 450; n += 1) server.addProject(`Project ${n}`);
    server.archiveProject(server.projects().at(-1)?.id ?? '');
    requests();
    const projects = await queue.projects();
    expect(projects).toHaveLength(450);
    expect(projects[0]).toEqual({ id: expect.any(String), name: 'LinkedIn Writer' });
    expect(requests()).toEqual(['GET projects', 'GET projects', 'GET projects']);
  });

  it('reads all comments, each once, though they move from page to page', async () => {
    const { server, queue, task } = await openDesk();
    const id = task('Chatty');
    const [first] = Array.from({ length: 401 }, (_, n) => server.comment(id, `Comment ${n}`).id);
    // What is on the first page is met again on the last.
    server.mangle(server.comments(id).at(-1)?.id ?? '', (note) => ({ ...note, id: first }));
    const ids = (await queue.comments(id)).map((one) => one.nativeId);
    expect(ids).toHaveLength(400);
    expect(new Set(ids).size).toBe(400);
  });
});
