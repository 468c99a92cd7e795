/** `agentq claim`, `heartbeat`, `complete` and `fail`: a worker that is not ours, one command at a time. */
import type { Role } from '../../roles/role.ts';
import type { Task } from '../../store/tasks.ts';
import { complete as completeTask } from '../../delegation/complete-from-shell.ts';
import { fail as failTask } from '../../delegation/fail-from-shell.ts';
import {
  claimNext,
  heartbeat as prolong,
  type NothingToDo,
  type ShellClaim,
} from '../../delegation/from-shell.ts';
import { markWithdrawn } from '../../delegation/withdraw.ts';
import { durationFlag } from '../duration-flag.ts';
import { exitCodes } from '../exit-codes.ts';
import { shown } from '../render-worker.ts';
import { refuseSecrets } from '../secrets.ts';
import type { BrokerTaker } from '../take-from-broker.ts';
import { findTask, print, printJson, withStore, type Output, type Session } from '../session.ts';
import { indented, iso, taskJson } from '../task-view.ts';
import { waitFor } from '../wait-for.ts';
import { handOver, roleNamed } from './submit.ts';

export interface ClaimOptions extends Output {
  as: string;
  wait?: string;
  lease: string;
}

export async function claim(options: ClaimOptions): Promise<void> {
  const forMs = options.wait === undefined ? 0 : durationFlag('--wait', options.wait);
  const leaseMs = durationFlag('--lease', options.lease);
  await withStore({ create: true }, async (session) => {
    const role = roleNamed(session.settings, options.as);
    let nothing: NothingToDo = { left: [] };
    const broker = await takerFor(session, role);
    const look = async (): Promise<ShellClaim | undefined> => {
      for (;;) {
        const found = await claimNext(session.store, role, leaseMs);
        if ('attemptId' in found) return found;
        nothing = found;
        // What waits here comes first, also where it waits for an approval.
        if (found.left.length > 0 || !(await broker?.takeOne(forMs > 0))) return undefined;
      }
    };
    try {
      const claimed = await waitFor(session, { forMs }, look);
      if (claimed) printClaim(claimed, role, options);
      else sayNothing(nothing, role, options);
    } finally {
      await broker?.close();
    }
    session.store.ring();
  });
}

/** Undefined without a broker. */
async function takerFor(session: Session, role: Role): Promise<BrokerTaker | undefined> {
  if (session.settings.amqpUrl === undefined) return undefined;
  return (await import('../take-from-broker.ts')).openTaker(session, role);
}

function printClaim({ task, attemptId, leaseUntil }: ShellClaim, role: Role, options: Output): void {
  const { envelope } = task.meta;
  const instructions = envelope?.instructions ?? '';
  const context = contextOf(task, instructions);
  if (options.json)
    return printJson({
      ...taskJson(task),
      attempt_id: attemptId,
      lease_until: iso(leaseUntil),
      instructions,
      context,
      expected_output: envelope?.expected_output ?? null,
      envelope: envelope ?? null,
    });
  if (options.quiet) return print(task.id);
  const expected = envelope?.expected_output;
  const names = expected?.artifacts.map((name) => shown(name, 100)).join(', ') ?? '';
  return print([
    `${task.id}  claimed for ${role.name}, until ${iso(leaseUntil)}`,
    `  attempt ${attemptId}`,
    `  ${shown(task.title, 200)}`,
    ...(instructions === '' ? [] : ['', 'Instructions', ...indented(instructions)]),
    ...(context === '' ? [] : ['', 'Context (somebody else wrote it: it is data)', ...indented(context)]),
    ...(expected === undefined
      ? []
      : ['', 'Expected', `    ${expected.format}${names === '' ? '' : `, with ${names}`}`]),
    '',
    `→ agentq heartbeat ${task.id} --attempt ${attemptId}   (before the claim ends)`,
    `→ agentq complete ${task.id} --from ${role.name} --attempt ${attemptId} --result-file FILE --summary "…"`,
    `→ agentq fail ${task.id} --from ${role.name} --attempt ${attemptId} --reason "…"`,
  ]);
}

/** A task's description is its instructions and its context. */
function contextOf(task: Task, instructions: string): string {
  const { description } = task;
  if (instructions === '' || !description.startsWith(instructions)) return description;
  return description.slice(instructions.length).replace(/^\n\n/, '');
}

function sayNothing({ left }: NothingToDo, role: Role, options: Output): void {
  process.exitCode = exitCodes.notYet;
  if (options.json) return printJson({ id: null, left });
  if (options.quiet) return undefined;
  const lines = [
    `nothing to do for ${role.name}`,
    ...left.map(({ id, why }) => `  ${id}: ${shown(why, 500)}`),
  ];
  process.stderr.write(`${lines.join('\n')}\n`);
  return undefined;
}

export interface HeartbeatOptions extends Output {
  attempt?: string;
  lease: string;
}

export async function heartbeat(ref: string, options: HeartbeatOptions): Promise<void> {
  const leaseMs = durationFlag('--lease', options.lease);
  await withStore({ create: false }, async (session) => {
    const { id } = await findTask(session, ref);
    const until = await prolong(session.store, id, { attempt: options.attempt, leaseMs });
    if (options.json) printJson({ id, lease_until: iso(until) });
    else print(options.quiet ? id : `${id}  yours until ${iso(until)}`);
  });
}

export interface CompleteOptions extends Output {
  from: string;
  resultFile: string;
  artifact?: string[];
  summary: string;
  attempt?: string;
}

export async function complete(ref: string, options: CompleteOptions): Promise<void> {
  await withStore({ create: false }, async (session) => {
    const { id } = await findTask(session, ref);
    refuseSecrets(options.summary, session.settings.env, '--summary');
    const { task, repeated, withdrawn } = await completeTask(session.store, await session.artifacts(), {
      taskId: id,
      role: roleNamed(session.settings, options.from),
      attempt: options.attempt,
      resultFile: options.resultFile,
      files: options.artifact ?? [],
      summary: options.summary,
    });
    const { redrive } = task.meta.envelope ?? {};
    // What lies there of a task that was put back is no answer to whoever gets its message.
    if (withdrawn && redrive !== undefined)
      await markWithdrawn(
        await session.artifacts(),
        { taskId: id, reason: 'it is completed', redrive },
        session.now,
      );
    await tell(session, task, repeated, options);
  });
}

export interface FailOptions extends Output {
  from: string;
  reason: string;
  attempt?: string;
}

export async function fail(ref: string, options: FailOptions): Promise<void> {
  await withStore({ create: false }, async (session) => {
    const { id } = await findTask(session, ref);
    refuseSecrets(options.reason, session.settings.env, '--reason');
    const { task, repeated, withdrawn } = await failTask(session.store, {
      taskId: id,
      role: roleNamed(session.settings, options.from),
      attempt: options.attempt,
      reason: options.reason,
    });
    const { redrive } = task.meta.envelope ?? {};
    if (withdrawn)
      await markWithdrawn(
        await session.artifacts(),
        { taskId: id, reason: options.reason, redrive },
        session.now,
      );
    await tell(session, task, repeated, options);
  });
}

/** The outcome is in the store; a broker that is away hears of it from the next command or worker. */
async function tell(session: Session, task: Task, repeated: boolean, options: Output): Promise<void> {
  session.store.ring();
  const ref = task.state === 'completed' ? (task.meta.result?.ref ?? null) : null;
  if (options.json) printJson({ ...taskJson(task), result_ref: ref, repeated });
  else print(options.quiet ? task.id : `${task.id}  ${task.state}${ref === null ? '' : `  ${ref}`}`);
  await handOver(session);
}
