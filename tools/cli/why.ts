/** One sentence on why a task is not running. Pure. */
import { hasOwnFolder, type Role } from '../roles/role.ts';
import { withBroker, type Task } from '../store/tasks.ts';
import type { Pause, WorkerRow } from '../store/workers.ts';
import { clock, duration } from '../worker/messages.ts';

export interface Situation {
  task: Task;
  role: Role | undefined;
  pauses: readonly Pause[];
  /** Workers that are alive. */
  workers: readonly WorkerRow[];
  running: readonly Task[];
  /** Ready tasks that rank before this one, for its role. */
  ahead: number;
  /** It still waits to be handed over to the broker. */
  unsent: boolean;
  /** AMQP_URL is set. */
  hasBroker: boolean;
  now: number;
}

export function whyNot(situation: Situation): string {
  const { task, now } = situation;
  switch (task.state) {
    case 'running':
      return `It is running, since ${duration(now - task.updatedAt)}.`;
    case 'completed':
      return 'It is done; it waits for your review in its queue.';
    case 'failed':
      return `It has failed for good (${task.failureKind ?? 'agent'}): ${task.note ?? ''}`;
    case 'cancelled':
      return `It was cancelled: ${task.note ?? 'no reason given'}.`;
    case 'input_required':
      return `It waits for your answer: ${task.note ?? ''}`;
    case 'waiting':
      return 'It waits for the tasks it has delegated.';
    case 'queued':
      return whyQueued(situation);
  }
}

function whyWithBroker({ task, unsent, hasBroker }: Situation): string {
  if (!hasBroker)
    return 'It goes through a broker, and AMQP_URL is not set here: set it as it was when the task was submitted.';
  if (unsent) return 'The broker has not got it yet; the next agentq that reaches the broker hands it over.';
  return `The broker has it; the next free worker that serves ${task.role} takes it.`;
}

function whyQueued(situation: Situation): string {
  const { task, role, pauses, workers, running, ahead, now } = situation;
  if (task.availableAt === withBroker) return whyWithBroker(situation);
  if (task.availableAt > now) {
    const reason =
      task.failures > 0 ? `after a failed attempt (${task.note ?? ''})` : 'because that is when it is due';
    return `It starts ${clock(task.availableAt, now)}, ${reason}.`;
  }
  if (!role) return `Its role ${task.role} does not exist any more: no file .claude/agents/${task.role}.md.`;
  const pause = pauses.find(
    (each) =>
      [`role:${role.name}`, `budget:${role.name}`].includes(each.scope) || each.scope.startsWith('agent:'),
  );
  if (pause)
    return `${pause.scope.replace(/^\w+:/, '')} is paused${pause.until === null ? '' : `, next try ${clock(pause.until, now)}`}: ${pause.message}`;
  const serving = workers.filter((worker) => worker.serves.includes(role.name));
  if (serving.length === 0)
    return `No running worker serves ${role.name}: start one with npm run worker -- --watch.`;
  const rivals = running.filter(
    (other) =>
      other.role !== role.name && role.output !== undefined && !role.sharesOutput && !hasOwnFolder(role),
  );
  const busy = running.filter((other) => other.role === role.name).length;
  if (ahead > 0)
    return `${ahead} task${ahead === 1 ? '' : 's'} of ${role.name} come${ahead === 1 ? 's' : ''} before it; ${busy} run${busy === 1 ? 's' : ''} now.`;
  if (running.length > 0)
    return `The ${role.lane} lane has no free slot: ${running.length} running${rivals.length > 0 ? ', or another role writes its folder' : ''}.`;
  return 'Nothing is in its way; a worker takes it within seconds.';
}
