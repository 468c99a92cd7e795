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
  const lanes = new Map(worker.knownRoles().map((known) => [known.name, known.lane]));
  const { waiting, pauses } = await worker.store.read(async (tables) => ({
    waiting: await tables.tasks.handedOver(),
    pauses: await tables.pauses.list(),
  }));
  const now = worker.now();
  const mine = [`role:${role.name}`, `agent:${worker.agent.name}`];
  if (pauses.some(({ scope, until }) => mine.includes(scope) && (until === null || until > now))) return 0;
  const taken = waiting.filter((each) => lanes.get(each.role) === role.lane);
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
  let envelope: TaskEnvelope;
  try {
    envelope = await read(delivery, role);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    worker.log({ type: 'warning', text: `a message for ${role.name} is none: ${error.message}`, hints: [] });
    await delivery.bury(error.message);
    return;
  }
  try {
    await store(worker, role, envelope);
  } catch (error) {
    await delivery.giveBack();
    // Other work goes on; the broker is asked again after a while.
    if (!hasCode(error, 'ARTIFACTS_UNAVAILABLE')) throw error;
    throw new AppError('QUEUE_UNAVAILABLE', `tasks cannot be taken: ${error.message}`, {
      hints: error.hints,
    });
  }
  if (hold) delivery.holdFor(envelope.task_id);
  else await delivery.accept();
}

async function read(delivery: Delivery, role: Role): Promise<TaskEnvelope> {
  const { parseTask } = await import('../queues/envelope.ts');
  const envelope = parseTask(delivery.body);
  if (envelope.to === role.name) return envelope;
  throw new AppError('BAD_INPUT', `expected a task for ${role.name}, got one for ${envelope.to}`);
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
    if (known) return takeUp(tables, known, envelope, role, now);
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

/** A message about a task that the store knows: our own, handed over; the same again; or a dead letter put back. */
async function takeUp(
  tables: Tables,
  known: Task,
  envelope: TaskEnvelope,
  role: Role,
  now: number,
): Promise<void> {
  if (known.state === 'queued' && known.availableAt === withBroker)
    return tables.tasks.patch(known.id, { availableAt: 0, role: role.name }, now);
  const redriven = (envelope.redrive ?? 0) > (known.meta.envelope?.redrive ?? 0);
  if (isBusy(known)) return undefined;
  if (!redriven) return tellRequester(tables, known.id, now);
  const meta = { ...known.meta, envelope };
  return again(
    tables,
    { ...known, meta },
    role,
    { turn: { kind: 'start' }, why: 'put back', afresh: true },
    now,
  );
}

async function refuse(tables: Tables, task: Task, why: string, now: number): Promise<void> {
  await tables.tasks.move(task, 'failed', { note: why, failureKind: 'invalid_input' }, now);
  await tellRequester(tables, task.id, now);
}
