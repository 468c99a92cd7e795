/**
 * Kill -9 at every step of a task's life. A worker dies at a named place, a second one is started, and then nothing
 * may be lost, told twice, or run again although its outcome was committed. CRASH_ROUNDS=20 goes on to the second,
 * third … time that each place is reached.
 */
import { rmSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { type CrashPoint, crashPoints } from '../../tools/worker/crash-point.ts';
import { signedBy } from '../../tools/worker/thread.ts';
import { startTodoistServer, type TodoistServer } from '../fakes/todoist-server.ts';
import { leftProcesses, needlessRuns, overlapsIn, readStore, runsIn, settling } from './book.ts';
import { agentq, makeSite, type Site, startWorker, type WorkerProcess } from './worker-process.ts';

const rounds = Number(process.env['CRASH_ROUNDS'] ?? 1);
const titles = ['Why queues beat chat', 'A price that holds [plan: leaves-a-child]', 'What a worker is'];
const patienceMs = 20_000;

/**
 * Which times of reaching a place there are to die at, with three tasks: two looks at the queue, three attempts, and
 * nine reports, of which the first three say that work has begun. The first of a list is what one round tries.
 */
const pollHits = [1, 2];
const attemptHits = [2, 1, 3];
const reportHits = [4, 1, 7, 5, 2, 9, 6, 3, 8];
const timesReached: Record<CrashPoint, number[]> = {
  polled: pollHits,
  'intake-stored': pollHits,
  claimed: attemptHits,
  prepared: attemptHits,
  'agent-started': attemptHits,
  'agent-step': attemptHits,
  'agent-ended': attemptHits,
  settled: attemptHits,
  'report-prepared': reportHits,
  'report-command-stored': reportHits,
  'report-sent': reportHits,
  'report-marked': reportHits,
};
/** The local queue is not polled, and its reports are told by being stored. */
const onlyInQueues: readonly CrashPoint[] = [
  'polled',
  'intake-stored',
  'report-prepared',
  'report-command-stored',
  'report-sent',
  'report-marked',
];

const figures = { deaths: 0, settledBefore: 0, tasks: 0, agentRuns: 0 };
afterAll(() => {
  console.log(
    `crash: ${Object.entries(figures)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ')}`,
  );
});

describe.concurrent('a worker that works for Todoist', () => {
  it.each(deaths(crashPoints))('loses nothing and says nothing twice when it dies at %s', async (at) => {
    const desk = await openDesk();
    try {
      const flags = ['--queue', 'todoist', '--project', 'LinkedIn Writer', '--concurrency', '3'];
      const env = { TODOIST_API_URL: desk.server.url, TODOIST_API_TOKEN: desk.server.token };
      const death = await dieAt(at, { site: desk.site, flags, env });
      for (const id of desk.taskIds) desk.server.addLabel(id, 'while-down');

      await endOf(startWorker({ site: desk.site, flags, env }), { code: 0, signal: null });
      expect(await traceOf(desk.site, death)).toEqual(asItShouldBe);
      expect(desk.taskIds.map((id) => phoneOf(desk.server, id))).toEqual(
        titles.map(() => ({ labels: ['agent-done', 'before', 'while-down'], workingOnIt: 1, outcomes: 1 })),
      );
    } finally {
      await desk.close();
    }
  });
});

describe.concurrent('a worker that works for agentq', () => {
  const points = crashPoints.filter((point) => !onlyInQueues.includes(point));
  it.each(deaths(points))('loses nothing and says nothing twice when it dies at %s', async (at) => {
    const site = makeSite();
    try {
      await Promise.all(titles.map((title) => agentq(site, ['submit', title, '--to', 'linkedin-writer'])));
      const flags = ['--queue', 'local', '--concurrency', '3'];
      const death = await dieAt(at, { site, flags });

      await endOf(startWorker({ site, flags }), { code: 0, signal: null });
      expect(await traceOf(site, death)).toEqual(asItShouldBe);
    } finally {
      rmSync(site.folder, { recursive: true, force: true });
    }
  });
});

function deaths(points: readonly CrashPoint[]): string[] {
  return Array.from({ length: rounds }, (_, round) =>
    points.map((point) => `${point}:${timesReached[point][round % timesReached[point].length]}`),
  ).flat();
}

interface Desk {
  site: Site;
  server: TodoistServer;
  taskIds: string[];
  close(): Promise<void>;
}

async function openDesk(): Promise<Desk> {
  const site = makeSite();
  const server = await startTodoistServer();
  const { id: projectId } = server.addProject('LinkedIn Writer');
  const taskIds = titles.map((content) => server.addTask({ projectId, content, labels: ['before'] }).id);
  return {
    site,
    server,
    taskIds,
    async close() {
      await server.shutdown();
      rmSync(site.folder, { recursive: true, force: true });
    },
  };
}

interface Death {
  /** Tasks whose outcome was committed by then. */
  settled: Set<string>;
  /** Runs of the agent that had begun by then. */
  runs: number;
}

async function dieAt(at: string, start: Parameters<typeof startWorker>[0]): Promise<Death> {
  const worker = startWorker({ ...start, env: { ...start.env, AGENT_CRASH_AT: at } });
  await endOf(worker, { code: null, signal: 'SIGKILL' });
  const attempts = (await readStore(start.site)).flatMap((stored) => stored.attempts);
  const settled = attempts.filter((attempt) => settling.includes(attempt.result));
  figures.deaths += 1;
  figures.settledBefore += settled.length;
  return { settled: new Set(settled.map((attempt) => attempt.taskId)), runs: runsIn(start.site).length };
}

/** Waits for the worker to end as it should: a crash point that is never reached is a failure. */
async function endOf(worker: WorkerProcess, wanted: Awaited<WorkerProcess['exited']>): Promise<void> {
  const overdue = setTimeout(() => worker.kill('SIGTERM'), patienceMs);
  const got = await worker.exited;
  clearTimeout(overdue);
  if (got.code === wanted.code && got.signal === wanted.signal) return;
  const last = worker.events.slice(-5).map((event) => JSON.stringify(event));
  throw new Error(
    `expected the worker to end with ${JSON.stringify(wanted)}, got: ${JSON.stringify(got)}\n${last.join('\n')}\n${worker.stderr()}`,
  );
}

/** Each task ran to one outcome, was told once, and left nothing behind. */
const asItShouldBe = {
  tasks: titles.map(() => ({
    state: 'completed',
    round: 1,
    done: 1,
    last: 'done',
    told: ['progress sent', 'comment sent', 'label sent'],
  })),
  needlessRuns: [],
  runsAfterTheOutcome: [],
  overlaps: [],
  leftProcesses: [],
};

async function traceOf(site: Site, death: Death): Promise<typeof asItShouldBe> {
  const stored = await readStore(site);
  const runs = runsIn(site);
  const workers = stored.flatMap(({ attempts: all }) => all.map((attempt) => attempt.workerId));
  figures.tasks += stored.length;
  figures.agentRuns += runs.length;
  return {
    tasks: stored.map(({ task, attempts: all, reports: told }) => ({
      state: task.state,
      round: task.round,
      done: all.filter((attempt) => attempt.result === 'done').length,
      last: all.at(-1)?.result ?? 'none',
      told: told.map((report) => `${report.body.kind} ${report.state}`),
    })),
    needlessRuns: needlessRuns(stored, runs) as never[],
    runsAfterTheOutcome: runs.slice(death.runs).filter((run) => death.settled.has(run.taskId)) as never[],
    overlaps: overlapsIn(site) as never[],
    leftProcesses: (await leftProcesses(workers)) as never[],
  };
}

/** What the person sees. */
function phoneOf(server: TodoistServer, taskId: string) {
  const signatures = server.comments(taskId).map((comment) => signedBy(comment.content));
  const begun = signatures.filter((signature) => signature?.since !== undefined);
  return {
    labels: server.task(taskId).labels.toSorted(),
    workingOnIt: begun.length,
    outcomes: signatures.length - begun.length,
  };
}
