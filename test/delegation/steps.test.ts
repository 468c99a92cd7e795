/** The single steps of delegation, on a store in memory: who may ask, what a completion changes, what is put back. */
import { describe, expect, it } from 'vitest';
import type { CompletionEnvelope, TaskEnvelope } from '../../tools/queues/envelope.ts';
import { withBroker, type Task } from '../../tools/store/tasks.ts';
import { cancel, cancelById } from '../../tools/worker/cancel.ts';
import { delegatedTask } from '../../tools/delegation/delegated.ts';
import { mayStart } from '../../tools/delegation/may-start.ts';
import { putBack } from '../../tools/delegation/put-back.ts';
import { applyCompletion } from '../../tools/delegation/take-completions.ts';
import { tellRequester } from '../../tools/delegation/tell-requester.ts';
import { exampleRole, noon } from '../worker/examples.ts';
import { workerInMemory, type Bench } from '../worker/worker-in-memory.ts';

const envelope: TaskEnvelope = {
  schema: 'agentq/task/1',
  task_id: 'task-1',
  from: 'coordinator',
  to: 'writer',
  type: 'reasoning',
  priority: 'high',
  ttl_seconds: 60,
  reply_to: 'results.coordinator',
  instructions: '# Look at this\nand say what is wrong',
  created_at: new Date(noon).toISOString(),
};

const completion: CompletionEnvelope = {
  schema: 'agentq/completion/1',
  task_id: 'task-1',
  from: 'writer',
  to: 'coordinator',
  status: 'completed',
  result_ref: 'results/task-1.md',
  manifest_sha256: 'a'.repeat(64),
  summary: 'Found three things.',
  created_at: new Date(noon + 5).toISOString(),
};

function delegated(more: Partial<TaskEnvelope> = {}, availableAt = 0): Task {
  const role = exampleRole();
  const given = { envelope: { ...envelope, ...more }, context: 'The context.', queue: 'rabbitmq' };
  return delegatedTask({ ...given, role, availableAt, submittedBy: 'me' }, noon);
}

async function holding(task: Task): Promise<Bench> {
  const bench = await workerInMemory([exampleRole()]);
  await bench.store.transaction(({ tasks }) => tasks.insert(task, noon));
  return bench;
}

const messages = (bench: Bench): Promise<unknown[]> =>
  bench.store.read(async ({ reports }) =>
    (await reports.list('task-1')).filter(({ state }) => state === 'pending').map(({ body }) => body),
  );

describe('a delegated task', () => {
  it('has the rank, the deadline and the words of its envelope', () => {
    expect(delegated()).toMatchObject({
      id: 'task-1',
      title: 'Look at this',
      description: '# Look at this\nand say what is wrong\n\nThe context.',
      priority: 2,
      deadlineAt: noon + 60_000,
      availableAt: 0,
      position: noon,
    });
    expect(delegated({ title: 'A title', priority: 'urgent' })).toMatchObject({
      title: 'A title',
      priority: 1,
    });
  });

  it('may start where its asker is accepted and nothing needs an approval', () => {
    const task = delegated();
    expect(mayStart(exampleRole(), task, [])).toBeUndefined();
    expect(mayStart(exampleRole({ acceptsFrom: ['coordinator'] }), task, [])).toBeUndefined();
    expect(mayStart(exampleRole({ acceptsFrom: ['editor'] }), task, [])?.code).toBe('not_accepted');
    expect(mayStart(exampleRole({ acceptsFrom: [] }), task, [])?.code).toBe('not_accepted');
    expect(mayStart(exampleRole({ irreversible: true }), task, ['Bash(x)'])?.code).toBe('needs_approval');
    expect(mayStart(exampleRole({ irreversible: true }), task, ['start'])).toBeUndefined();
    // A task of a to-do list was written by whoever may write there.
    expect(mayStart(exampleRole({ acceptsFrom: [] }), { meta: {} }, [])).toBeUndefined();
  });
});

const apply = (bench: Bench, more: Partial<CompletionEnvelope> = {}): Promise<string> =>
  bench.store.transaction((tables) => applyCompletion(tables, { ...completion, ...more }, noon + 10));

