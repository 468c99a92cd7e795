/** What must hold when a fleet has come to rest: the stores, the ledger of what agents did, and the results, compared. */
import { openArtifacts } from '../../../tools/artifacts/open-artifacts.ts';
import type { Manifest } from '../../../tools/artifacts/manifest.ts';
import { verifyTold } from '../../../tools/artifacts/verify.ts';
import type { Attempt } from '../../../tools/store/attempts.ts';
import type { Store } from '../../../tools/store/store.ts';
import type { Task } from '../../../tools/store/tasks.ts';
import type { Life } from './fleet.ts';
import { envelopeOf, type Ground } from './ground.ts';
import { byTask, readLines, type Run, runsIn } from './ledger.ts';
import { rerunsOf, wakingMs } from './reruns.ts';

export interface Verdict {
  /** Each list must be empty. */
  violations: Record<string, string[]>;
  figures: Record<string, number>;
}

export interface Case {
  ground: Ground;
  ledger: string;
  artifacts: string;
  lives: readonly Life[];
  /** All that was submitted and acknowledged. */
  tasks: readonly string[];
  /** When connections were cut, by the ledger's clock. */
  cuts: readonly number[];
}

/** What one store holds, and what agents of its workers did. */
interface Book {
  rows: Row[];
  runs: Map<string, Run[]>;
  lives: Map<string, Life>;
}

interface Row {
  task: Task;
  attempts: Attempt[];
  completed: number;
  pending: number;
}

export async function judge(given: Case): Promise<Verdict> {
  const { ground, lives, tasks } = given;
  const stores = await ground.stores();
  const runs = runsIn(readLines(given.ledger));
  const books = await Promise.all(
    stores.map(async ({ machine, store }) => {
      const own = lives.filter((life) => machine === undefined || life.machine === machine);
      const ids = new Set(own.map(({ workerId }) => workerId));
      return {
        rows: await rowsOf(store),
        runs: byTask(runs.filter(({ workerId }) => ids.has(workerId))),
        lives: new Map(own.map((life) => [life.workerId, life])),
      } satisfies Book;
    }),
  );
  const rows = books.flatMap((book) => book.rows);
  const known = new Set(rows.map(({ task }) => task.id));
  const everyLife = new Map(lives.map((life) => [life.workerId, life]));
  const reruns = [...byTask(runs).values()].flatMap((each) =>
    rerunsOf(each, { lives: everyLife, shared: ground.databaseUrl !== undefined, cuts: given.cuts }),
  );
  const overlaps = books.flatMap(overlapsIn);
  const done = doneIn(rows);
  return {
    violations: {
      lost: tasks.filter((id) => !known.has(id)).map((id) => `${id}: no worker's store knows it`),
      wrongEnd: rows.flatMap(wrongEnd),
      completedTwice: rows
        .filter(({ completed, attempts }) => completed !== 1 || attempts.filter(isDone).length !== 1)
        .map(({ task, completed }) => `${task.id}: completed ${completed} times`),
      left: (await Promise.all(stores.map(({ store }) => leftIn(store)))).flat(),
      pendingReports: rows.filter(({ pending }) => pending > 0).map(({ task }) => task.id),
      needlessRuns: books.flatMap(needlessRuns),
      claimedEffects: claimedEffects(rows, runs),
      overlaps: overlaps.filter(({ whileFrozen }) => !whileFrozen).map(({ text }) => text),
      completedByFrozen: overlaps
        .filter(({ whileFrozen, first }) => whileFrozen && done.has(first.attemptId))
        .map(({ text }) => text),
      unexplainedRuns: reruns.filter(({ why }) => why === undefined).map(({ text }) => text),
      unverified: await unverified(given, rows, ground),
      ...(await ground.trouble()),
    },
    figures: {
      agentRuns: runs.length,
      extraRuns: runs.length - tasks.length,
      extraAfterKill: reruns.filter(({ why }) => why === 'kill').length,
      extraAfterFreeze: reruns.filter(({ why }) => why === 'freeze').length,
      extraAfterCut: reruns.filter(({ why }) => why === 'cut').length,
      killedInMidRun: runs.filter((run) => run.how === undefined && everyLife.get(run.workerId)?.killedAt)
        .length,
      effectsNotCommitted: runs.filter(({ how, attemptId }) => how === 'end' && !done.has(attemptId)).length,
      takenFromFrozen: overlaps.filter(({ whileFrozen }) => whileFrozen).length,
      twoMachinesAtOnce: overlapsIn({ runs: byTask(runs), lives: everyLife }).length - overlaps.length,
    },
  };
}

async function rowsOf(store: Store): Promise<Row[]> {
  return store.read(async ({ tasks, attempts, events, reports }) => {
    const rows: Row[] = [];
    for (const task of await tasks.list({ limit: 1_000_000 })) {
      const history = await events.list(task.id);
      rows.push({
        task,
        attempts: await attempts.list(task.id),
        completed: history.filter(({ type }) => type === 'completed').length,
        pending: (await reports.pendingFor(task.id)).length,
      });
    }
    return rows;
  });
}

