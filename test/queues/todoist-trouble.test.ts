import { text } from 'node:stream/consumers';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { hasCode } from '../../tools/errors.ts';
import { openTodoistQueue } from '../../tools/queues/todoist/todoist.ts';
import type { FaultKind } from '../fakes/faults.ts';
import { commandFor, commentOn, failureOf, labelOn, openDesk, presences, stranger } from './todoist-desk.ts';

describe('when Todoist cannot be read', () => {
  const kinds: FaultKind[] = [
    500,
    502,
    503,
    'html-200',
    'empty-200',
    'truncated',
    'reset-before',
    'commit-then-drop',
    'stall',
    'slow-body',
  ];

  it.each(kinds)('throws QUEUE_UNAVAILABLE, and the same cursor serves again (%s)', async (kind) => {
    const { server, queue, task, start, requests } = await openDesk({ timeoutMs: 300 });
    const cursor = await start();
    task('New');
    server.fault({ kind });
    requests();
    expect((await failureOf(queue.poll(cursor, []))).code).toBe('QUEUE_UNAVAILABLE');
    expect(requests()).toEqual(['POST sync']);
    expect((await queue.poll(cursor, [])).tasks).toMatchObject([{ title: 'New' }]);
  });

  it.each(kinds)('every other call says the same (%s)', async (kind) => {
    const { server, queue, task } = await openDesk({ timeoutMs: 100 });
    const id = task('Post');
    const calls = [
      () => queue.projects(),
      () => queue.comments(id),
      () => queue.prepare(labelOn(id, 'agent-done'), undefined),
      () => queue.editComment('6X7', 'text'),
    ];
    for (const call of calls) {
      server.fault({ kind });
      expect((await failureOf(call())).code).toBe('QUEUE_UNAVAILABLE');
    }
  });

  it('waits for headers and body no longer than it may', async () => {
    const { server, queue, requests } = await openDesk({ timeoutMs: 250 });
    for (const kind of ['stall', 'slow-body'] as const) {
      server.fault({ kind, delayMs: 20 });
      requests();
      const began = performance.now();
      const failure = await failureOf(queue.poll(undefined, []));
      expect(performance.now() - began).toBeLessThan(2000);
      expect(failure.message).toBe('Todoist did not answer POST sync within 0.25 s');
      expect(requests()).toEqual(['POST sync']);
    }
  });

  it('says so when nobody listens', async () => {
    const { server, restarted } = await openDesk();
    const queue = restarted();
    await server.shutdown();
    const failure = await failureOf(queue.projects());
    expect(failure).toMatchObject({ code: 'QUEUE_UNAVAILABLE' });
    expect(failure.message).toContain('ECONNREFUSED');
  });

  it('a failure in the middle of a full reading changes nothing', async () => {
    const { server, queue, task } = await openDesk();
    const known = task('Closed while away');
    server.close(known);
    server.fault({ kind: 503, match: /^GET tasks/ });
    expect((await failureOf(queue.poll(undefined, [known]))).code).toBe('QUEUE_UNAVAILABLE');
    expect(presences(await queue.poll(undefined, [known]))).toEqual({ [known]: 'closed' });
  });

  it('ends what is under way when it is closed, and refuses what comes later', async () => {
    const { server, queue } = await openDesk();
    server.fault({ kind: 'stall' });
    const arrived = server.nextCall(/sync/);
    const polling = failureOf(queue.poll(undefined, []));
    await arrived;
    await queue.close();
    expect(await polling).toMatchObject({
      code: 'QUEUE_UNAVAILABLE',
      message: 'the Todoist queue was closed',
    });
    expect((await failureOf(queue.projects())).code).toBe('QUEUE_UNAVAILABLE');
  });
});

