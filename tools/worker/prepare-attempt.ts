/**
 * Before the agent starts: is everything there that the task needs, where does it work, and what is it told? What
 * keeps it from starting is a failure like any other, and has spent nothing.
 */
import type { AgentRequest } from '../agents/agent.ts';
import type { Failure } from '../agents/outcome.ts';
import { AppError } from '../errors.ts';
import { prepare, writeContext, type Places } from '../workspaces/workspace.ts';
import { leastUsd, type Claim } from './claim.ts';
import { fieldsOf, missingFields } from './eligibility.ts';
import { buildContext, buildPrompt, type PromptInput } from './prompt.ts';
import { mayStart, startRule } from '../delegation/may-start.ts';
import type { Worker } from './worker.ts';

/** What the agent was told: comments that have been heard once it has worked, and the text that it worked on. */
export interface Told {
  comments: string[];
  contentHash: string;
}

export interface Ready {
  request: AgentRequest;
  places: Places;
  told: Told;
  /** Less time is left than the role usually needs. */
  tight: boolean;
}

/** Makes the workspace and the prompt, or says why the agent cannot start. */
export async function prepareAttempt(worker: Worker, claim: Claim): Promise<Ready | { failure: Failure }> {
  const { role } = claim;
  const failure = cannotStart(claim);
  if (failure) return { failure };
  try {
    const branch = fieldsOf(claim.task.description).get('branch');
    const hasContext = claim.task.meta.envelope?.context_ref !== undefined;
    const where = { taskId: claim.task.id, attemptId: claim.attemptId, role, branch, hasContext };
    const places = await prepare(worker.workspace, where);
    const input = await gather(worker, claim, places.diff);
    writeContext(places.contextFile, `${buildContext(input)}\n`);
    const request = requestFor(worker, claim, places, buildPrompt(input));
    const { contentHash } = input.task;
    // What was approved was approved for another text than the one that is now told.
    if (contentHash !== claim.task.contentHash) request.grants = [];
    const told = { comments: input.unheard.map((comment) => comment.nativeId), contentHash };
    return { places, request, told, tight: input.tight };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const message = [error.message, ...error.hints].join('. ');
    return { failure: { kind: kindOf(error), code: error.code.toLowerCase(), message } };
  }
}

function kindOf(error: AppError): Failure['kind'] {
  if (error.code === 'BAD_INPUT') return 'invalid_input';
  return error.code.startsWith('STORE_') ? 'transient' : 'setup';
}

/** What is known to be wrong before anything is made or started. */
export function cannotStart({ task, role, budgetUsd, grants }: Claim): Failure | undefined {
  const refusal = mayStart(role, task, grants);
  if (refusal) return { kind: refusal.code === 'needs_approval' ? 'policy' : 'invalid_input', ...refusal };
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
  const { role } = claim;
  const now = worker.now();
  return worker.store.read(async ({ tasks, mirror, attempts }) => {
    // The look at the queue after the claim may have brought an edit.
    const task = (await tasks.get(claim.task.id)) ?? claim.task;
    const children = await mirror.children(task.queue, task.nativeId);
    const comments = await mirror.comments(task.queue, task.nativeId);
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
    grants: claim.grants.filter((rule) => rule !== startRule),
    workerId: worker.id,
  };
}

export function median(values: readonly number[]): number | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
