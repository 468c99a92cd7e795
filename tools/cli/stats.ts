/**
 * What an operator asks: what is waiting, running, stuck, failed, what missed its deadline, and what it cost. Numbers
 * are read from the store; rendering is pure. Metric names follow Prometheus' conventions (base units, `_total`).
 */
import type { Lane, Role } from '../roles/role.ts';
import { lanes } from '../roles/role.ts';
import type { Attempt } from '../store/attempts.ts';
import { states, type State } from '../store/states.ts';
import type { Tables } from '../store/store.ts';
import type { Pause, WorkerRow } from '../store/workers.ts';
import { startOfDay } from '../worker/claim.ts';
import { duration } from '../worker/messages.ts';

export interface Percentiles {
  p50: number | null;
  p95: number | null;
}

export interface Stats {
  at: string;
  tasks: Record<State, number>;
  stuck: { id: string; why: string }[];
  missed_deadline: number;
  lanes: Record<Lane, { waiting: number; running: number; oldest_seconds: number }>;
  /** Of tasks whose attempts began in the last day, seconds. */
  start_latency_seconds: Percentiles;
  total_latency_seconds: Percentiles;
  attempts: { total: number; retries: number; by_failure: Record<string, number>; failure_rate: number };
  cost_usd: {
    today: number;
    by_role: Record<string, number>;
    by_day: Record<string, number>;
    per_task: number | null;
  };
  reports_pending: number;
  workers: { id: string; host: string; pid: number; seen_seconds_ago: number }[];
  pauses: { scope: string; kind: string; message: string; until: string | null }[];
}

const weekMs = 7 * 24 * 3_600_000;
const dayMs = 24 * 3_600_000;

export async function readStats(tables: Tables, roles: readonly Role[], now: number): Promise<Stats> {
  const counts = await tables.tasks.counts();
  const recent = await tables.attempts.since(now - weekMs);
  const running = await tables.tasks.running();
  const workers = await tables.workers.list();
  const pauses = await tables.pauses.list();
  const today = await tables.tasks.timings(now - dayMs);
  const total = (state: State): number =>
    counts.filter((row) => row.state === state).reduce((sum, row) => sum + row.count, 0);
  return {
    at: new Date(now).toISOString(),
    tasks: Object.fromEntries(states.map((state) => [state, total(state)])) as Record<State, number>,
    stuck: stuckTasks(running, workers, now),
    missed_deadline: await tables.tasks.missedDeadlines(now - dayMs),
    lanes: lanesOf(counts, roles, now),
    start_latency_seconds: percentiles(today.map(({ startedMs }) => startedMs / 1000)),
    total_latency_seconds: percentiles(
      today.flatMap(({ endedMs }) => (endedMs === null ? [] : [endedMs / 1000])),
    ),
    attempts: attemptStats(recent.filter((attempt) => attempt.startedAt >= now - dayMs)),
    cost_usd: await costs(tables, recent, now),
    reports_pending: await tables.reports.pending(),
    workers: workers.map(({ id, host, pid, seenAt }) => ({
      id,
      host,
      pid,
      seen_seconds_ago: Math.round((now - seenAt) / 1000),
    })),
    pauses: pauses.map(pauseJson),
  };
}

function pauseJson({ scope, kind, message, until }: Pause): Stats['pauses'][number] {
  return { scope, kind, message, until: until === null ? null : new Date(until).toISOString() };
}

function stuckTasks(
  running: readonly { id: string; workerId: string | null; leaseUntil: number | null }[],
  workers: readonly WorkerRow[],
  now: number,
): Stats['stuck'] {
  return running.flatMap((task) => {
    if (!workers.some((worker) => worker.id === task.workerId))
      return [{ id: task.id, why: 'its worker is gone' }];
    return (task.leaseUntil ?? 0) < now ? [{ id: task.id, why: 'its worker has not been heard of' }] : [];
  });
}

