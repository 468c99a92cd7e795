import { describe, expect, it } from 'vitest';
import { commandFor, commentOn, deliver, failureOf, labelOn, openDesk } from './todoist-desk.ts';

describe('comments', () => {
  it('makes one, and tells its id', async () => {
    const { server, queue, task } = await openDesk();
    const id = task('Post');
    const receipt = await deliver(queue, commentOn(id, 'The draft is ready.'));
    expect(server.comments(id)).toMatchObject([{ id: receipt.nativeId, content: 'The draft is ready.' }]);
    expect(receipt).toEqual({ status: 'sent', nativeId: expect.any(String) });
  });

  it.each(['commit-then-drop', 'truncated', 'empty-200', 'html-200', 'slow-body'] as const)(
    'makes exactly one when the answer was lost (%s)',
    async (kind) => {
      const { server, queue, task, restarted } = await openDesk({ timeoutMs: 400 });
      const id = task('Post');
      const report = commentOn(id, 'The draft is ready.');
      const command = await commandFor(queue, report);
      server.fault({ kind, match: /^POST sync/ });
      expect((await failureOf(queue.send(command))).code).toBe('QUEUE_UNAVAILABLE');
      expect(server.comments(id)).toHaveLength(1);

      const stored: unknown = JSON.parse(JSON.stringify(command));
      const receipt = await deliver(restarted({ timeoutMs: 15_000 }), report, stored);
      expect(server.comments(id)).toHaveLength(1);
      expect(receipt.nativeId).toBe(server.comments(id)[0]?.id);
    },
  );

  it('repeats what was stored, whatever the text would be now', async () => {
    const { queue, task } = await openDesk();
    const report = commentOn(task('Post'), 'Took 2 minutes.');
    const command = await commandFor(queue, report);
    const later = { ...report, body: { kind: 'comment', text: 'Took 3 minutes.' } } as const;
    expect(await commandFor(queue, later, JSON.parse(JSON.stringify(command)))).toEqual(command);
  });

  it('sends it once and no more: what the SDK would re-send is not re-sent', async () => {
    const { server, queue, task, requests } = await openDesk({ timeoutMs: 200 });
    const command = await commandFor(queue, commentOn(task('Post'), 'Done.'));
    for (const kind of ['reset-before', 'stall', 'commit-then-drop', 'truncated'] as const) {
      server.fault({ kind });
      requests();
      await failureOf(queue.send(command));
      expect(requests()).toEqual(['POST sync']);
    }
  });

  it.each([
    ['letters', 'x'.repeat(20_000)],
    ['emoji', '🙂'.repeat(9000)],
    ['emoji, one unit off', `x${'🙂'.repeat(9000)}`],
  ])('cuts what is too long for Todoist and says so (%s)', async (_, text) => {
    const { server, queue, task } = await openDesk();
    const id = task('Post');
    await deliver(queue, commentOn(id, `${text}\n\n_signed: the worker_`));
    const content = server.comments(id)[0]?.content ?? '';
    expect(content.length).toBeLessThanOrEqual(15_000);
    expect(content.length).toBeGreaterThan(14_990);
    expect(content.isWellFormed()).toBe(true);
    expect(content).toMatch(/cut here.*\n\n_signed: the worker_$/s);
  });

  it('leaves alone what just fits', async () => {
    const { server, queue, task } = await openDesk();
    const id = task('Post');
    const text = `${'x'.repeat(14_998)}🙂`;
    await deliver(queue, commentOn(id, text));
    expect(server.comments(id)[0]?.content).toBe(text);
  });

  it('is a value, not an error, when the task is not there any more', async () => {
    const { server, queue, task } = await openDesk();
    const id = task('Post');
    server.delete(id);
    expect(await deliver(queue, commentOn(id, 'Done.'))).toEqual({ status: 'gone' });
  });

  it('replaces the text of our own, and says when it is gone', async () => {
    const { server, queue, task } = await openDesk();
    const id = task('Post');
    const { nativeId = '' } = await deliver(queue, commentOn(id, 'Working …'));
    expect(await queue.editComment(nativeId, 'Working … 2 minutes')).toBe(true);
    expect(await queue.editComment(nativeId, 'Done')).toBe(true);
    expect(server.comments(id).map((note) => note.content)).toEqual(['Done']);
    server.deleteComment(nativeId);
    expect(await queue.editComment(nativeId, 'Still there?')).toBe(false);
  });

  it('is refused for good when Todoist refuses it', async () => {
    const { server, queue, task } = await openDesk();
    const command = await commandFor(queue, commentOn(task('Post'), ' '));
    const failure = await failureOf(queue.send(command));
    expect(failure.code).toBe('QUEUE_REJECTED');
    expect(failure.message).toContain('INVALID_ARGUMENT_VALUE');
    expect(server.calls).toHaveLength(1);
  });
});

