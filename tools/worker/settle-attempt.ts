/**
 * Settling: outcome, reports and next state in one transaction. From its commit on the agent never runs again for
 * the same input. An attempt that lost its task in the meantime changes nothing.
 */
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { text as readText } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import type { AgentResult } from '../agents/agent.ts';
import { isRetryable, messageOf } from '../errors.ts';
import type { Artifact } from '../store/attempts.ts';
import type { Tables } from '../store/store.ts';
import type { Task, TaskMeta } from '../store/tasks.ts';
import { checkEvidence, type Evidence } from '../workspaces/evidence.ts';
import type { Claim } from './claim.ts';
import { closeAttempt } from './close-attempt.ts';
import { crashPoint } from './crash-point.ts';
import { heed } from './heed.ts';
import { maxComment } from './messages.ts';
import type { Ready } from './prepare-attempt.ts';
import type { Progress } from './progress.ts';
import { deliverResult } from '../delegation/publish-result.ts';
import { settle, type Settlement } from './settle.ts';
import { tellRequester } from '../delegation/tell-requester.ts';
import { signature } from './thread.ts';
import type { Worker } from './worker.ts';
import { tell } from './tell.ts';

/** How long an outcome waits for its store, ms. */
const patienceMs = 30 * 60_000;
/** The same once somebody has asked the worker to leave. */
const leavingPatienceMs = 10_000;

export interface EndedAttempt {
  worker: Worker;
  claim: Claim;
  result: AgentResult;
  /** Undefined: the agent was never started. */
  ready: Ready | undefined;
  /** Aborted when the worker is leaving; undefined: it stays. */
  leaving?: AbortSignal;
}

export async function settleAttempt(attempt: EndedAttempt, progress: Progress): Promise<void> {
  const { worker, claim, result } = attempt;
  const { evidence, result: delivered } = await patiently(attempt, async () =>
    deliverResult(attempt, await gatherEvidence(attempt)),
  );
  const draft = await readDraft(worker, evidence.artifacts);
  progress.stop(claim.task.id);
  const storeEnd = async (tables: Tables): Promise<Settlement | undefined> => {
    const task = await tables.tasks.get(claim.task.id);
    if (!task || task.attemptId !== claim.attemptId) {
      await closeAttempt(tables, claim, result, worker.now());
      return undefined;
    }
    const settlement = await decideFrom({ ...attempt, evidence, draft }, tables, task);
    await write({ ...attempt, evidence, delivered }, tables, task, settlement);
    await markHeard(attempt, tables, task, settlement);
    const rested = await tables.tasks.get(task.id);
    if (rested) await heed(tables, rested, claim.role, worker.now());
    return settlement;
  };
  const settled = await patiently(attempt, () => worker.store.transaction(storeEnd));
  crashPoint('settled');
  worker.store.ring();
  if (!settled) return;
  announce(worker, claim, settled, result.costUsd ?? 0);
  if (settled.progress !== undefined) await progress.edit(claim.task, settled.progress);
}

/** Failures before the agent has taken in what it was told: it is told again. */
const unheard: readonly (string | undefined)[] = ['setup', 'usage_limit', 'transient'];

async function markHeard(
  { ready }: EndedAttempt,
  tables: Tables,
  task: Task,
  settlement: Settlement,
): Promise<void> {
  if (settlement.to === 'queued' && unheard.includes(settlement.failure?.kind)) return;
  await tables.mirror.useComments(task.queue, ready?.told.comments ?? []);
}

/** What an agent did is not lost to a disk that is full or a store that is away: it is kept until it is stored. */
async function patiently<T>(attempt: EndedAttempt, work: () => Promise<T>): Promise<T> {
  const { worker, leaving = new AbortController().signal } = attempt;
  let end = performance.now() + patienceMs;
  const leave = (): void => {
    end = Math.min(end, performance.now() + leavingPatienceMs * worker.options.patience);
  };
  if (leaving.aborted) leave();
  leaving.addEventListener('abort', leave, { once: true });
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isRetryable(error) || performance.now() > end) throw error;
      worker.log({
        type: 'warning',
        text: `an outcome cannot be stored yet: ${messageOf(error)}`,
        hints: [],
      });
      const wait = Math.min(5000 * worker.options.patience, Math.max(0, end - performance.now()));
      await delay(wait, undefined, leaving.aborted ? {} : { signal: leaving }).catch(() => undefined);
    }
  }
}

/** Files are hashed before the transaction: it must stay short. */
async function gatherEvidence({ worker, claim, result, ready }: EndedAttempt): Promise<Evidence> {
  if (!result.outcome || result.failure || !ready) return { artifacts: [], problems: [] };
  const { task } = claim;
  const attempts = await worker.store.read((tables) => tables.attempts.list(task.id));
  const ofRound = attempts.filter((attempt) => attempt.round === task.round);
  // A session that goes on may have written its file before it was interrupted.
  const startedAt = claim.resume
    ? Math.min(claim.startedAt, ...ofRound.map((each) => each.startedAt))
    : claim.startedAt;
  const followsUp = task.turn.kind === 'message' && task.turn.from === 'follow_up';
  const delivered = attempts.some((attempt) => attempt.result === 'done');
  return checkEvidence({
    declared: result.outcome.artifacts,
    cwd: ready.places.cwd,
    outputDir: ready.places.outputDir,
    workspaceRoot: worker.workspace.root,
    startedAt,
    mayBeEmpty: result.outcome.status !== 'done' || (followsUp && delivered),
  });
}

