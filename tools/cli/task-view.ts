/** A task as `agentq` shows it: one shape for `--json`, lines for people. Pure. */
import type { Attempt } from '../store/attempts.ts';
import type { TaskEvent } from '../store/events.ts';
import type { Comment } from '../store/mirror.ts';
import type { StoredReport } from '../store/reports.ts';
import { noDue, withBroker, type Task } from '../store/tasks.ts';
import { duration, size } from '../worker/messages.ts';
import { withoutSignature } from '../worker/thread.ts';
import { shown } from './render-worker.ts';

/** Times are ISO 8601 in UTC, money in US dollars. */
export function taskJson(task: Task): Record<string, unknown> {
  return {
    id: task.id,
    queue: task.queue,
    role: task.role,
    state: task.state,
    title: task.title,
    description: task.description,
    priority: `p${task.priority}`,
    note: task.note,
    failure_kind: task.failureKind,
    round: task.round,
    failures: task.failures,
    cost_usd: task.cost,
    due_at: task.dueAt === noDue ? null : iso(task.dueAt),
    deadline_at: iso(task.deadlineAt),
    available_at: [0, withBroker].includes(task.availableAt) ? null : iso(task.availableAt),
    created_at: iso(task.createdAt),
    updated_at: iso(task.updatedAt),
    asked: task.meta.asked ?? [],
  };
}

export function attemptJson(attempt: Attempt): Record<string, unknown> {
  return {
    id: attempt.id,
    number: attempt.number,
    agent: attempt.agent,
    session_id: attempt.sessionId,
    resumed: attempt.resumed,
    result: attempt.result,
    failure_kind: attempt.failureKind,
    failure_code: attempt.failureCode,
    message: attempt.message,
    cost_usd: attempt.cost,
    denials: attempt.denials,
    artifacts: attempt.artifacts,
    started_at: iso(attempt.startedAt),
    ended_at: iso(attempt.endedAt),
  };
}

export function eventJson(event: TaskEvent): Record<string, unknown> {
  return {
    seq: event.seq,
    at: iso(event.at),
    type: event.type,
    attempt_id: event.attemptId,
    data: event.data,
  };
}

export interface ThreadEntry {
  at: number;
  from: 'person' | 'worker';
  text: string;
  /** Of a report: has the queue got it? */
  delivery: StoredReport['state'] | undefined;
}

/** What a person would read below the task, oldest first. */
export function threadOf(comments: readonly Comment[], reports: readonly StoredReport[]): ThreadEntry[] {
  const told = reports.flatMap((report): ThreadEntry[] =>
    'text' in report.body
      ? [
          {
            at: report.createdAt,
            from: 'worker',
            text: withoutSignature(report.body.text),
            delivery: report.state,
          },
        ]
      : [],
  );
  const said = comments
    .filter((comment) => comment.author === 'human')
    .map((comment): ThreadEntry => ({
      at: comment.postedAt,
      from: 'person',
      text: comment.text,
      delivery: undefined,
    }));
  return [...told, ...said].sort((a, b) => a.at - b.at);
}

export function taskLine(task: Task, now: number): string {
  const age = duration(now - task.updatedAt);
  return `${task.id}  ${task.state.padEnd(14)} p${task.priority}  ${task.role.padEnd(20)} ${age.padStart(9)}  ${shown(task.title, 60)}`;
}

export interface TaskDetail {
  task: Task;
  attempts: Attempt[];
  events: TaskEvent[];
  thread: ThreadEntry[];
  now: number;
}

export function detailLines({ task, attempts, events, thread, now }: TaskDetail): string[] {
  const lines = [
    shown(task.title, 200),
    `  ${task.id}  ${task.state}  ${task.role}  p${task.priority}  $${task.cost.toFixed(2)}`,
  ];
  if (task.note !== null) lines.push(`  ${shown(task.note, 300)}`);
  if (task.availableAt === withBroker)
    lines.push(...(task.state === 'queued' ? ['  the broker has it'] : []));
  else if (task.availableAt > now) lines.push(`  next attempt in ${duration(task.availableAt - now)}`);
  if (task.deadlineAt !== null) lines.push(`  latest useful completion: ${iso(task.deadlineAt)}`);
  lines.push('', 'Attempts');
  for (const attempt of attempts) lines.push(...attemptLines(attempt, now));
  if (attempts.length === 0) lines.push('  none yet');
  lines.push('', 'Events');
  for (const event of events.slice(-30)) {
    const text = event.data['text'] ?? event.data['note'];
    const tail = typeof text === 'string' && text !== '' ? `: ${shown(text, 120)}` : '';
    lines.push(`  ${iso(event.at)}  ${event.type}${tail}`);
  }
  lines.push('', 'Thread');
  for (const entry of thread) {
    const mark = entry.delivery === undefined || entry.delivery === 'sent' ? '' : `  [${entry.delivery}]`;
    lines.push(`  ${iso(entry.at)}  ${entry.from}${mark}`, ...indented(entry.text));
  }
  return lines;
}

function attemptLines(attempt: Attempt, now: number): string[] {
  const took = duration((attempt.endedAt ?? now) - attempt.startedAt);
  const why = attempt.failureKind === null ? '' : ` (${attempt.failureKind}: ${attempt.failureCode})`;
  const lines = [
    `  ${attempt.number}. ${attempt.result ?? 'running'}${why}, ${took}, $${attempt.cost.toFixed(2)}, session ${attempt.sessionId}`,
  ];
  if (attempt.message !== null) lines.push(`     ${shown(attempt.message, 200)}`);
  for (const file of attempt.artifacts)
    lines.push(`     ${shown(file.path, 120)}  ${size(file.size)}  sha256 ${file.sha256.slice(0, 12)}`);
  for (const denial of attempt.denials)
    lines.push(`     refused: ${shown(`${denial.tool} ${JSON.stringify(denial.input)}`, 120)}`);
  return lines;
}

export function indented(text: string): string[] {
  return text.split('\n').map((line) => `    ${shown(line, 400)}`);
}

export function iso(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}
