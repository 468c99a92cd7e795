/**
 * One attempt, from the claim to the settled outcome: prepare the workspace, say "working on it", run the agent,
 * check the evidence, settle. Whatever happens in between, the attempt ends in `settleAttempt`, or the worker has
 * died and the next one takes it from the store.
 */
import type { AgentResult } from '../agents/agent.ts';
import { AppError, messageOf } from '../errors.ts';
import { dropWithdrawn } from '../delegation/drop-withdrawn.ts';
import { cleanAttempt } from '../workspaces/workspace.ts';
import type { Claim } from './claim.ts';
import { collectChanges } from './collect-changes.ts';
import { crashPoint } from './crash-point.ts';
import { workingOnIt } from './messages.ts';
import { prepareAttempt } from './prepare-attempt.ts';
import { progressId, type Progress } from './progress.ts';
import { recordSteps } from './record-steps.ts';
import { closeAttempt } from './close-attempt.ts';
import { settleAttempt } from './settle-attempt.ts';
import { signature } from './thread.ts';
import type { RunningAttempt, Worker } from './worker.ts';
import { tell } from './tell.ts';

/** Starts the attempt and yields at once; `ended` of the result settles when all about it is over. */
export function startAttempt(worker: Worker, claim: Claim, progress: Progress): RunningAttempt {
  const abort = new AbortController();
  const leave = new AbortController();
  const running: RunningAttempt = {
    taskId: claim.task.id,
    title: claim.task.title,
    role: claim.role,
    startedAt: claim.startedAt,
    lastStep: '',
    abort(why) {
      // Also of one that was lost before: the first reason is the one the agent ended for.
      if (why === 'shutdown') leave.abort();
      abort.abort(why);
    },
    ended: Promise.resolve(),
  };
  worker.running.set(claim.attemptId, running);
  running.ended = runAttempt({
    worker,
    claim,
    progress,
    running,
    signal: abort.signal,
    leaving: leave.signal,
  })
    .catch((error: unknown) => {
      worker.log({
        type: 'warning',
        text: `${claim.task.title}: ${messageOf(error)}`,
        hints: error instanceof AppError ? error.hints : ['the task is taken back and runs again'],
      });
    })
    .finally(() => worker.running.delete(claim.attemptId));
  return running;
}

interface Run {
  worker: Worker;
  claim: Claim;
  progress: Progress;
  running: RunningAttempt;
  signal: AbortSignal;
  /** Aborted when the worker is leaving. */
  leaving: AbortSignal;
}

async function runAttempt(run: Run): Promise<void> {
  const { worker, claim, leaving } = run;
  const { task, role } = claim;
  worker.log({
    type: 'attempt_started',
    taskId: task.id,
    role: role.name,
    title: task.title,
    attempt: claim.attemptNumber,
    lane: role.lane,
  });
  if (await dropWithdrawn(worker, claim)) return;
  const prepared = await prepareAttempt(worker, claim);
  if ('failure' in prepared) {
    const nothing: AgentResult = {
      failure: prepared.failure,
      costUsd: 0,
      turns: undefined,
      denials: [],
      sessionUsable: task.sessionUsable,
      exit: { code: null, signal: null },
    };
    await settleAttempt({ worker, claim, result: nothing, ready: undefined, leaving }, run.progress);
    return;
  }
  crashPoint('prepared');
  if (prepared.tight) {
    const note = `There is less time than ${role.name} usually needs; you get what can be done by then.`;
    void run.progress.edit(task, workingOnIt({ attempt: task.failures + 1, note }));
  }
  const steps = recordSteps(run);
  const result = await worker.agent.run(prepared.request, steps.onEvent, run.signal);
  crashPoint('agent-ended');
  await steps.finish();
  cleanAttempt(prepared.places);
  if (run.signal.reason === 'lost') {
    await worker.store.transaction((tables) => closeAttempt(tables, claim, result, worker.now()));
    return;
  }
  const collected = await collectChanges(role, prepared.places, result);
  await settleAttempt({ worker, claim, result: collected, ready: prepared, leaving }, run.progress);
}

/** One comment a round, edited in place from then on. */
export async function sayWorking(worker: Worker, claim: Claim, progress: Progress): Promise<void> {
  const { task } = claim;
  const text =
    workingOnIt({ attempt: claim.task.failures + 1 }) + signature(worker.store.id, worker.startedAt);
  const id = progressId(task.id, task.round);
  const isNew = await worker.store.transaction(async (tables) => {
    const known = await tables.reports.get(id);
    await tell(
      tables,
      {
        id,
        taskId: task.id,
        attemptId: claim.attemptId,
        queue: task.queue,
        body: { kind: 'progress', text },
      },
      worker.now(),
    );
    return known === undefined;
  });
  if (!isNew) void progress.edit(task, workingOnIt({ attempt: claim.task.failures + 1 }));
  progress.wake();
}