async function readDraft(worker: Worker, artifacts: readonly Artifact[]): Promise<string | undefined> {
  const draft = artifacts.find((file) => /\.(md|markdown|txt)$/i.test(file.path));
  if (!draft) return undefined;
  const start = createReadStream(join(worker.workspace.root, draft.path), { end: maxComment * 4 });
  return readText(start).catch(() => undefined);
}

interface Ended extends EndedAttempt {
  evidence: Evidence;
  delivered?: TaskMeta['result'];
}

async function decideFrom(
  ended: Ended & { draft: string | undefined },
  tables: Tables,
  task: Task,
): Promise<Settlement> {
  const { worker, claim, result } = ended;
  const earlier = (await tables.attempts.list(task.id)).filter(
    (attempt) => attempt.round === task.round && attempt.endedAt !== null && attempt.spent,
  );
  const pauses = await tables.pauses.list();
  const tries = (scope: string): number => pauses.find((pause) => pause.scope === scope)?.tries ?? 0;
  return settle({
    task,
    role: claim.role,
    result,
    evidence: ended.evidence,
    resumed: claim.resume,
    attempts: worker.options.maxAttempts ?? task.meta.maxAttempts ?? claim.role.attempts,
    attemptNumber: claim.attemptNumber,
    startedAt: claim.startedAt,
    now: worker.now(),
    random: worker.random(),
    patience: worker.options.patience,
    draft: ended.draft,
    history: earlier.map((attempt) => attempt.message ?? attempt.failureCode ?? 'no reason given'),
    pauseTries: { agent: tries(`agent:${worker.agent.name}`), role: tries(`role:${claim.role.name}`) },
    toldHash: ended.ready?.told.contentHash ?? task.contentHash,
  });
}

async function write(ended: Ended, tables: Tables, task: Task, settlement: Settlement): Promise<void> {
  const { worker, claim } = ended;
  const now = worker.now();
  await tables.attempts.finish(claim.attemptId, attemptEnd(ended, settlement, now));
  const cost = (await tables.attempts.get(claim.attemptId))?.cost ?? 0;
  await tables.tasks.move(
    task,
    settlement.to,
    {
      failures: task.failures + (settlement.spent ? 1 : 0),
      availableAt: settlement.availableAt,
      note: settlement.note.slice(0, 1000),
      failureKind: settlement.failure?.kind ?? null,
      meta: withResult(settlement, ended.delivered),
      cost: task.cost + cost,
      sessionCost: task.sessionCost + cost,
      sessionUsable: settlement.keepSession,
    },
    now,
  );
  await writeReports(ended, tables, settlement, now);
  await tellRequester(tables, task.id, now);
  await writePauses(ended, tables, settlement, now);
}

function withResult({ to, meta }: Settlement, result: TaskMeta['result']): TaskMeta {
  return to === 'completed' && result ? { ...meta, result } : meta;
}

function attemptEnd(
  { result, evidence }: Ended,
  settlement: Settlement,
  now: number,
): Parameters<Tables['attempts']['finish']>[1] {
  return {
    result: settlement.result,
    failureKind: settlement.failure?.kind ?? null,
    failureCode: settlement.failure?.code ?? null,
    message: (settlement.failure?.message ?? settlement.note).slice(0, 4000),
    spent: settlement.spent,
    cost: result.costUsd ?? 0,
    turns: result.turns ?? null,
    denials: result.denials.slice(0, 50),
    artifacts: evidence.artifacts,
    endedAt: now,
  };
}

async function writeReports(
  { worker, claim }: Ended,
  tables: Tables,
  settlement: Settlement,
  now: number,
): Promise<void> {
  const about = { taskId: claim.task.id, attemptId: claim.attemptId, queue: claim.task.queue };
  if (settlement.comment !== undefined) {
    const text = settlement.comment + signature(worker.store.id);
    await tell(tables, { ...about, id: `${claim.attemptId}:outcome`, body: { kind: 'comment', text } }, now);
  }
  if (settlement.label !== undefined) {
    const body = { kind: 'label', label: settlement.label } as const;
    await tell(tables, { ...about, id: `${claim.attemptId}:label`, body }, now);
  }
}

async function writePauses(
  { worker, claim, ready }: Ended,
  tables: Tables,
  settlement: Settlement,
  now: number,
): Promise<void> {
  const account = `agent:${worker.agent.name}`;
  const desk = `role:${claim.role.name}`;
  if (settlement.pause) {
    const { scope, kind, until, message } = settlement.pause;
    await tables.pauses.set({ scope: scope === 'agent' ? account : desk, kind, until, message, since: now });
  } else if (ready && (settlement.result === 'done' || settlement.result.startsWith('needs_'))) {
    // It worked, and began after the pause: whatever paused it is over.
    for (const scope of [account, desk])
      if (await tables.pauses.clear(scope, claim.startedAt)) worker.log({ type: 'resumed', scope });
  }
}

function announce(worker: Worker, claim: Claim, settlement: Settlement, costUsd: number): void {
  worker.log({
    type: 'attempt_ended',
    taskId: claim.task.id,
    role: claim.role.name,
    title: claim.task.title,
    state: settlement.to === 'queued' && settlement.result === 'parked' ? 'parked' : settlement.to,
    text: settlement.note,
    costUsd,
    durationMs: worker.now() - claim.startedAt,
  });
  if (settlement.pause) {
    const { scope, message, until } = settlement.pause;
    worker.log({
      type: 'paused',
      scope: scope === 'agent' ? worker.agent.name : claim.role.name,
      text: message,
      until,
    });
  }
}
