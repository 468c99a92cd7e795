/**
 * Taking tasks from a broker: as many as there are free slots, into the store first. Where others share the store the
 * delivery is acknowledged at once, for any of them can go on with it; otherwise it is held until the task has come to
 * rest and its completion is sent, so that the task outlives this machine. A message that comes twice is one task.
 */
import { AppError, hasCode, messageOf } from '../errors.ts';
import { brokerQueueName, type Broker, type Delivery } from '../queues/queue.ts';
import type { TaskEnvelope } from '../queues/envelope.ts';
import type { Role } from '../roles/role.ts';
import { isLive } from '../store/states.ts';
import type { Tables } from '../store/store.ts';
import { withBroker, type Task } from '../store/tasks.ts';
import { cancel } from '../worker/cancel.ts';
import { delegatedTask } from './delegated.ts';
import { again } from '../worker/enqueue.ts';
import { accepts, acceptedBy } from './may-start.ts';
import { finishedBefore } from './finished-before.ts';
import { tellRequester } from './tell-requester.ts';
import type { Worker } from '../worker/worker.ts';

/** Bytes of a context file. */
const maxContext = 1_000_000;

/** One look at the broker. Throws QUEUE_* when it cannot be reached, ARTIFACTS_* and STORE_* as they come. */
export async function receive(worker: Worker, broker: Broker): Promise<void> {
  await letGo(worker, broker);
  for (const role of worker.roles()) {
    const free = await freeSlots(worker, role);
    if (free <= 0) continue;
    await takeAll(worker, role, await broker.take(role.name, free));
  }
}

/** Whatever stops us, nothing of what was handed over stays between the broker and the store. */
async function takeAll(worker: Worker, role: Role, deliveries: Delivery[]): Promise<void> {
  const left = [...deliveries];
  try {
    for (let next = left.shift(); next; next = left.shift()) await takeIn(worker, role, next);
  } catch (error) {
    for (const delivery of left) await delivery.giveBack();
    throw error;
  }
}

/** Deliveries whose task is at rest, and whose asker knows, are needed no more. */
async function letGo(worker: Worker, broker: Broker): Promise<void> {
  for (const id of broker.held()) {
    const over = await worker.store.read(async ({ tasks, reports }) => {
      const task = await tasks.get(id);
      return task !== undefined && !isBusy(task) && (await reports.pendingFor(id)).length === 0;
    });
    if (over) await broker.release(id);
  }
}

function isBusy(task: Task): boolean {
  return isLive(task.state) && task.state !== 'input_required';
}

/** Slots of the role's lane that neither a run nor a task already taken fills. A role that is paused takes none. */
async function freeSlots(worker: Worker, role: Role): Promise<number> {
  // What nobody here will start fills no slot.
  const lanes = new Map(worker.roles().map((known) => [known.name, known.lane]));
  const { waiting, pauses } = await worker.store.read(async (tables) => ({
    waiting: await tables.tasks.handedOver(),
    pauses: await tables.pauses.list(),
  }));
  const now = worker.now();
  const mine = [`role:${role.name}`, `agent:${worker.agent.name}`];
  if (pauses.some(({ scope, until }) => mine.includes(scope) && (until === null || until > now))) return 0;
  const isPaused = (name: string): boolean =>
    pauses.some(({ scope, until }) => scope === `role:${name}` && (until === null || until > now));
  const taken = waiting.filter((each) => lanes.get(each.role) === role.lane && !isPaused(each.role));
  const running = [...worker.running.values()].filter((run) => run.role.lane === role.lane).length;
  return worker.options.lanes[role.lane] - running - taken.reduce((sum, { count }) => sum + count, 0);
}

/** Whoever takes tasks from a broker: a worker, or a command that claims one. */
export type Taker = Pick<Worker, 'store' | 'artifacts' | 'now' | 'log'>;

/** `hold`: the broker keeps it too, as long as this process lives and until the asker knows how it ended. */
export async function takeIn(
  worker: Taker,
  role: Role,
  delivery: Delivery,
  hold = !worker.store.shared,
): Promise<void> {
  let taskId: string;
  try {
    const envelope = await read(delivery, role);
    taskId = envelope.task_id;
    await store(worker, role, envelope);
  } catch (error) {
    if (!isItsFault(error)) {
      await delivery.giveBack();
      throw passing(error);
    }
    const why = messageOf(error);
    worker.log({ type: 'warning', text: `a message for ${role.name} cannot be taken: ${why}`, hints: [] });
    await delivery.bury(why);
    return;
  }
  if (hold) delivery.holdFor(taskId);
  else await delivery.accept();
}

/** A message that nobody can make a task of, also by a bug of ours, would end one worker after the other. */
function isItsFault(error: unknown): boolean {
  return !(error instanceof AppError) || error.code === 'BAD_INPUT';
}

/** Without the artifact root other work goes on; the broker is asked again after a while. */
function passing(error: unknown): unknown {
  const ofFiles = ['ARTIFACTS_UNAVAILABLE', 'WORKSPACE', 'CONFLICT'];
  if (!(error instanceof AppError) || !ofFiles.includes(error.code)) return error;
  return new AppError('QUEUE_UNAVAILABLE', `tasks cannot be taken: ${error.message}`, { hints: error.hints });
}

