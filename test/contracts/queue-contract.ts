/**
 * What every queue driver keeps to. A driver declares what it supports; what it does not support it refuses, or does
 * nothing, as the port says. Commands go through JSON between `prepare` and `send`, as they do in the store.
 */
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { AppError } from '../../tools/errors.ts';
import type { Project, Queue, Receipt, Report, ReportBody } from '../../tools/queues/queue.ts';

/** A person at the queue's own surface. */
export interface Person {
  /** The watched project, and one that is not. */
  project: Project;
  elsewhere: Project;
  /** Yields the native id. */
  add(title: string, labels?: string[]): string;
  comment(task: string, text: string): void;
  addLabel(task: string, label: string): void;
  close(task: string): void;
  delete(task: string): void;
  move(task: string, projectId: string): void;
  comments(task: string): string[];
  labels(task: string): string[];
  /** The next write is carried out, but its answer is lost. */
  loseAnswer(): void;
  /** From now on the queue cannot be reached. */
  goDark(): void;
}

export interface QueueUnderTest {
  queue: Queue;
  /** Absent where the queue has no surface of its own. */
  person?: Person;
}

export interface QueueContract {
  name: string;
  supports: Queue['supports'];
  /** A fresh queue that watches `person.project`; it is closed by the contract. */
  open: () => Promise<QueueUnderTest>;
}

export function queueContract({ name, supports, open }: QueueContract): void {
  const using = (body: (under: QueueUnderTest) => Promise<void>) => async () => {
    const under = await open();
    try {
      await body(under);
    } finally {
      await under.queue.close();
    }
  };
  const withPerson = (body: (queue: Queue, person: Person) => Promise<void>) =>
    using(async ({ queue, person }) => {
      if (!person) throw new Error('expected a queue that is polled to have a person');
      await body(queue, person);
    });

  describe(`${name} as a queue`, () => {
    it(
      'is what it says it is',
      using(async ({ queue }) => {
        expect(queue.name).toBe(name);
        expect(queue.supports).toEqual(supports);
      }),
    );
    if (supports.poll) polled(withPerson);
    else unpolled(using);
    if (supports.poll) reported(withPerson, supports);
  });
}

type WithPerson = (body: (queue: Queue, person: Person) => Promise<void>) => () => Promise<void>;
type Using = (body: (under: QueueUnderTest) => Promise<void>) => () => Promise<void>;

/** Reports only land in the store; whoever asks for more is told so. */
function unpolled(using: Using): void {
  it(
    'refuses to be polled, and knows no projects and no comments',
    using(async ({ queue }) => {
      await expect(queue.poll(undefined, [])).rejects.toBeInstanceOf(AppError);
      expect(await queue.projects()).toEqual([]);
      expect(await queue.comments('task-1')).toEqual([]);
    }),
  );
  it.each(bodies)('takes a report ($kind) without writing anything', async (body) =>
    using(async ({ queue }) => {
      expect(await queue.prepare(report('task-1', body), undefined)).toEqual({ done: { status: 'sent' } });
      expect(await queue.editComment('comment-1', 'later')).toBe(false);
    })(),
  );
}

function polled(withPerson: WithPerson): void {
  it(
    'names the projects there are',
    withPerson(async (queue, { project, elsewhere }) => {
      expect(await queue.projects()).toEqual(expect.arrayContaining([project, elsewhere]));
    }),
  );
  it(
    'yields everything at first, and then only what has changed',
    withPerson(async (queue, person) => {
      const [first, second] = [person.add('First', ['home']), person.add('Second')];
      person.comment(first, 'Hello');
      const all = await queue.poll(undefined, []);
      expect(all.full).toBe(true);
      expect(all.tasks).toHaveLength(2);
      expect(all.tasks.find(({ nativeId }) => nativeId === first)).toMatchObject({
        title: 'First',
        labels: ['home'],
        presence: 'open',
        projectId: person.project.id,
        parentId: undefined,
      });
      expect(all.comments).toMatchObject([{ taskNativeId: first, text: 'Hello', deleted: false }]);
      const known = [first, second];
      const idle = await queue.poll(all.cursor, known);
      expect(idle).toMatchObject({ full: false, tasks: [], comments: [], unreadable: [] });
      person.comment(second, 'And you');
      const delta = await queue.poll(idle.cursor, known);
      expect(delta.comments.map(({ text }) => text)).toEqual(['And you']);
      // The same cursor gives the same again: a crash before it was stored loses nothing.
      expect((await queue.poll(idle.cursor, known)).comments).toEqual(delta.comments);
    }),
  );
  it(
    'yields nothing of projects that are not watched',
    withPerson(async (queue, person) => {
      const task = person.add('Mine');
      const other = person.add('Not mine');
      person.move(other, person.elsewhere.id);
      const { tasks, cursor } = await queue.poll(undefined, []);
      expect(tasks.map(({ nativeId }) => nativeId)).toEqual([task]);
      person.comment(other, 'Secret');
      expect(await queue.poll(cursor, [task])).toMatchObject({ tasks: [], comments: [] });
    }),
  );
  it.each(['closed', 'deleted', 'moved'] as const)('tells that a known task was %s', async (fate) =>
    withPerson(async (queue, person) => {
      const task = person.add('First');
      const { cursor } = await queue.poll(undefined, []);
      if (fate === 'closed') person.close(task);
      if (fate === 'deleted') person.delete(task);
      if (fate === 'moved') person.move(task, person.elsewhere.id);
      const expected =
        fate === 'moved' ? { presence: 'open', projectId: person.elsewhere.id } : { presence: fate };
      const incremental = await queue.poll(cursor, [task]);
      expect(incremental.tasks).toMatchObject([{ nativeId: task, ...expected }]);
      // Also where the cursor is lost, and everything is read anew.
      const anew = await queue.poll(undefined, [task]);
      expect(anew.tasks).toMatchObject([{ nativeId: task, ...expected }]);
    })(),
  );
  it(
    'yields all comments of one task',
    withPerson(async (queue, person) => {
      const task = person.add('First');
      for (const text of ['One', 'Two']) person.comment(task, text);
      expect((await queue.comments(task)).map(({ text }) => text)).toEqual(['One', 'Two']);
    }),
  );
  it(
    'throws when it cannot be reached, with a code that time can cure',
    withPerson(async (queue, person) => {
      const task = person.add('First');
      const { cursor } = await queue.poll(undefined, []);
      person.goDark();
      for (const call of [
        () => queue.poll(cursor, [task]),
        () => queue.projects(),
        () => queue.comments(task),
        () => queue.editComment('1', 'x'),
      ])
        await expect(call()).rejects.toMatchObject({ code: 'QUEUE_UNAVAILABLE' });
    }),
  );
}

