/** What must hold when everything has come to rest: counted from what the person sees, the store, and the agent's book. */
import { readdirSync, readFileSync } from 'node:fs';
import { workerMarker } from '../../tools/agents/agent.ts';
import { killMarked } from '../../tools/agents/processes.ts';
import type { StoredReport } from '../../tools/store/reports.ts';
import { isLive } from '../../tools/store/states.ts';
import { maxCrashes } from '../../tools/worker/settle.ts';
import { signedBy } from '../../tools/worker/thread.ts';
import {
  leftProcesses,
  needlessRuns,
  overlapsIn,
  readStore,
  runsIn,
  type StoredTask,
} from '../crash/book.ts';
import type { Site } from '../crash/worker-process.ts';
import type { TodoistCall, TodoistServer } from '../fakes/todoist-server.ts';
import { isActive, type WireTask } from '../fakes/todoist-shapes.ts';
import { type Account, type Human, type LabelEdit, ours } from './human.ts';

/** Each list must be empty; its lines say what is wrong with which task. */
export type Violations = Record<
  | 'lost'
  | 'wrongEnd'
  | 'doubledComments'
  | 'lostComments'
  | 'doubledLabels'
  | 'humanLabelsLost'
  | 'roundsNobodyAskedFor'
  | 'runsAfterOutcome'
  | 'overlappingRuns'
  | 'orphans',
  string[]
>;

export interface Verdict {
  violations: Violations;
  /** Edits of labels that fell between the worker's read and its write: Todoist has no way to add one label alone. */
  labelsLostInFlight: number;
  agentRuns: number;
  attempts: number;
  requests: number;
  /** Commands sent, and how many of them for the second, third … time. */
  commands: number;
  repeatedCommands: number;
  rounds: number;
  /** Of one task. */
  mostDeathsSeen: number;
  /** Tasks that failed because so many workers died over them, as the worker means it to be. */
  takenForTheCause: number;
}

interface Case {
  server: TodoistServer;
  task: WireTask;
  account: Account;
  stored: StoredTask | undefined;
}

export async function judge(
  site: Site,
  server: TodoistServer,
  human: Human,
  workerIds: ReadonlySet<string>,
): Promise<Verdict> {
  const all = await readStore(site);
  const byNativeId = new Map(all.map((stored) => [stored.task.nativeId, stored]));
  const cases = server.tasks().flatMap((task): Case[] => {
    const account = human.accounts.get(task.id);
    return account ? [{ server, task, account, stored: byNativeId.get(task.id) }] : [];
  });
  const each = (check: (one: Case) => string[]): string[] =>
    cases.flatMap((one) => check(one).map((what) => `${one.task.id} ${one.task.content}: ${what}`));
  const runs = runsIn(site);
  const workers = new Set([...workerIds, ...runs.map((run) => run.workerId)]);
  const labelsLost = cases.flatMap((one) => lostLabels(one).map((edit) => ({ one, edit })));
  const inFlight = labelsLost.filter(({ one, edit }) => wasInFlight(server.calls, one.task.id, edit));
  const orphans = [
    ...(await leftProcesses(workers)).map((pid) => `agent process ${pid}`),
    ...leftGuards(workers),
  ];
  for (const id of workers) await killMarked(workerMarker, id);
  const uuids = server.calls.flatMap(commandsOf).map((command) => command.uuid);
  return {
    violations: {
      lost: each(lost),
      wrongEnd: each(wrongEnd),
      doubledComments: each(doubledComments),
      lostComments: each(lostComments),
      doubledLabels: each(doubledLabels),
      humanLabelsLost: labelsLost
        .filter((loss) => !inFlight.includes(loss))
        .map(({ one, edit }) => `${one.task.id} ${edit.label} should ${edit.present ? '' : 'not '}be there`),
      roundsNobodyAskedFor: each(unaskedRounds),
      runsAfterOutcome: needlessRuns(all, runs).map((run) => `${run.taskId}: attempt ${run.attempt}`),
      overlappingRuns: overlapsIn(site).map((overlap) => JSON.stringify(overlap)),
      orphans,
    },
    labelsLostInFlight: inFlight.length,
    agentRuns: runs.length,
    attempts: all.reduce((sum, { attempts }) => sum + attempts.length, 0),
    requests: server.calls.length,
    commands: uuids.length,
    repeatedCommands: uuids.length - new Set(uuids).size,
    rounds: all.reduce((sum, { task }) => sum + task.round, 0),
    takenForTheCause: all.filter(
      ({ task }) => task.state === 'failed' && (task.meta.crashes ?? 0) > maxCrashes,
    ).length,
    mostDeathsSeen: Math.max(0, ...all.map(({ task }) => task.meta.crashes ?? 0)),
  };
}

/** Open: it says how it ended. Gone: nothing is under way for it. */
function lost({ task, stored }: Case): string[] {
  if (!isActive(task)) {
    const pending = stored?.reports.filter((report) => report.state === 'pending').length ?? 0;
    if (pending > 0) return [`it has gone, and ${pending} reports still wait`];
    return stored && isLive(stored.task.state) ? [`it has gone, and is ${stored.task.state}`] : [];
  }
  if (!stored) return ['the store does not know it'];
  if (ours(task).length === 1) return [];
  return [
    `expected one of our labels, got: [${ours(task).join(', ')}]; it is ${stored.task.state}, ${stored.task.note}`,
  ];
}

