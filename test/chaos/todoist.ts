/**
 * `npm run test:chaos`: hundreds of tasks through the real worker program, while Todoist fails in every way it can, the
 * agent fails in every way it can, a person edits, answers and closes, and the worker is killed with SIGKILL again and
 * again. In the end nothing may be lost, doubled, run again or left running. Everything stays on this machine.
 *
 *   npm run test:chaos -- [--tasks 500] [--kills 50] [--seed 1] [--keep]
 */
import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { readStore } from '../crash/book.ts';
import { makeSite, type Site } from '../crash/worker-process.ts';
import { seeded } from '../fakes/faults.ts';
import { startTodoistServer, type TodoistServer } from '../fakes/todoist-server.ts';
import { isActive } from '../fakes/todoist-shapes.ts';
import { letItStorm } from './faults.ts';
import { Human, ours } from './human.ts';
import { judge, type Verdict } from './verdict.ts';
import { WorkerUnderFire } from './worker-under-fire.ts';

const desks = ['LinkedIn Writer', 'Newsletter Writer'];
/**
 * Kills are timed by what the worker does, so that a slow machine is shaken as often per task as a fast one: after up to
 * twice as many requests to Todoist as fall to one kill (a task takes about ten), and a moment more. When little is to
 * be done, and so little is asked, the clock decides.
 */
const requestsPerTask = 10;
const momentMs = 400;
const longestLullMs = 8000;
const overallMs = 15 * 60_000;
const restMs = 4 * 60_000;

const { values } = parseArgs({
  options: {
    site: { type: 'string' },
    tasks: { type: 'string', default: '500' },
    kills: { type: 'string', default: '50' },
    seed: { type: 'string', default: '1' },
    keep: { type: 'boolean', default: false },
  },
});
const wanted = { tasks: Number(values.tasks), kills: Number(values.kills), seed: Number(values.seed) };
const random = seeded(wanted.seed);
const startedAt = Date.now();
const deadline = startedAt + overallMs;

const site = makeSite();
// A minute here is worth many at the desk: Todoist's limits for 15 minutes would stand still what is to be shaken.
const server = await startTodoistServer({
  seed: wanted.seed,
  limits: { partialSync: 1e9, fullSync: 1e9, rest: 1e9 },
});
const projectIds = desks.map((name) => server.addProject(name).id);
const human = new Human(server, { projectIds, tasks: wanted.tasks, random });
letItStorm(server);
const worker = new WorkerUnderFire({
  site,
  flags: ['--queue', 'todoist', ...desks.flatMap((name) => ['--project', name])].concat([
    '--watch',
    '--interval',
    '1',
    '--lanes',
    'normal=6',
    '--timeout',
    '8s',
  ]),
  env: { TODOIST_API_URL: server.url, TODOIST_API_TOKEN: server.token },
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void breakOff());

const shakenMs = await shake();
server.clearFaults();
const rested = await comeToRest();
const exitCode = await worker.stop(20_000);
const verdict = await judge(site, server, human, worker.ids);
await server.shutdown();
const failed = report(verdict);
if (values.keep || failed) process.stderr.write(`kept: ${site.folder}\n`);
else rmSync(site.folder, { recursive: true, force: true });
process.exit(failed ? 1 : 0);

/** Somebody has had enough: nothing is left running. */
async function breakOff(): Promise<never> {
  await worker.stop(5000);
  rmSync(site.folder, { recursive: true, force: true });
  process.exit(130);
}

/** Kills, and lets the person act, until both are done with. Yields how long it took. */
async function shake(): Promise<number> {
  let nextKill = pickKill();
  let nextNewsAt = 0;
  while (worker.kills < wanted.kills && Date.now() < deadline && !isBroken()) {
    await sleep(25);
    human.act(worker.kills / wanted.kills);
    if (server.calls.length >= nextKill.call || Date.now() >= nextKill.at) {
      await sleep(nextKill.moment);
      worker.kill();
      nextKill = pickKill();
    }
    if (Date.now() >= nextNewsAt) nextNewsAt = tell();
  }
  human.act(1);
  return Date.now() - startedAt;
}

/** A worker that ends by itself is a finding; one that cannot even start is not worth the time. */
function isBroken(): boolean {
  return worker.ownEnds.length >= 20;
}

function pickKill(): { call: number; at: number; moment: number } {
  const calls = random() * 2 * ((wanted.tasks * requestsPerTask) / wanted.kills);
  return {
    call: server.calls.length + calls,
    at: Date.now() + random() * longestLullMs,
    moment: random() * momentMs,
  };
}

/** True: every open task says how it ended, and the store has nothing left to do. */
async function comeToRest(): Promise<boolean> {
  const end = Math.min(deadline, Date.now() + restMs);
  while (Date.now() < end && !isBroken()) {
    human.act(1);
    if (quiet(server) && (await settled(site))) return true;
    await sleep(500);
  }
  return false;
}

function quiet(account: TodoistServer): boolean {
  const open = account.tasks().filter((task) => human.accounts.has(task.id) && isActive(task));
  return open.every((task) => ours(task).length === 1 && !task.labels.includes('agent-review'));
}

async function settled(place: Site): Promise<boolean> {
  return (await readStore(place)).every(
    ({ task, reports }) =>
      task.state !== 'queued' &&
      task.state !== 'running' &&
      reports.every(({ state }) => state !== 'pending'),
  );
}

/** A line of progress; yields when the next one is due. */
function tell(): number {
  const open = server.tasks().filter(isActive);
  const ended = open.filter((task) => ours(task).length > 0).length;
  const seconds = Math.round((Date.now() - startedAt) / 1000);
  process.stderr.write(`${seconds} s: ${human.accounts.size} tasks, ${ended} ended, ${worker.kills} kills\n`);
  return Date.now() + 10_000;
}

/** Prints the figures; yields whether anything is wrong. */
function report({ violations, ...seen }: Verdict): boolean {
  const wrong = Object.entries(violations);
  const figures = {
    ...wanted,
    tasks: human.accounts.size,
    kills: worker.kills,
    seconds: Math.round((Date.now() - startedAt) / 1000),
    secondsUnderFire: Math.round(shakenMs / 1000),
    ...seen,
    workerEndedByItself: worker.ownEnds.length,
    human: Object.fromEntries(human.done),
    ...Object.fromEntries(wrong.map(([name, cases]) => [name, cases.length])),
    cameToRest: rested,
    exitCode: exitCode ?? null,
  };
  for (const [text, count] of [...worker.warnings].sort((a, b) => b[1] - a[1]).slice(0, 25))
    process.stderr.write(`${count} × ${text}\n`);
  for (const [text, count] of countOf(worker.ownEnds))
    process.stderr.write(`ended by itself ${count} × ${text}\n`);
  for (const [name, cases] of wrong)
    for (const line of cases.slice(0, 10)) process.stderr.write(`! ${name}: ${line}\n`);
  for (const [name, value] of Object.entries(figures))
    process.stdout.write(`${name.padEnd(22)} ${typeof value === 'object' ? JSON.stringify(value) : value}\n`);
  process.stdout.write(`${JSON.stringify(figures)}\n`);
  const short = worker.kills < wanted.kills || human.accounts.size < wanted.tasks;
  return (
    short ||
    !rested ||
    exitCode !== 0 ||
    worker.ownEnds.length > 0 ||
    wrong.some(([, list]) => list.length > 0)
  );
}

function countOf(list: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const one of list) counts.set(one, (counts.get(one) ?? 0) + 1);
  return counts;
}