describe('what is not Todoist’s answer', () => {
  it.each([
    ['HTML', '<html>404 Not Found</html>'],
    ['plain text', '404 page not found'],
    ['JSON of somebody else', '{"message":"no route"}'],
  ])('a 404 as %s never means that a task is deleted', async (_, body) => {
    const { server, task, restarted } = await openDesk();
    const known = task('Alive');
    server.close(known);
    const proxy = await stranger(async (request, response) => {
      if (request.method === 'GET') return response.writeHead(404).end(body);
      const forwarded = await fetch(`${server.url}${request.url}`, {
        method: 'POST',
        headers: { authorization: request.headers.authorization ?? '' },
        body: await text(request),
      });
      return response.end(await forwarded.text());
    });
    const queue = restarted({ baseUrl: proxy });
    expect(await failureOf(queue.prepare(labelOn(known, 'agent-done'), undefined))).toBeInstanceOf(Error);
    expect(await queue.poll(undefined, [known]).then(presences, () => ({}))).toEqual({});
  });

  it('a redirect is not followed: the token would go with it', async () => {
    const { server, restarted } = await openDesk();
    const proxy = await stranger((request, response) =>
      response.writeHead(307, { location: `${server.url}${request.url}` }).end(),
    );
    expect((await failureOf(restarted({ baseUrl: proxy }).poll(undefined, []))).code).toBe(
      'QUEUE_UNAVAILABLE',
    );
    expect(server.calls).toEqual([]);
  });
});

const opening = (token: string) => () => openTodoistQueue({ token });

describe('limits and refusals', () => {
  it('says when to come back: Todoist’s own limit of full readings', async () => {
    let now = Date.UTC(2026, 10, 23);
    const { queue } = await openDesk({
      clock: () => now,
      server: { now: () => now, limits: { fullSync: 2 } },
    });
    await queue.poll(undefined, []);
    now += 60_000;
    await queue.poll(undefined, []);
    const failure = await failureOf(queue.poll(undefined, []));
    expect(failure).toMatchObject({ code: 'QUEUE_RATE_LIMITED', retryAt: now + 14 * 60_000 });
    now = failure.retryAt ?? 0;
    expect((await queue.poll(undefined, [])).full).toBe(true);
  });

  it.each([
    ['seconds', '7', 7000],
    ['a date', new Date(Date.UTC(2026, 10, 23, 12, 0, 30)).toUTCString(), 30_000],
    ['nonsense', 'soon', 60_000],
    ['a year', '31536000', 60 * 60_000],
  ])('reads Retry-After as %s', async (_, retryAfter, waitMs) => {
    const now = Date.UTC(2026, 10, 23, 12);
    const { server, queue } = await openDesk({ clock: () => now });
    server.fault({ kind: 429, retryAfter });
    expect(await failureOf(queue.projects())).toMatchObject({
      code: 'QUEUE_RATE_LIMITED',
      retryAt: now + waitMs,
    });
  });

  it('does not take a 503 for a rate limit, but heeds its Retry-After', async () => {
    const { server, queue } = await openDesk({ clock: () => 1000 });
    server.fault({ kind: 503, retryAfter: 20 });
    expect(await failureOf(queue.projects())).toMatchObject({ code: 'QUEUE_UNAVAILABLE', retryAt: 21_000 });
  });

  it('a wrong token is QUEUE_AUTH, and is nowhere in what is thrown', async () => {
    const { restarted, task } = await openDesk();
    const queue = restarted({ token: 'secret-that-nobody-may-see' });
    const id = task('Post');
    const calls = [
      () => queue.projects(),
      () => queue.poll(undefined, []),
      () => queue.send({ type: 'note_add', uuid: 'u', tempId: 't', args: { itemId: id, content: 'x' } }),
    ];
    for (const call of calls) {
      const failure = await failureOf(call());
      expect(failure.code).toBe('QUEUE_AUTH');
      expect(failure.hints.join()).toContain('TODOIST_API_TOKEN');
      expect(inspect(failure, { depth: 9, showHidden: true })).not.toContain('nobody-may-see');
    }
  });

  it('a token that cannot be one is refused at once, unquoted', () => {
    expect(opening('abc\ndef-secret')).toThrow(expect.objectContaining({ code: 'NO_TOKEN' }));
    expect(opening('abc\ndef-secret')).not.toThrow(/secret/);
    expect(opening(' abc\n')).not.toThrow();
  });

  it('an answer that quotes the token has it hidden', async () => {
    const baseUrl = await stranger((request, response) => {
      const error = `bad token ${request.headers.authorization}`;
      response.writeHead(401).end(JSON.stringify({ error, error_tag: 'AUTH_INVALID_TOKEN', error_code: 2 }));
    });
    const failure = await failureOf(openTodoistQueue({ token: 'hush-hush', baseUrl }).projects());
    expect(failure.message).toContain('[token]');
    expect(inspect(failure, { depth: 9, showHidden: true })).not.toContain('hush-hush');
  });
});