const labelOf: Partial<Record<string, string>> = {
  completed: 'agent-done',
  failed: 'agent-failed',
  input_required: 'agent-review',
};

function wrongEnd({ task, account, stored }: Case): string[] {
  if (!isActive(task) || !stored || ours(task).length !== 1) return [];
  const [label] = ours(task);
  if (label !== labelOf[stored.task.state]) return [`it is ${stored.task.state}, and labelled ${label}`];
  // A task that too many workers died over is taken for the cause.
  if (label === account.plan.end || (stored.task.meta.crashes ?? 0) > maxCrashes) return [];
  return [`expected ${account.plan.end}, got: ${label} (${stored.task.note})`];
}

function workersComments({ server, task, account }: Case): string[] {
  if (task.is_deleted) return [];
  return server
    .comments(task.id)
    .filter((comment) => !account.comments.has(comment.id))
    .map((comment) => comment.content);
}

function isProgress(text: string): boolean {
  return signedBy(text)?.since !== undefined;
}

/** More than were reported, the same text twice, or the same run of the agent told of in two comments. */
function doubledComments(one: Case): string[] {
  const said = workersComments(one);
  const reports = one.stored?.reports ?? [];
  const told = said.filter((text) => !isProgress(text));
  const wanted = countOf(reports.flatMap(({ body }) => (body.kind === 'comment' ? [body.text] : [])));
  const tooMany = [...countOf(told)].filter(([text, count]) => count > (wanted.get(text) ?? 0));
  const runsTold = countOf(told.flatMap((text) => [...new Set(text.match(/Run \S+ did as planned/g))]));
  const twice = [...runsTold].filter(([, count]) => count > 1);
  const begun = said.length - told.length;
  const toBegin = reports.filter((report) => report.body.kind === 'progress').length;
  return [
    ...tooMany.map(([text, count]) => `${count} times: ${JSON.stringify(text.slice(0, 80))}`),
    ...twice.map(([run, count]) => `${count} comments say: ${run}`),
    ...(begun > toBegin ? [`${begun} comments say that work has begun, in ${toBegin} rounds`] : []),
  ];
}

/** What was taken for told, and is not there; and an end without a word. */
function lostComments(one: Case): string[] {
  const { task, stored } = one;
  if (!isActive(task) || !stored || stored.attempts.length === 0) return [];
  const said = countOf(workersComments(one));
  const sent = stored.reports.filter(({ state, body }) => state === 'sent' && body.kind === 'comment');
  const absent = [...countOf(sent.map(({ body }) => ('text' in body ? body.text : '')))].filter(
    ([text, count]) => count > (said.get(text) ?? 0),
  );
  const silent = sent.some((report) => isOutcomeOfLastRound(report, stored))
    ? []
    : ['its end was never told'];
  return [...absent.map(([text]) => `sent, and not there: ${JSON.stringify(text.slice(0, 80))}`), ...silent];
}

function isOutcomeOfLastRound(report: StoredReport, { task, attempts }: StoredTask): boolean {
  const last = attempts.at(-1);
  return report.id === `${last?.id}:outcome` || report.id === `${task.id}:r${task.round}:dead`;
}

function doubledLabels({ task }: Case): string[] {
  const twice = [...countOf(task.labels)].filter(([, count]) => count > 1).map(([label]) => label);
  return [...twice, ...(ours(task).length > 1 ? [ours(task).join(' and ')] : [])];
}

/** The person's edits that do not show. */
function lostLabels({ task, account }: Case): LabelEdit[] {
  if (!isActive(task)) return [];
  return [...account.labels.values()].filter(({ label, present }) => task.labels.includes(label) !== present);
}

/** Did the write that undid the edit rest on a read from before the edit? */
function wasInFlight(calls: readonly TodoistCall[], taskId: string, edit: LabelEdit): boolean {
  const undone = calls.findIndex(
    (call, index) =>
      index >= edit.call &&
      commandsOf(call).some(
        ({ type, args }) =>
          type === 'item_update' &&
          args['id'] === taskId &&
          (args['labels'] as string[]).includes(edit.label) !== edit.present,
      ),
  );
  if (undone < 0) return false;
  const read = calls.slice(0, undone).findLastIndex((call) => call.path === `tasks/${taskId}`);
  return read < edit.call;
}

function unaskedRounds({ account, stored }: Case): string[] {
  const most = 1 + account.triggers;
  return stored && stored.task.round > most ? [`expected at most ${most}, got: ${stored.task.round}`] : [];
}

/** Guards carry their worker's id on the command line; each goes when its worker's last process has gone. */
function leftGuards(workerIds: ReadonlySet<string>): string[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      const words = argumentsOf(pid);
      return words.includes('agent-guard') && words.some((word) => workerIds.has(word));
    })
    .map((pid) => `guard ${pid}`);
}

function argumentsOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return []; // gone meanwhile
  }
}

interface WireCommand {
  type: string;
  uuid: string;
  args: Record<string, unknown>;
}

function commandsOf({ body }: TodoistCall): WireCommand[] {
  return Array.isArray(body['commands']) ? (body['commands'] as WireCommand[]) : [];
}

function countOf<T>(list: readonly T[]): Map<T, number> {
  const counts = new Map<T, number>();
  for (const one of list) counts.set(one, (counts.get(one) ?? 0) + 1);
  return counts;
}
