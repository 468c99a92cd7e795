/**
 * Claiming: which task runs next, taken atomically. A role may run when its lane has a free slot, nothing pauses it,
 * its day's money is not spent, and nobody else writes its folder. Of the first ready task of each such role the one
 * that ranks highest is taken, so a claim costs the same with ten tasks waiting as with a million.
 */
import { randomUUID } from 'node:crypto';
import { brokerQueueName } from '../queues/queue.ts';
import { hasOwnFolder, type Lane, type Role } from '../roles/role.ts';
import type { Tables } from '../store/store.ts';
import type { Task } from '../store/tasks.ts';
import type { Pause } from '../store/workers.ts';
import { daySpent } from './messages.ts';
import { isInside } from '../workspaces/workspace.ts';
import { signature } from './thread.ts';
import type { Worker } from './worker.ts';
import { tell } from './tell.ts';

export interface Claim {
  task: Task;
  role: Role;
  attemptId: string;
  attemptNumber: number;
  resume: boolean;
  /** US dollars this attempt may spend; undefined: no cap; 0: nothing is left. */
  budgetUsd: number | undefined;
  /** Rules a human has approved for this task as it reads now. */
  grants: string[];
  startedAt: number;
}

/** Takes the next task, or undefined: nothing is ready that may run. `held` are claims that have not started yet. */
export async function claim(worker: Worker, held: readonly Claim[] = []): Promise<Claim | undefined> {
  return worker.store.transaction(async (tables) => {
    const now = worker.now();
    // Money and folders are shared: two workers that look at them at once must not both find them free.
    if (sharesLimits(worker)) await tables.lock('claim');
    await tables.tasks.promote(now);
    const money = await openMoney(worker, tables, now);
    const roles = await withMoney(
      worker,
      tables,
      money,
      await rolesThatMayRun(worker, tables, held, now),
      now,
    );
    const best = await bestReady(tables, roles, [...worker.queues.keys()]);
    return best && take({ worker, tables, money, now }, best);
  }, 'claim');
}

function sharesLimits(worker: Worker): boolean {
  if (worker.options.dailyBudgetUsd !== undefined) return true;
  return worker.roles().some((role) => role.dailyBudgetUsd !== undefined || sharesFolder(worker, role));
}

function sharesFolder(worker: Worker, role: Role): boolean {
  return worker.knownRoles().some((other) => other.name !== role.name && mayClash(role, other));
}

/** Local midnight. */
export function startOfDay(now: number): number {
  return new Date(now).setHours(0, 0, 0, 0);
}

interface Money {
  /** What is left of the day's budget of this role and of the worker, caps of running attempts taken off; undefined: no cap. */
  left(role: Role): number | undefined;
  /** Is it spent, and not only set aside for what runs? */
  isSpent(role: Role): boolean;
}

async function openMoney(worker: Worker, tables: Tables, now: number): Promise<Money> {
  const { dailyBudgetUsd } = worker.options;
  const capped =
    dailyBudgetUsd !== undefined || worker.roles().some((role) => role.dailyBudgetUsd !== undefined);
  const none = new Map<string, number>();
  const held = capped ? await tables.attempts.spentSince(startOfDay(now)) : none;
  const spent = capped ? await tables.attempts.costByRole(startOfDay(now)) : none;
  const left = (role: Role, costs: Map<string, number>): number | undefined => {
    const total = [...costs.values()].reduce((sum, usd) => sum + usd, 0);
    return smallest(
      role.dailyBudgetUsd === undefined ? undefined : role.dailyBudgetUsd - (costs.get(role.name) ?? 0),
      dailyBudgetUsd === undefined ? undefined : dailyBudgetUsd - total,
    );
  };
  return {
    left: (role) => left(role, held),
    isSpent: (role) => (left(role, spent) ?? leastUsd) < leastUsd,
  };
}

async function rolesThatMayRun(
  worker: Worker,
  tables: Tables,
  held: readonly Claim[],
  now: number,
): Promise<Role[]> {
  const running = await tables.tasks.running();
  const pauses = await tables.pauses.list();
  return worker.roles().filter((role) => {
    if (used(worker, held, role.lane) >= worker.options.lanes[role.lane]) return false;
    if (pauses.some((pause) => blocks(pause, role, worker.agent.name, running, now))) return false;
    return !folderBusy(worker, role, running);
  });
}

/** Below half a cent nothing can be run. */
export const leastUsd = 0.005;

/** Roles whose day is not spent. Of one that is, the first waiting task is told so, once a day. */
async function withMoney(
  worker: Worker,
  tables: Tables,
  money: Money,
  roles: Role[],
  now: number,
): Promise<Role[]> {
  const able: Role[] = [];
  for (const role of roles) {
    const left = money.left(role);
    const scope = `budget:${role.name}`;
    if (left === undefined || left >= leastUsd) {
      able.push(role);
      if (left !== undefined) await tables.pauses.clear(scope);
      continue;
    }
    const waiting = money.isSpent(role)
      ? await tables.tasks.peekReady(role.name, [...worker.queues.keys()])
      : undefined;
    if (waiting) await sayDaySpent({ worker, tables, scope, now }, waiting);
  }
  return able;
}