describe('objects that cannot be read', () => {
  it('are left out and named; everything else goes on, and the cursor advances', async () => {
    const { server, queue, task, start } = await openDesk();
    const [bad, good] = [task('Bad'), task('Good')];
    const cursor = await start();
    server.edit(bad, { content: 'Bad still' });
    server.edit(good, { content: 'Good still' });
    server.malform(bad, 'labels');
    const delta = await queue.poll(cursor, [bad, good]);
    expect(delta.tasks.map((one) => one.title)).toEqual(['Good still']);
    expect(delta.unreadable).toEqual([
      { nativeId: bad, problem: 'expected `labels` to be a list of strings, got: nothing' },
    ]);
    expect(await queue.poll(delta.cursor, [bad, good])).toMatchObject({ tasks: [], unreadable: [] });
  });

  it('are not missing in a full reading: nobody is asked, nothing is deleted', async () => {
    const { server, queue, task, requests } = await openDesk();
    const bad = task('Bad');
    server.malform(bad, 'content');
    const delta = await queue.poll(undefined, [bad]);
    expect(delta).toMatchObject({ full: true, tasks: [], unreadable: [{ nativeId: bad }] });
    expect(requests()).toEqual(['POST sync', 'POST sync']);
  });

  it('are no concern of ours in other projects', async () => {
    const { server, queue } = await openDesk();
    const elsewhere = server.addTask({ projectId: server.addProject('Groceries').id, content: 'Milk' });
    server.malform(elsewhere.id, 'labels');
    expect((await queue.poll(undefined, [])).unreadable).toEqual([]);
    expect((await queue.poll(undefined, [elsewhere.id])).unreadable).toMatchObject([
      { nativeId: elsewhere.id },
    ]);
  });

  it('do not stop the search for missing ones', async () => {
    const { server, queue, task } = await openDesk();
    const [bad, closed] = [task('Bad'), task('Closed')];
    server.close(bad);
    server.close(closed);
    server.malform(bad, 'checked');
    const delta = await queue.poll(undefined, [bad, closed]);
    expect(presences(delta)).toEqual({ [closed]: 'closed' });
    expect(delta.unreadable).toMatchObject([{ nativeId: bad }]);
  });

  it('are no loss where only what we do not use is missing', async () => {
    const { server, queue, task } = await openDesk();
    const id = task('Post', { labels: ['home'] });
    server.malform(
      id,
      'user_id',
      'day_order',
      'is_collapsed',
      'section_id',
      'updated_at',
      'duration',
      'due',
      'parent_id',
      'deadline',
    );
    const delta = await queue.poll(undefined, []);
    expect(delta.tasks).toMatchObject([
      { title: 'Post', labels: ['home'], due: undefined, parentId: undefined },
    ]);
    expect(await queue.prepare(labelOn(id, 'agent-done'), undefined)).toHaveProperty('command');
  });

  it('may be anything', async () => {
    const { server, queue, task } = await openDesk();
    const odd: ((object: Record<string, unknown>) => unknown)[] = [
      () => 7,
      () => 'text',
      () => [],
      () => ({}),
      () => ({ id: 3 }),
      (object) => ({ ...object, id: '' }),
      (object) => ({ ...object, project_id: {} }),
      (object) => ({ ...object, labels: [1] }),
      (object) => ({ ...object, labels: 'home' }),
      (object) => ({ ...object, checked: 'no' }),
      (object) => ({ ...object, description: null }),
      (object) => ({ ...object, due: { date: 'tomorrow', is_recurring: false } }),
      (object) => ({ ...object, due: { date: '2026-12-01' } }),
      (object) => ({ ...object, deadline: 'friday' }),
    ];
    for (const change of odd) server.mangle(task('Odd'), change);
    const good = task('Good');
    server.mangle(good, (object) => ({
      ...object,
      priority: 'p1',
      child_order: null,
      added_at: 'then',
      day_order: 'x',
    }));
    const delta = await queue.poll(undefined, [good]);
    expect(delta.tasks).toMatchObject([{ nativeId: good, priority: 4, position: 0, addedAt: undefined }]);
    expect(delta.unreadable).toHaveLength(odd.length);
  });

  it('a tombstone is a deletion, of a task as of a comment', async () => {
    const { server, queue, task, start } = await openDesk();
    const [id, other] = [task('Post'), task('Other')];
    const note = server.comment(other, 'Gone soon');
    const cursor = await start();
    server.delete(id);
    server.deleteComment(note.id);
    server.tombstone(id);
    server.tombstone(note.id);
    const delta = await queue.poll(cursor, [id, other]);
    expect(presences(delta)).toEqual({ [id]: 'deleted' });
    expect(delta.comments).toMatchObject([{ nativeId: note.id, deleted: true }]);
    expect(delta.unreadable).toEqual([]);
  });

  it('comments and projects of a page are left out alone, and told to the log', async () => {
    const problems: string[] = [];
    const { server, queue, task } = await openDesk({ log: (problem) => problems.push(problem) });
    const id = task('Post');
    const bad = server.comment(id, 'Bad');
    server.comment(id, 'Good');
    server.malform(bad.id, 'posted_at');
    expect((await queue.comments(id)).map((one) => one.text)).toEqual(['Good']);
    server.malform(server.addProject('Nameless').id, 'name');
    expect((await queue.projects()).map((one) => one.name)).toEqual(['LinkedIn Writer']);
    expect(problems).toHaveLength(2);
    expect(problems[0]).toContain(bad.id);
  });

  it('a workspace project passes too, one that is gone does not', async () => {
    const { server, queue } = await openDesk();
    const { id } = server.addProject('Team');
    server.mangle(id, (project) => ({ ...project, workspace_id: null, parent_id: undefined }));
    expect(await queue.projects()).toContainEqual({ id, name: 'Team' });
    for (const gone of ['is_archived', 'is_deleted']) {
      server.mangle(id, (project) => ({ ...project, [gone]: true }));
      expect(await queue.projects()).not.toContainEqual({ id, name: 'Team' });
    }
  });
});