describe('labels', () => {
  it('makes ours the only one of ours, and leaves the human’s', async () => {
    const { server, queue, task } = await openDesk();
    const id = task('Post', { labels: ['home', 'agent-review', 'urgent'] });
    expect(await deliver(queue, labelOn(id, 'agent-done'))).toEqual({
      status: 'sent',
      labels: ['home', 'urgent', 'agent-done'],
    });
    expect(server.task(id).labels).toEqual(['home', 'urgent', 'agent-done']);
    await deliver(queue, labelOn(id, null));
    expect(server.task(id).labels).toEqual(['home', 'urgent']);
  });

  it('writes nothing when it is so already', async () => {
    const { queue, task, requests } = await openDesk();
    const id = task('Post', { labels: ['agent-done', 'home'] });
    expect(await queue.prepare(labelOn(id, 'agent-done'), undefined)).toEqual({
      done: { status: 'sent', labels: ['agent-done', 'home'] },
    });
    expect(requests()).toEqual([`GET tasks/${id}`]);
  });

  it.each(['close', 'delete'] as const)('writes nothing on a task that is gone (%s)', async (how) => {
    const { server, queue, task } = await openDesk();
    const id = task('Post');
    server[how](id);
    expect(await deliver(queue, labelOn(id, 'agent-done'))).toEqual({ status: 'gone' });
  });

  it('keeps a label that a human adds between two tries', async () => {
    const { server, queue, task } = await openDesk();
    const id = task('Post', { labels: ['home'] });
    const report = labelOn(id, 'agent-done');
    const command = await commandFor(queue, report);
    server.fault({ kind: 'reset-before' });
    await failureOf(queue.send(command));
    server.addLabel(id, 'urgent');
    await deliver(queue, report, command);
    expect(server.task(id).labels).toEqual(['home', 'urgent', 'agent-done']);
  });

  it('keeps it also when the lost write had landed', async () => {
    const { server, queue, task } = await openDesk();
    const id = task('Post', { labels: ['home', 'agent-review'] });
    const report = labelOn(id, 'agent-done');
    const command = await commandFor(queue, report);
    server.fault({ kind: 'commit-then-drop' });
    await failureOf(queue.send(command));
    server.addLabel(id, 'urgent');
    expect(await deliver(queue, report, command)).toMatchObject({ status: 'sent' });
    expect(server.task(id).labels).toEqual(['home', 'agent-done', 'urgent']);
  });

  it('does not put a label back that a human took off after the lost write had landed', async () => {
    const { server, queue, task } = await openDesk();
    const id = task('Post', { labels: ['home'] });
    const report = labelOn(id, 'agent-done');
    const command = await commandFor(queue, report);
    server.fault({ kind: 'commit-then-drop' });
    await failureOf(queue.send(command));
    expect(server.task(id).labels).toEqual(['home', 'agent-done']);
    server.removeLabel(id, 'agent-done');
    await deliver(queue, report, command);
    expect(server.task(id).labels).toEqual(['home']);
  });

  it('writes with the same command when the lost write had not landed', async () => {
    const { server, queue, task } = await openDesk();
    const id = task('Post', { labels: ['home'] });
    const report = labelOn(id, 'agent-done');
    const command = await commandFor(queue, report);
    server.fault({ kind: 'reset-before' });
    await failureOf(queue.send(command));
    expect(await commandFor(queue, report, JSON.parse(JSON.stringify(command)))).toEqual(command);
    await deliver(queue, report, command);
    expect(server.task(id).labels).toEqual(['home', 'agent-done']);
  });

  it('takes a new uuid for a new list: the old one may have been executed', async () => {
    const { server, queue, task } = await openDesk();
    const id = task('Post');
    const report = labelOn(id, 'agent-done');
    const before = await commandFor(queue, report);
    expect(before).toMatchObject({ uuid: report.uuid });
    await queue.send(before);
    server.setLabels(id, ['agent-failed']);
    const after = await commandFor(queue, report, before);
    expect(after).toMatchObject({ args: { labels: ['agent-done'] }, base: ['agent-failed'] });
    expect(after).not.toMatchObject({ uuid: report.uuid });
    await queue.send(after);
    expect(server.task(id).labels).toEqual(['agent-done']);
  });
});

it('refuses to send what is no command', async () => {
  const { queue, requests } = await openDesk();
  for (const odd of [undefined, null, {}, { type: 'item_delete', uuid: 'x', args: {} }])
    expect((await failureOf(queue.send(odd))).code).toBe('QUEUE_REJECTED');
  expect(requests()).toEqual([]);
});