function reported(withPerson: WithPerson, supports: Queue['supports']): void {
  it(
    'makes a comment, and knows it again by its id',
    withPerson(async (queue, person) => {
      const task = person.add('First');
      const receipt = await deliver(queue, report(task, { kind: 'comment', text: 'Done.' }));
      expect(receipt.status).toBe('sent');
      const found = await queue.comments(task);
      expect(found).toMatchObject([{ nativeId: receipt.nativeId, text: 'Done.' }]);
    }),
  );
  it(
    'makes it once, however often it is sent',
    withPerson(async (queue, person) => {
      const task = person.add('First');
      const told = report(task, { kind: 'comment', text: 'Done.' });
      const prepared = await queue.prepare(told, undefined);
      if ('done' in prepared) throw new Error('expected a command');
      const first = await queue.send(stored(prepared.command));
      expect(await queue.send(stored(prepared.command))).toEqual(first);
      expect(await deliver(queue, told, stored(prepared.command))).toEqual(first);
      expect(person.comments(task)).toEqual(['Done.']);
    }),
  );
  it.each(bodies)('makes a $kind once when the answer is lost', async (body) =>
    withPerson(async (queue, person) => {
      const task = person.add('First', ['home']);
      const told = report(task, body);
      const prepared = await queue.prepare(told, undefined);
      if ('done' in prepared) throw new Error('expected a command');
      person.loseAnswer();
      await expect(queue.send(stored(prepared.command))).rejects.toMatchObject({ code: 'QUEUE_UNAVAILABLE' });
      await deliver(queue, told, stored(prepared.command));
      expect(person.comments(task)).toEqual('text' in body ? [body.text] : []);
      expect(person.labels(task)).toEqual(body.kind === 'label' ? ['home', 'agent-done'] : ['home']);
    })(),
  );
  it(
    'sets, changes and removes our label, and no other',
    withPerson(async (queue, person) => {
      const task = person.add('First', ['home', 'urgent']);
      for (const label of ['agent-review', 'agent-done', 'agent-failed', null] as const) {
        const receipt = await deliver(queue, report(task, { kind: 'label', label }));
        const expected = label === null ? ['home', 'urgent'] : ['home', 'urgent', label];
        expect(receipt).toMatchObject({ status: 'sent', labels: expected });
        expect(person.labels(task)).toEqual(expected);
      }
      expect(await queue.prepare(report(task, { kind: 'label', label: null }), undefined)).toEqual({
        done: { status: 'sent', labels: ['home', 'urgent'] },
      });
    }),
  );
  it(
    'does not overwrite a label that was added after a write whose answer was lost',
    withPerson(async (queue, person) => {
      const task = person.add('First');
      const told = report(task, { kind: 'label', label: 'agent-done' });
      const prepared = await queue.prepare(told, undefined);
      if ('done' in prepared) throw new Error('expected a command');
      person.loseAnswer();
      await expect(queue.send(stored(prepared.command))).rejects.toBeInstanceOf(AppError);
      person.addLabel(task, 'home');
      await deliver(queue, told, stored(prepared.command));
      expect(person.labels(task).toSorted()).toEqual(['agent-done', 'home']);
    }),
  );
  it.each(bodies)('writes no $kind on a task that is gone, and says so', async (body) =>
    withPerson(async (queue, person) => {
      const task = person.add('First');
      person.delete(task);
      expect(await deliver(queue, report(task, body))).toEqual({ status: 'gone' });
    })(),
  );
  it(
    'changes its own comment in place, or says that it does not',
    withPerson(async (queue, person) => {
      const task = person.add('First');
      const { nativeId = '' } = await deliver(queue, report(task, { kind: 'progress', text: 'Working' }));
      expect(await queue.editComment(nativeId, 'Still working')).toBe(supports.editComments);
      expect(person.comments(task)).toEqual([supports.editComments ? 'Still working' : 'Working']);
      expect(await queue.editComment('no-such-comment', 'Hello')).toBe(false);
    }),
  );
}

const bodies: ReportBody[] = [
  { kind: 'comment', text: 'Done.' },
  { kind: 'progress', text: 'Working on it.' },
  { kind: 'label', label: 'agent-done' },
];

function report(nativeTaskId: string, body: ReportBody): Report {
  return { id: randomUUID(), nativeTaskId, uuid: randomUUID(), body };
}

function stored(command: unknown): unknown {
  return JSON.parse(JSON.stringify(command));
}

async function deliver(queue: Queue, told: Report, previous?: unknown): Promise<Receipt> {
  const prepared = await queue.prepare(told, previous);
  return 'done' in prepared ? prepared.done : queue.send(stored(prepared.command));
}