const isDone = (attempt: Attempt): boolean => attempt.result === 'done';

/** What a store only heard of was not done by its workers. */
const isOurs = (attempt: Attempt): boolean => attempt.agent !== 'elsewhere';

function doneIn(rows: readonly Row[]): Set<string> {
  return new Set(rows.flatMap(({ attempts }) => attempts.filter(isDone).map(({ id }) => id)));
}

function wrongEnd({ task, attempts }: Row): string[] {
  const open = attempts.filter(({ endedAt }) => endedAt === null).map(({ id }) => `attempt ${id} is open`);
  const state = task.state === 'completed' && task.round === 1 ? [] : [`${task.state}, ${task.note}`];
  return [...state, ...open].map((text) => `${task.id}: ${text}`);
}

async function leftIn(store: Store): Promise<string[]> {
  const workers = await store.read((tables) => tables.workers.list());
  return workers.map(({ id }) => `worker ${id}`);
}

/** Runs of an attempt that the store does not know, a second time of one, or after one that was done. */
function needlessRuns({ rows, runs }: Book): string[] {
  const byId = new Map(rows.flatMap(({ attempts }) => attempts).map((attempt) => [attempt.id, attempt]));
  const seen = new Set<string>();
  return [...runs.values()].flat().flatMap(({ taskId, attemptId }) => {
    const attempt = byId.get(attemptId);
    const again = seen.has(attemptId);
    seen.add(attemptId);
    if (!attempt) return [`${taskId}: attempt ${attemptId} is in no store`];
    if (again) return [`${taskId}: attempt ${attemptId} ran twice`];
    const earlier = [...byId.values()].some(
      (other) => other.taskId === taskId && isDone(other) && other.number < attempt.number,
    );
    return earlier ? [`${taskId}: ran again after its outcome was committed`] : [];
  });
}

/** What counts as done was done by the very run that the store names. */
function claimedEffects(rows: readonly Row[], runs: readonly Run[]): string[] {
  const byId = new Map(runs.map((run) => [run.attemptId, run]));
  return rows.flatMap(({ attempts }) =>
    attempts
      .filter((attempt) => isDone(attempt) && isOurs(attempt))
      .flatMap((attempt) => {
        const run = byId.get(attempt.id);
        return run?.how === 'end' && run.workerId === attempt.workerId
          ? []
          : [`${attempt.taskId}: attempt ${attempt.id} counts as done, and ${run?.how ?? 'never'} ended`];
      }),
  );
}

interface Overlap {
  first: Run;
  whileFrozen: boolean;
  text: string;
}

/** Runs that began while another of the same task was alive. */
function overlapsIn({ runs, lives }: Pick<Book, 'runs' | 'lives'>): Overlap[] {
  return [...runs.values()].flatMap((all) =>
    all.flatMap((first, index) => {
      const life = lives.get(first.workerId);
      const overAt = Math.min(
        first.endedAt ?? Number.POSITIVE_INFINITY,
        life?.killedAt ?? Number.POSITIVE_INFINITY,
      );
      return all
        .slice(index + 1)
        .filter((second) => second.at < overAt)
        .map((second) => ({
          first,
          whileFrozen:
            life?.frozen.some(({ from, to }) => second.at > from && second.at < to + wakingMs) === true,
          text: `${first.taskId}: attempt ${second.attempt} began ${Math.round(second.at - first.at)} ms after attempt ${first.attempt}, which had not ended`,
        }));
    }),
  );
}

/** Read anew from the artifact root, against what the asker was told. */
async function unverified(
  { artifacts, tasks }: Case,
  rows: readonly Row[],
  ground: Ground,
): Promise<string[]> {
  const root = await openArtifacts(artifacts, {});
  const told = await ground.results();
  const attempts = new Map(
    rows.map((row) => [row.task.id, row.attempts.find((each) => isDone(each) && isOurs(each))]),
  );
  const problems: string[] = [];
  for (const taskId of tasks) {
    const manifests = told.get(taskId) ?? [];
    if (manifests.length === 0) {
      problems.push(`${taskId}: its asker knows no result`);
      continue;
    }
    const expected = envelopeOf(taskId).expected_output;
    const check = await verifyTold(root, { taskId, expected }, manifests);
    problems.push(...check.problems.map((problem) => `${taskId}: ${problem}`));
    if (ground.databaseUrl !== undefined && check.manifest)
      problems.push(...foreign(check.manifest, attempts.get(taskId)));
  }
  await root.close();
  return problems;
}

/** On one store, what was delivered is what the attempt made that was stored as done. */
function foreign(manifest: Manifest, attempt: Attempt | undefined): string[] {
  if (manifest.attempt === attempt?.number) return [];
  return [
    `${manifest.task_id}: attempt ${attempt?.number} is done, and the result is of attempt ${manifest.attempt}`,
  ];
}