function lanesOf(
  counts: Awaited<ReturnType<Tables['tasks']['counts']>>,
  roles: readonly Role[],
  now: number,
): Stats['lanes'] {
  const laneOf = new Map(roles.map((role) => [role.name, role.lane]));
  const result = Object.fromEntries(
    lanes.map((lane) => [lane, { waiting: 0, running: 0, oldest_seconds: 0 }]),
  ) as Stats['lanes'];
  for (const row of counts) {
    const lane = result[laneOf.get(row.role) ?? 'normal'];
    if (row.state === 'running') lane.running += row.count;
    if (row.state !== 'queued') continue;
    lane.waiting += row.count;
    lane.oldest_seconds = Math.max(lane.oldest_seconds, Math.round((now - row.oldest) / 1000));
  }
  return result;
}

function attemptStats(attempts: readonly Attempt[]): Stats['attempts'] {
  const byFailure: Record<string, number> = {};
  const ended = attempts.filter((attempt) => attempt.endedAt !== null);
  for (const { failureKind } of ended)
    if (failureKind !== null) byFailure[failureKind] = (byFailure[failureKind] ?? 0) + 1;
  const failed = ended.filter((attempt) => attempt.failureKind !== null).length;
  return {
    total: attempts.length,
    retries: attempts.length - new Set(attempts.map((attempt) => `${attempt.taskId} ${attempt.round}`)).size,
    by_failure: byFailure,
    failure_rate: ended.length === 0 ? 0 : failed / ended.length,
  };
}

async function costs(tables: Tables, recent: readonly Attempt[], now: number): Promise<Stats['cost_usd']> {
  const since = startOfDay(now);
  const byRole = await tables.attempts.costByRole(since);
  const byDay: Record<string, number> = {};
  for (const attempt of recent) {
    const day = new Date(startOfDay(attempt.startedAt) + 12 * 3_600_000).toISOString().slice(0, 10);
    byDay[day] = (byDay[day] ?? 0) + attempt.cost;
  }
  const tasks = new Set(recent.map((attempt) => attempt.taskId)).size;
  return {
    today: [...byRole.values()].reduce((sum, usd) => sum + usd, 0),
    by_role: Object.fromEntries(byRole),
    by_day: byDay,
    per_task: tasks === 0 ? null : recent.reduce((sum, attempt) => sum + attempt.cost, 0) / tasks,
  };
}

export function percentiles(values: readonly number[]): Percentiles {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number | null =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? null;
  return { p50: at(0.5), p95: at(0.95) };
}

export function statsLines(stats: Stats): string[] {
  const lines = [
    `waiting   ${stats.tasks.queued}   ${lanes.map((lane) => `${lane} ${stats.lanes[lane].waiting}`).join(', ')}`,
    `running   ${stats.tasks.running}`,
    `stuck     ${stats.stuck.length}${stats.stuck.map((task) => `\n            ${task.id}  ${task.why}`).join('')}`,
    `failed    ${stats.tasks.failed}   (dead letters: agentq dlq)`,
    `missed    ${stats.missed_deadline}   deadlines in the last day`,
    `to decide ${stats.tasks.input_required}   (agentq inbox)`,
    '',
    `oldest waiting      ${lanes.map((lane) => `${lane} ${duration(stats.lanes[lane].oldest_seconds * 1000)}`).join(', ')}`,
    `submit to start     p50 ${seconds(stats.start_latency_seconds.p50)}, p95 ${seconds(stats.start_latency_seconds.p95)}`,
    `submit to end       p50 ${seconds(stats.total_latency_seconds.p50)}, p95 ${seconds(stats.total_latency_seconds.p95)}`,
    `attempts, last day  ${stats.attempts.total}, ${stats.attempts.retries} retries, ${(stats.attempts.failure_rate * 100).toFixed(0)} % failed ${kinds(stats.attempts.by_failure)}`,
    `cost today          $${stats.cost_usd.today.toFixed(2)} ${money(stats.cost_usd.by_role)}`,
    `cost a task         ${stats.cost_usd.per_task === null ? '–' : `$${stats.cost_usd.per_task.toFixed(2)}`}`,
    `reports to deliver  ${stats.reports_pending}`,
    `workers             ${stats.workers.map((worker) => `${worker.host}/${worker.pid} (${worker.seen_seconds_ago} s ago)`).join(', ') || 'none'}`,
  ];
  for (const pause of stats.pauses) lines.push(`paused              ${pause.scope}: ${pause.message}`);
  return lines;
}