async function read(delivery: Delivery, role: Role): Promise<TaskEnvelope> {
  const { parseTask } = await import('../queues/envelope.ts');
  const envelope = parseTask(delivery.body);
  if (envelope.to !== role.name)
    throw new AppError('BAD_INPUT', `expected a task for ${role.name}, got one for ${envelope.to}`);
  if (envelope.task_id.startsWith('todoist:'))
    throw new AppError(
      'BAD_INPUT',
      `expected an id of its own, got that of a task in Todoist: ${envelope.task_id}`,
    );
  return envelope;
}

async function store(worker: Taker, role: Role, envelope: TaskEnvelope): Promise<void> {
  const context = await contextOf(worker, envelope);
  const before = await finishedBefore(await worker.artifacts(), envelope);
  const task = delegatedTask(
    {
      envelope,
      context: context.text,
      queue: brokerQueueName,
      role,
      availableAt: 0,
      submittedBy: envelope.context_provenance?.by ?? `${envelope.from} (${brokerQueueName})`,
    },
    worker.now(),
  );
  const why = accepts(role, envelope.from)
    ? context.problem
    : `${role.name} takes no tasks from ${envelope.from}; it accepts them from ${acceptedBy(role)}.`;
  await worker.store.transaction(async (tables) => {
    const now = worker.now();
    const known = await tables.tasks.get(task.id);
    if (known) return takeUp(tables, { known, task, envelope, role, before, why }, now);
    await tables.tasks.insert(task, now);
    if (before === 'cancelled') await cancel(tables, task, 'it was cancelled before it came here', now);
    else if (before !== undefined) await before.record(tables, task, now);
    else if (why !== undefined) await refuse(tables, task, why, now);
    return undefined;
  });
  if (before === undefined && why === undefined)
    worker.log({ type: 'task_queued', taskId: task.id, role: role.name, title: task.title, why: 'new' });
}

/** The context as it was when it was submitted, or why it cannot be used. */
async function contextOf(
  worker: Taker,
  envelope: TaskEnvelope,
): Promise<{ text: string | undefined; problem: string | undefined }> {
  if (envelope.context_ref === undefined) return { text: undefined, problem: undefined };
  const { readContext } = await import('../artifacts/submit-context.ts');
  try {
    const sha256 = envelope.context_provenance?.sha256;
    const text = await readContext(await worker.artifacts(), envelope.context_ref, sha256, maxContext);
    return { text, problem: undefined };
  } catch (error) {
    if (!hasCode(error, 'BAD_INPUT')) throw error;
    return { text: undefined, problem: `The context cannot be used: ${messageOf(error)}` };
  }
}

interface Again {
  known: Task;
  /** As the message says it. */
  task: Task;
  envelope: TaskEnvelope;
  role: Role;
  before: Awaited<ReturnType<typeof finishedBefore>>;
  /** What speaks against taking it. */
  why: string | undefined;
}

/**
 * A message about a task that the store knows: our own, handed over; the same again; or a dead letter put back. Throws
 * BAD_INPUT for one that only has the id of another.
 */
async function takeUp(tables: Tables, message: Again, now: number): Promise<void> {
  const { known, task, envelope } = message;
  assertSame(known, envelope);
  if (known.state === 'queued' && known.availableAt === withBroker)
    await tables.tasks.patch(known.id, { availableAt: 0 }, now);
  if (message.before === 'cancelled') return drop(tables, task.id, now);
  const redriven = (envelope.redrive ?? 0) > (known.meta.envelope?.redrive ?? 0);
  if (redriven) return putBackHere(tables, message, now);
  return isBusy(known) ? undefined : tellRequester(tables, known.id, now);
}

/** Whose task it is never changes, and what it asks for only when it is put back. */
function assertSame({ id, queue, meta }: Task, envelope: TaskEnvelope): void {
  const known = meta.envelope;
  const isAgain = known !== undefined && (known.redrive ?? 0) === (envelope.redrive ?? 0);
  const hasChanged = isAgain && contentOf(known) !== contentOf(envelope);
  if (queue === brokerQueueName && known?.from === envelope.from && known.to === envelope.to && !hasChanged)
    return;
  throw new AppError('BAD_INPUT', `the id ${id} belongs to another task`);
}

function contentOf({ title, instructions, context_provenance: origin }: TaskEnvelope): string {
  return JSON.stringify([title, instructions, origin?.sha256]);
}

async function drop(tables: Tables, id: string, now: number): Promise<void> {
  const task = await tables.tasks.get(id);
  if (task && isLive(task.state)) await cancel(tables, task, 'it was cancelled by whoever asked for it', now);
}

/** What still goes on for the message before is given up: nobody waits for that any more. */
async function putBackHere(tables: Tables, { known, task, role, why }: Again, now: number): Promise<void> {
  if (isBusy(known)) await cancel(tables, known, 'it was put back', now);
  const rested = (await tables.tasks.get(known.id)) ?? known;
  const { title, description, contentHash, priority, deadlineAt } = task;
  const patch = { title, description, contentHash, priority, deadlineAt };
  const turn = { kind: 'start' } as const;
  const meta = { ...rested.meta, ...task.meta };
  await again(tables, { ...rested, meta }, role, { turn, why: 'put back', afresh: true, patch }, now);
  const begun = await tables.tasks.get(known.id);
  if (begun && why !== undefined) await refuse(tables, begun, why, now);
}

async function refuse(tables: Tables, task: Task, why: string, now: number): Promise<void> {
  await tables.tasks.move(task, 'failed', { note: why, failureKind: 'invalid_input' }, now);
  await tellRequester(tables, task.id, now);
}