async function sayDaySpent(
  { worker, tables, scope, now }: { worker: Worker; tables: Tables; scope: string; now: number },
  task: Task,
): Promise<void> {
  const today = new Date(startOfDay(now)).toDateString();
  const known = (await tables.pauses.list()).find((pause) => pause.scope === scope);
  if (known && known.since >= startOfDay(now)) return;
  // The next midnight, also of a day that has 23 or 25 hours.
  const until = startOfDay(startOfDay(now) + 26 * 3_600_000);
  const message = `the day's budget of ${task.role} is spent`;
  await tables.pauses.clear(scope);
  await tables.pauses.set({ scope, kind: 'budget', message, since: now, until });
  await tell(
    tables,
    {
      id: `${scope}:${today}`,
      taskId: task.id,
      attemptId: null,
      queue: task.queue,
      body: { kind: 'comment', text: daySpent(task.role) + signature(worker.store.id) },
    },
    now,
  );
  worker.log({ type: 'paused', scope: task.role, text: message, until });
}

/** Is there a slot in the lane of any role? */
export function hasFreeSlot(worker: Worker, held: readonly Claim[]): boolean {
  return worker.roles().some(({ lane }) => used(worker, held, lane) < worker.options.lanes[lane]);
}

function used(worker: Worker, held: readonly Claim[], lane: Lane): number {
  return [...worker.running.values(), ...held].filter(({ role }) => role.lane === lane).length;
}

/** A pause that has run out lets one task through first; its success lifts it for all. */
function blocks(pause: Pause, role: Role, agent: string, running: readonly Task[], now: number): boolean {
  if (pause.kind === 'budget') return false;
  if (pause.scope !== `role:${role.name}` && pause.scope !== `agent:${agent}`) return false;
  if (pause.until === null || pause.until > now) return true;
  return running.some((task) => pause.scope.startsWith('agent:') || task.role === role.name);
}

function folderBusy(worker: Worker, role: Role, running: readonly Task[]): boolean {
  return running.some((task) => {
    if (task.role === role.name) return false;
    const other = worker.knownRoles().find((known) => known.name === task.role);
    return other !== undefined && mayClash(role, other);
  });
}

/** Do two roles write one folder, without having agreed to? */
function mayClash(role: Role, other: Role): boolean {
  const [one, two] = [role, other].map(({ output, sharesOutput, isolation, edits }) =>
    sharesOutput || hasOwnFolder({ isolation, edits }) ? undefined : output,
  );
  if (one === undefined || two === undefined) return false;
  return isInside(one, two) || isInside(two, one);
}

/**
 * Ranked by a look and locked only when it is taken: what one claim only compares must not seem taken to another, which
 * would go to sleep beside a task that nobody runs.
 */
async function bestReady(
  tables: Tables,
  roles: readonly Role[],
  queues: readonly string[],
): Promise<{ task: Task; role: Role } | undefined> {
  const seen: { task: Task; role: Role }[] = [];
  for (const role of roles) {
    const task = await tables.tasks.peekReady(role.name, queues);
    if (task) seen.push({ task, role });
  }
  for (const { role } of seen.toSorted((a, b) => (ranksBefore(a.task, b.task) ? -1 : 1))) {
    const task = await tables.tasks.firstReady(role.name, queues);
    if (task) return { task, role };
  }
  return undefined;
}

function ranksBefore(a: Task, b: Task): boolean {
  for (const key of ['ordinal', 'priority', 'dueAt', 'position'] as const)
    if (a[key] !== b[key]) return a[key] < b[key];
  return a.id < b.id;
}

async function take(
  { worker, tables, money, now }: { worker: Worker; tables: Tables; money: Money; now: number },
  { task, role }: { task: Task; role: Role },
): Promise<Claim> {
  const resume = task.sessionUsable && task.sessionId !== null && worker.agent.supports.resume;
  const sessionId = resume && task.sessionId !== null ? task.sessionId : randomUUID();
  const attemptId = randomUUID();
  const budgetUsd = smallest(taskBudget(task, role), money.left(role));
  const attemptNumber = await tables.attempts.start({
    id: attemptId,
    taskId: task.id,
    round: task.round,
    workerId: worker.id,
    agent: worker.agent.name,
    sessionId,
    resumed: resume,
    budget: budgetUsd ?? null,
    startedAt: now,
  });
  await tables.tasks.move(
    task,
    'running',
    {
      attemptId,
      workerId: worker.id,
      leaseUntil: now + worker.options.leaseMs,
      sessionId,
      sessionCost: resume ? task.sessionCost : 0,
    },
    now,
  );
  const claimed = await tables.tasks.get(task.id);
  const grants = await approvedRules(tables, task);
  return { task: claimed ?? task, role, attemptId, attemptNumber, resume, budgetUsd, grants, startedAt: now };
}

/** An approval counts for the text it was given for, and no other. */
async function approvedRules(tables: Tables, task: Task): Promise<string[]> {
  const grants = await tables.grants.list(task.id);
  return grants
    .filter((grant) => grant.decision === 'approve' && grant.contentHash === task.contentHash)
    .map((grant) => grant.rule);
}

/** A person may give a task of this store more than its role allows; an agent or a message may only give it less. */
function capFor({ meta, queue, parentId }: Task, role: Role): number | undefined {
  if (meta.budgetUsd === undefined || role.budgetUsd === undefined) return meta.budgetUsd ?? role.budgetUsd;
  const byPerson = queue !== brokerQueueName && parentId === null;
  return byPerson ? meta.budgetUsd : Math.min(meta.budgetUsd, role.budgetUsd);
}

function taskBudget(task: Task, role: Role): number | undefined {
  const budget = capFor(task, role);
  return budget === undefined ? undefined : Math.max(0, budget - (task.cost - (task.meta.costAtRound ?? 0)));
}

function smallest(...values: (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}