function seconds(value: number | null): string {
  return value === null ? '–' : duration(value * 1000);
}

function kinds(byFailure: Record<string, number>): string {
  const parts = Object.entries(byFailure).map(([kind, count]) => `${kind} ${count}`);
  return parts.length === 0 ? '' : `(${parts.join(', ')})`;
}

function money(byRole: Record<string, number>): string {
  const parts = Object.entries(byRole)
    .filter(([, usd]) => usd > 0)
    .map(([role, usd]) => `${role} $${usd.toFixed(2)}`);
  return parts.length === 0 ? '' : `(${parts.join(', ')})`;
}

/** The text exposition format; never a task id as a label. */
export function prometheus(stats: Stats): string {
  const lines: string[] = [];
  const metric = (
    name: string,
    type: string,
    help: string,
    samples: [Record<string, string>, number | null][],
  ): void => {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
    for (const [labels, value] of samples)
      if (value !== null) lines.push(`${name}${labelText(labels)} ${value}`);
  };
  metric(
    'agents_tasks',
    'gauge',
    'Tasks by state.',
    Object.entries(stats.tasks).map(([state, count]) => [{ state }, count]),
  );
  metric('agents_tasks_stuck', 'gauge', 'Running tasks whose worker is gone or silent.', [
    [{}, stats.stuck.length],
  ]);
  metric('agents_tasks_missed_deadline', 'gauge', 'Tasks that missed their deadline in the last day.', [
    [{}, stats.missed_deadline],
  ]);
  metric(
    'agents_queue_depth',
    'gauge',
    'Waiting tasks by lane.',
    lanes.map((lane) => [{ lane }, stats.lanes[lane].waiting]),
  );
  metric(
    'agents_oldest_queued_age_seconds',
    'gauge',
    'Age of the oldest waiting task by lane.',
    lanes.map((lane) => [{ lane }, stats.lanes[lane].oldest_seconds]),
  );
  metric(
    'agents_queue_wait_seconds',
    'gauge',
    'Submit to start over the last day.',
    quantiles(stats.start_latency_seconds),
  );
  metric(
    'agents_task_duration_seconds',
    'gauge',
    'Submit to end over the last day.',
    quantiles(stats.total_latency_seconds),
  );
  metric('agents_attempts', 'gauge', 'Attempts started in the last day.', [[{}, stats.attempts.total]]);
  metric(
    'agents_attempt_retries',
    'gauge',
    'Attempts of the last day that were not the first of their round.',
    [[{}, stats.attempts.retries]],
  );
  metric(
    'agents_attempt_failures',
    'gauge',
    'Failed attempts of the last day by kind.',
    Object.entries(stats.attempts.by_failure).map(([kind, count]) => [{ kind }, count]),
  );
  metric(
    'agents_cost_usd',
    'gauge',
    'US dollars spent today by role.',
    Object.entries(stats.cost_usd.by_role).map(([role, usd]) => [{ role }, usd]),
  );
  metric('agents_reports_pending', 'gauge', 'Reports the queues have not taken yet.', [
    [{}, stats.reports_pending],
  ]);
  metric(
    'agents_worker_heartbeat_age_seconds',
    'gauge',
    'Seconds since the last sign of life.',
    stats.workers.map((worker) => [{ host: worker.host, pid: String(worker.pid) }, worker.seen_seconds_ago]),
  );
  metric(
    'agents_paused',
    'gauge',
    'What is paused, by scope and kind.',
    stats.pauses.map((pause) => [{ scope: pause.scope, kind: pause.kind }, 1]),
  );
  return `${lines.join('\n')}\n`;
}

function quantiles({ p50, p95 }: Percentiles): [Record<string, string>, number | null][] {
  return [
    [{ quantile: '0.5' }, p50],
    [{ quantile: '0.95' }, p95],
  ];
}

function labelText(labels: Record<string, string>): string {
  const parts = Object.entries(labels).map(
    ([name, value]) =>
      `${name}="${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`,
  );
  return parts.length === 0 ? '' : `{${parts.join(',')}}`;
}
