/**
 * The asker's side of a broker: completions into the store, so that `agentq status` and `result` find them there. Each
 * counts once; a task that this store has worked on itself is not changed by what it said about it.
 */
import { randomUUID } from 'node:crypto';
import type { CompletionEnvelope } from '../queues/envelope.ts';
import type { Tables } from '../store/store.ts';
import { withBroker, type Task, type TaskPatch } from '../store/tasks.ts';

/** `unknown`: it is about a task that another store has delegated. */
export async function applyCompletion(
  tables: Tables,
  completion: CompletionEnvelope,
  now: number,
): Promise<'applied' | 'known' | 'unknown'> {
  const task = await tables.tasks.get(completion.task_id);
  if (!task) return 'unknown';
  if (task.availableAt !== withBroker || task.meta.withdrawn) return 'known';
  // Of a run before it was put back.
  if ((completion.redrive ?? 0) < (task.meta.envelope?.redrive ?? 0)) return 'known';
  if (task.state === completion.status) return alsoTold(tables, task, completion, now);
  // The result is there, whatever another machine says that has tried as well.
  if (task.state === 'completed' && task.meta.result) return 'known';
  const queued = await toQueued(tables, task, now);
  const { status, summary } = completion;
  const note = summary.slice(0, 1000);
  if (status === 'completed') await finish(tables, queued, completion, now);
  else await tables.tasks.move(queued, status, { note, ...elsewhere, ...why(status) }, now);
  return 'applied';
}

/**
 * Two machines that did not know of each other have both delivered. What lies there is what one of them has told, and
 * which of the two that is only the files say.
 */
async function alsoTold(
  tables: Tables,
  task: Task,
  { result_ref: ref, manifest_sha256: sha256, summary }: CompletionEnvelope,
  now: number,
): Promise<'known'> {
  const { result } = task.meta;
  // Somebody has said "completed" without one.
  if (!result && task.state === 'completed' && ref !== undefined && sha256 !== undefined) {
    const first = { ref, manifestSha256: sha256, summary };
    await tables.tasks.patch(
      task.id,
      { note: summary.slice(0, 1000), meta: { ...task.meta, result: first } },
      now,
    );
    return 'known';
  }
  const told = [result?.manifestSha256, ...(result?.orElse ?? [])];
  if (!result || sha256 === undefined || told.includes(sha256)) return 'known';
  const orElse = [...(result.orElse ?? []), sha256].slice(-mostTold);
  await tables.tasks.patch(task.id, { meta: { ...task.meta, result: { ...result, orElse } } }, now);
  return 'known';
}

const mostTold = 10;

/** Whatever becomes of it, it is for the broker to say who runs it. */
const elsewhere = { availableAt: withBroker };

function why(status: CompletionEnvelope['status']): TaskPatch {
  return status === 'failed' ? { failureKind: 'agent' } : {};
}

async function toQueued(tables: Tables, task: Task, now: number): Promise<Task> {
  if (task.state === 'queued') return task;
  const patch = { ...elsewhere, failureKind: null, note: null };
  await tables.tasks.move(task, 'queued', patch, now);
  return { ...task, ...patch, state: 'queued' };
}

/** The run on the other machine becomes an attempt here, so that the history is whole. */
async function finish(
  tables: Tables,
  task: Task,
  completion: CompletionEnvelope,
  now: number,
): Promise<void> {
  const attemptId = randomUUID();
  const workerId = `elsewhere:${completion.from}`;
  const { result_ref: ref, manifest_sha256: manifestSha256, summary } = completion;
  await tables.attempts.start({
    id: attemptId,
    taskId: task.id,
    round: task.round,
    workerId,
    agent: 'elsewhere',
    sessionId: attemptId,
    resumed: false,
    budget: null,
    startedAt: now,
  });
  await tables.tasks.move(task, 'running', { attemptId, workerId, ...elsewhere }, now);
  await tables.attempts.finish(attemptId, {
    result: 'done',
    failureKind: null,
    failureCode: null,
    message: summary.slice(0, 4000),
    spent: false,
    cost: 0,
    turns: null,
    denials: [],
    artifacts: [],
    endedAt: now,
  });
  const result =
    ref === undefined || manifestSha256 === undefined ? undefined : { ref, manifestSha256, summary };
  await tables.tasks.move(
    { ...task, state: 'running', attemptId },
    'completed',
    { ...elsewhere, note: summary.slice(0, 1000), meta: { ...task.meta, ...(result ? { result } : {}) } },
    now,
  );
}