/** As often as it takes, as the worker does. */
async function again<T>(doing: () => Promise<T>): Promise<T> {
  for (;;)
    try {
      return await doing();
    } catch (error) {
      if (!hasCode(error, 'QUEUE_UNAVAILABLE')) throw error;
    }
}

describe('a day of bad luck', () => {
  it.each([1, 2, 3])('ends with every report landed once and every change read (seed %i)', async (seed) => {
    const { server, queue, task, start } = await openDesk({ timeoutMs: 150, server: { seed } });
    const id = task('Post', { labels: ['home'] });
    let cursor = await again(start);
    for (const kind of [503, 'commit-then-drop', 'reset-before', 'truncated', 'stall', 'html-200'] as const)
      server.fault({ kind, rate: 0.12 });
    const read: string[] = [];
    for (let n = 0; n < 12; n += 1) {
      server.comment(id, `human ${n}`);
      const command = await commandFor(queue, commentOn(id, `worker ${n}`));
      await again(() => queue.send(command));
      const label = labelOn(id, n % 2 === 0 ? 'agent-done' : 'agent-review');
      let sent: unknown;
      await again(async () => {
        const prepared = await queue.prepare(label, sent);
        if ('done' in prepared) return;
        sent = prepared.command;
        await queue.send(prepared.command);
      });
      const delta = await again(() => queue.poll(cursor, [id]));
      cursor = delta.cursor;
      read.push(...delta.comments.map((one) => one.text));
    }
    const expected = Array.from({ length: 12 }, (_, n) => [`human ${n}`, `worker ${n}`]).flat();
    expect(server.comments(id).map((note) => note.content)).toEqual(expected);
    expect(read).toEqual(expected);
    expect(server.task(id).labels).toEqual(['home', 'agent-review']);
  });
});