describe('a completion', () => {
  it('completes the task that the broker has, with its result, once', async () => {
    const bench = await holding(delegated({}, withBroker));
    expect(await apply(bench)).toBe('applied');
    expect(await bench.get('task-1')).toMatchObject({
      state: 'completed',
      note: 'Found three things.',
      availableAt: withBroker,
      meta: { result: { ref: 'results/task-1.md', manifestSha256: 'a'.repeat(64) } },
    });
    expect(await apply(bench)).toBe('known');
    const attempts = await bench.store.read((tables) => tables.attempts.list('task-1'));
    expect(attempts.map(({ agent, result }) => [agent, result])).toEqual([['elsewhere', 'done']]);
  });

  it('of a second machine that delivered it as well is kept: what lies there is one of the two', async () => {
    const bench = await holding(delegated({}, withBroker));
    await apply(bench);
    for (let copy = 0; copy < 2; copy += 1)
      expect(await apply(bench, { manifest_sha256: 'b'.repeat(64), summary: 'Me too.' })).toBe('known');
    expect((await bench.get('task-1')).meta.result).toEqual({
      ref: 'results/task-1.md',
      manifestSha256: 'a'.repeat(64),
      summary: 'Found three things.',
      orElse: ['b'.repeat(64)],
    });
  });

  it('stands, whatever a machine says afterwards that has tried as well', async () => {
    const bench = await holding(delegated({}, withBroker));
    await apply(bench);
    for (const status of ['failed', 'cancelled', 'input_required'] as const)
      expect(await apply(bench, { status, summary: 'Too late.' })).toBe('known');
    expect(await bench.get('task-1')).toMatchObject({ state: 'completed', note: 'Found three things.' });
  });

  it('without a result is followed by the one that has it', async () => {
    const bench = await holding(delegated({}, withBroker));
    await apply(bench, { result_ref: undefined, manifest_sha256: undefined, summary: 'Done!' });
    await apply(bench);
    expect(await bench.get('task-1')).toMatchObject({
      note: 'Found three things.',
      meta: { result: { ref: 'results/task-1.md', manifestSha256: 'a'.repeat(64) } },
    });
  });

  it('says why it failed, or that a person is asked there', async () => {
    const bench = await holding(delegated({}, withBroker));
    expect(await apply(bench, { status: 'input_required', summary: 'Which price?' })).toBe('applied');
    expect(await bench.get('task-1')).toMatchObject({ state: 'input_required', note: 'Which price?' });
    expect(await apply(bench, { status: 'failed', summary: 'No.' })).toBe('applied');
    expect(await bench.get('task-1')).toMatchObject({ state: 'failed', failureKind: 'agent', note: 'No.' });
  });

  it('of a task that runs here, that was cancelled, or that nobody knows changes nothing', async () => {
    expect(await apply(await workerInMemory([]))).toBe('unknown');
    const here = await holding(delegated());
    expect(await apply(here)).toBe('known');
    expect((await here.get('task-1')).state).toBe('queued');
    const cancelled = await holding(delegated({}, withBroker));
    const waiting = await cancelled.get('task-1');
    await cancelled.store.transaction((tables) => cancel(tables, waiting, 'no', noon));
    expect(await apply(cancelled)).toBe('known');
    expect((await cancelled.get('task-1')).state).toBe('cancelled');
  });

  it('that says “cancelled” gives way to a result, unless it was cancelled here', async () => {
    const bench = await holding(delegated({}, withBroker));
    expect(await apply(bench, { status: 'cancelled', summary: 'so a stranger says' })).toBe('applied');
    expect(await apply(bench)).toBe('applied');
    expect((await bench.get('task-1')).state).toBe('completed');
  });

  it('of a run before the task was put back is too late', async () => {
    const bench = await holding(delegated({}, withBroker));
    await apply(bench, { status: 'failed', summary: 'No.' });
    const task = await bench.get('task-1');
    const again = { task, role: undefined, why: 'redriven', description: 'Differently' };
    await bench.store.transaction((tables) => putBack(tables, again, noon + 20));
    expect(await bench.get('task-1')).toMatchObject({
      state: 'queued',
      availableAt: withBroker,
      deadlineAt: noon + 60_020,
    });
    expect(await messages(bench)).toContainEqual({
      kind: 'task',
      envelope: expect.objectContaining({ redrive: 1, instructions: 'Differently' }) as unknown,
    });
    expect(await apply(bench, { status: 'failed', summary: 'No.' })).toBe('known');
    expect(await apply(bench, { redrive: 1 })).toBe('applied');
  });
});

it('a task put back with more words than a message holds stays as it is', async () => {
  const bench = await holding(delegated({}, withBroker));
  await apply(bench, { status: 'failed', summary: 'No.' });
  const task = await bench.get('task-1');
  const again = { task, role: undefined, why: 'redriven', description: 'a'.repeat(64 * 1024) };
  await expect(bench.store.transaction((tables) => putBack(tables, again, noon + 20))).rejects.toThrow(
    'expected a message of at most 64 KiB',
  );
  expect((await bench.get('task-1')).state).toBe('failed');
});

describe('whoever asked', () => {
  it('is told once for each rest, and again when asked again', async () => {
    const bench = await holding(delegated());
    const tell = (): Promise<void> =>
      bench.store.transaction((tables) => tellRequester(tables, 'task-1', noon));
    await tell();
    expect(await messages(bench)).toEqual([]);
    const task = await bench.get('task-1');
    await bench.store.transaction(({ tasks }) =>
      tasks.move(task, 'failed', { note: 'It cannot be done.' }, noon),
    );
    await tell();
    await tell();
    const told = {
      kind: 'completion',
      replyTo: 'results.coordinator',
      envelope: expect.objectContaining({
        status: 'failed',
        summary: 'It cannot be done.',
        to: 'coordinator',
      }) as unknown,
    };
    expect(await messages(bench)).toEqual([told]);
    await bench.store.transaction(({ reports }) =>
      reports.sent('task-1:r1:failed:completion', undefined, noon),
    );
    expect(await messages(bench)).toEqual([]);
    await tell();
    expect(await messages(bench)).toEqual([told]);
  });

  it('and all workers hear of a cancellation, each from the side it is on', async () => {
    const asker = await holding(delegated({}, withBroker));
    const waiting = await asker.get('task-1');
    await asker.store.transaction((tables) => cancel(tables, waiting, 'too late', noon));
    expect(await messages(asker)).toEqual([
      {
        kind: 'cancellation',
        envelope: expect.objectContaining({ task_id: 'task-1', reason: 'too late' }) as unknown,
      },
    ]);
    const worker = await holding(delegated());
    const dropped = await worker.store.transaction((tables) =>
      cancelById(tables, 'task-1', 'too late', noon),
    );
    expect(dropped).toMatchObject({ type: 'task_cancelled' });
    expect(await messages(worker)).toEqual([
      {
        kind: 'completion',
        replyTo: 'results.coordinator',
        envelope: expect.objectContaining({ status: 'cancelled' }) as unknown,
      },
    ]);
    // The asker hears its own word too, and must not answer it.
    expect(
      await asker.store.transaction((tables) => cancelById(tables, 'task-1', 'x', noon)),
    ).toBeUndefined();
  });
});
