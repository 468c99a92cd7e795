/**
 * One attempt, from the claim to the settled outcome: prepare the workspace, say "working on it", run the agent,
 * check the evidence, settle. Whatever happens in between, the attempt ends in `settleAttempt`, or the worker has
 * died and the next one takes it from the store.
 */
import type { AgentEvent, AgentRequest, AgentResult } from '../agents/agent.ts';
import type { Failure } from '../agents/outcome.ts';
import { processStartTime } from '../agents/processes.ts';
import { AppError, messageOf } from '../errors.ts';
import { maxStepsPerAttempt } from '../store/events.ts';
import { cleanAttempt, prepare, writeContext, type Places } from '../workspaces/workspace.ts';
import { leastUsd, type Claim } from './claim.ts';
import { crashPoint } from './crash-point.ts';
import { fieldsOf, missingFields } from './eligibility.ts';
import { workingOnIt } from './messages.ts';
import { progressId, type Progress } from './progress.ts';
import { buildContext, buildPrompt, type PromptInput } from './prompt.ts';
import { settleAttempt } from './settle-attempt.ts';
import { signature } from './thread.ts';
import type { RunningAttempt, Worker } from './worker.ts';

/** Starts the attempt and yields at once; `ended` of the result settles when all about it is over. */
export function startAttempt(worker: Worker, claim: Claim, progress: Progress): RunningAttempt {
  const abort = new AbortController();
  const running: RunningAttempt = {
    taskId: claim.task.id,
    title: claim.task.title,
    role: claim.role,
    startedAt: claim.startedAt,
    lastStep: '',
    abort: (why) => abort.abort(why),
    ended: Promise.resolve(),
  };
  worker.running.set(claim.attemptId, running);
  running.ended = runAttempt({ worker, claim, progress, running, signal: abort.signal })
    .catch((error: unknown) => {
      worker.log({
        type: 'warning',
        text: `${claim.task.title}: ${messageOf(error)}`,
        hints:
          error instanceof AppError
            ? error.hints
            : ['the task stays claimed until its lease ends, then runs again'],
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
}

async function runAttempt(run: Run): Promise<void> {
  const { worker, claim } = run;
  const { task, role } = claim;
  worker.log({
    type: 'attempt_started',
    taskId: task.id,
    role: role.name,
    title: task.title,
    attempt: claim.attemptNumber,
    lane: role.lane,
  });
  const prepared = await prepareAttempt(run);
  if ('failure' in prepared) {
    const nothing: AgentResult = {
      failure: prepared.failure,
      costUsd: 0,
      turns: undefined,
      denials: [],
      sessionUsable: task.sessionUsable,
      exit: { code: null, signal: null },
    };
    await settleAttempt(worker, claim, nothing, undefined, run.progress);
    return;
  }
  crashPoint('prepared');
  const steps = recordSteps(run);
  const result = await worker.agent.run(prepared.request, steps.onEvent, run.signal);
  crashPoint('agent-ended');
  await steps.finish();
  cleanAttempt(prepared.places);
  if (run.signal.reason === 'lost') {
    await closeLost(worker, claim, result);
    return;
  }
  await settleAttempt(worker, claim, result, prepared.places, run.progress);
}

/** The task is somebody else's now, or cancelled: what the attempt cost is kept, what it did is not told. */
async function closeLost(worker: Worker, claim: Claim, result: AgentResult): Promise<void> {
  await worker.store.transaction(async ({ attempts, tasks }) => {
    const ended = await attempts.finish(claim.attemptId, {
      result: 'cancelled',
      failureKind: null,
      failureCode: 'task_taken_away',
      message: 'The task was taken away while the agent worked; the agent was stopped.',
      spent: false,
      cost: result.costUsd ?? 0,
      turns: result.turns ?? null,
      denials: [],
      artifacts: [],
      endedAt: worker.now(),
    });
    const task = await tasks.get(claim.task.id);
    if (ended && task) await tasks.patch(task.id, { cost: task.cost + (result.costUsd ?? 0) }, worker.now());
  });
}

type Prepared = { request: AgentRequest; places: Places } | { failure: Failure };

async function prepareAttempt(run: Run): Promise<Prepared> {
  const { worker, claim } = run;
  const { task, role } = claim;
  const failure = cannotStart(claim);
  if (failure) return { failure };
  try {
    const branch = fieldsOf(task.description).get('branch');
    const places = await prepare(worker.workspace, {
      taskId: task.id,
      attemptId: claim.attemptId,
      role,
      branch,
    });
    const input = await gather(worker, claim, places.diff);
    writeContext(places.contextFile, `${buildContext(input)}\n`);
    return { places, request: requestFor(worker, claim, places, buildPrompt(input)) };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const kind = error.code === 'BAD_INPUT' ? 'invalid_input' : 'setup';
    return {
      failure: { kind, code: error.code.toLowerCase(), message: [error.message, ...error.hints].join('. ') },
    };
  }
}

/** What is known to be wrong before anything is made or started. */
export function cannotStart({ task, role, budgetUsd }: Claim): Failure | undefined {
  const missing = missingFields(role.requires, task.description);
  if (missing.length > 0) {
    const names = missing.map((name) => `\`${name}: …\``).join(', ');
    const message = `The description lacks ${names}, which ${role.name} needs.`;
    return { kind: 'invalid_input', code: 'missing_field', message };
  }
  if (budgetUsd === undefined || budgetUsd >= leastUsd) return undefined;
  const spent = task.cost.toFixed(2);
  return {
    kind: 'budget',
    code: 'budget_used_up',
    message: `The task's budget is used up ($${spent} spent).`,
  };
}

/** Everything the prompt is made of, as it is now. */
export async function gather(worker: Worker, claim: Claim, diff: string | undefined): Promise<PromptInput> {
  const { task, role } = claim;
  const now = worker.now();
  return worker.store.transaction(async ({ mirror, attempts }) => {
    const children = await mirror.children(task.queue, task.nativeId);
    const comments = await mirror.comments(task.queue, task.nativeId);
    // From here on these comments have been heard; later ones are a turn of their own.
    await mirror.useComments(task.queue, task.nativeId);
    const last = (await attempts.list(task.id))
      .filter((attempt) => attempt.round === task.round && attempt.endedAt !== null)
      .at(-1);
    const usual = median(await attempts.durations(role.name));
    const timeLeftMs = timeLimit(worker, claim, now).ms;
    return {
      task,
      subtasks: children.map((child) => ({ title: child.title, done: child.presence === 'closed' })),
      comments,
      unheard: comments.filter((comment) => comment.author === 'human' && !comment.used),
      resume: claim.resume,
      previous: last?.failureKind
        ? {
            kind: last.failureKind as Failure['kind'],
            code: last.failureCode ?? '',
            message: last.message ?? '',
          }
        : undefined,
      timeLeftMs,
      tight: usual !== undefined && timeLeftMs < usual,
      diff,
    };
  });
}

function timeLimit(worker: Worker, { task, role }: Claim, now: number): { ms: number; isDeadline: boolean } {
  const total = worker.options.timeoutMs ?? role.timeoutMs;
  if (task.deadlineAt === null || task.deadlineAt - now >= total) return { ms: total, isDeadline: false };
  return { ms: Math.max(1000, task.deadlineAt - now), isDeadline: true };
}

export function requestFor(worker: Worker, claim: Claim, places: Places, prompt: string): AgentRequest {
  const { task, role } = claim;
  const limit = timeLimit(worker, claim, worker.now());
  return {
    taskId: task.id,
    attemptId: claim.attemptId,
    attemptNumber: claim.attemptNumber,
    role,
    prompt,
    sessionId: task.sessionId ?? claim.attemptId,
    resume: claim.resume,
    cwd: places.cwd,
    outputDir: places.outputDir,
    readableDirs: role.skills.map((skill) => skill.folder),
    attemptDir: places.attemptDir,
    commandsDir: places.commandsDir,
    timeoutMs: limit.ms,
    timeoutIsDeadline: limit.isDeadline,
    stallMs: role.stallMs,
    toolStallMs: role.toolStallMs,
    model: worker.options.model ?? role.model,
    budgetUsd: claim.budgetUsd,
    sessionCostUsd: task.sessionCost,
    grants: claim.grants,
    workerId: worker.id,
  };
}

/** One comment a round, edited in place from then on. */
export async function sayWorking(worker: Worker, claim: Claim, progress: Progress): Promise<void> {
  const { task } = claim;
  const text =
    workingOnIt({ attempt: claim.task.failures + 1 }) + signature(worker.store.id, worker.startedAt);
  const id = progressId(task.id, task.round);
  const isNew = await worker.store.transaction(async ({ reports }) => {
    const known = await reports.get(id);
    await reports.add(
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

/** Steps are stored as they come, in small batches, and bounded in number. */
function recordSteps({ worker, claim, progress, running }: Run) {
  let kept = 0;
  let tail = Promise.resolve();
  const store = (work: Parameters<Worker['store']['transaction']>[0]): void => {
    tail = tail
      .then(() => worker.store.transaction(work))
      .then(
        () => undefined,
        (error: unknown) =>
          worker.log({ type: 'warning', text: `a step was not stored: ${messageOf(error)}`, hints: [] }),
      );
  };
  const append = (type: string, data: Record<string, unknown>): void => {
    kept += 1;
    if (kept > maxStepsPerAttempt) return;
    const at = worker.now();
    store(({ events }) =>
      events.append({ taskId: claim.task.id, attemptId: claim.attemptId, at, type, data }),
    );
  };
  const onEvent = (event: AgentEvent): void => {
    switch (event.type) {
      case 'started':
        store(({ attempts }) =>
          attempts.process(claim.attemptId, event.pid, processStartTime(event.pid) ?? ''),
        );
        crashPoint('agent-started');
        return;
      case 'cost':
        store(({ attempts }) => attempts.cost(claim.attemptId, event.usd));
        return;
      case 'step':
      case 'retrying':
        running.lastStep = event.text;
        append(event.type, { text: event.text });
        worker.log({ type: 'step', taskId: claim.task.id, title: claim.task.title, text: event.text });
        progress.step(claim.task, workingOnIt({ attempt: claim.task.failures + 1, step: event.text }));
        crashPoint('agent-step');
    }
  };
  return { onEvent, finish: () => tail };
}

export function median(values: readonly number[]): number | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
