/**
 * Tasks come in while workers are killed, frozen and cut off, at random but evenly over the work; then everything is
 * left alone until it has come to rest, and is judged.
 */
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { seeded } from '../../fakes/faults.ts';
import { Fleet } from './fleet.ts';
import type { Ground } from './ground.ts';
import { clock } from './ledger.ts';
import { judge, type Verdict } from './verdict.ts';

export interface Storm {
  tasks: number;
  kills: number;
  /** Times a worker is stopped for longer than its lease, and goes on. */
  freezes: number;
  /** How often, by the name of the ground's fault. */
  faults: Readonly<Record<string, number>>;
  seed: number;
  leaseMs: number;
  /** Agents at once in each worker. */
  slots: number;
  paceMs: number;
  /** After which it is broken off, ms. */
  overallMs: number;
}

export interface Shaken extends Verdict {
  figures: Record<string, number>;
  /** What workers complained about. */
  complaints: Map<string, number>;
  ownEnds: string[];
  exitCodes: (number | string | null)[];
  folder: string;
}

/** Tasks that wait, at least. */
const backlog = 30;
const batch = 25;
/** When little comes to an end the clock decides. */
const longestLullMs = 5000;

export function makeRoot(): string {
  return realpathSync(mkdtempSync(join(tmpdir(), 'agent-under-fire-')));
}

export async function shake(
  root: string,
  ground: Ground,
  storm: Storm,
  tell: (line: string) => void = () => undefined,
): Promise<Shaken> {
  const startedAt = Date.now();
  const deadline = startedAt + storm.overallMs;
  const artifacts = join(root, 'artifacts');
  const ledger = join(root, 'ledger.jsonl');
  mkdirSync(artifacts, { recursive: true });
  const { databaseUrl, amqp, machines } = ground;
  const { leaseMs, slots, paceMs } = storm;
  const fleet = new Fleet(root, { artifacts, ledger, databaseUrl, amqp, leaseMs, slots, paceMs }, machines);
  try {
    const cuts = await underFire(fleet, ground, storm, deadline, tell);
    const shakenMs = Date.now() - startedAt;
    const cameToRest = await rest(ground, storm.tasks, deadline);
    const { exitCodes, rounds } = await lastOrders(fleet, ground);
    const verdict = await judge({
      ground,
      ledger,
      artifacts,
      lives: fleet.lives,
      tasks: idsUpTo(storm.tasks),
      cuts,
    });
    const violations = { ...verdict.violations, ownEnds: fleet.ownEnds };
    return {
      violations: cameToRest ? violations : { ...violations, neverAtRest: ['it never came to rest'] },
      figures: {
        tasks: storm.tasks,
        kills: fleet.kills,
        freezes: fleet.freezes,
        endedAtStart: fleet.endedAtStart,
        ...ground.figures(),
        ...verdict.figures,
        lastOrders: rounds,
        secondsUnderFire: Math.round(shakenMs / 1000),
        seconds: Math.round((Date.now() - startedAt) / 1000),
      },
      complaints: fleet.complaints(),
      ownEnds: fleet.ownEnds,
      exitCodes,
      folder: root,
    };
  } finally {
    await fleet.stop(0);
  }
}

export function cleanUp(root: string): void {
  rmSync(root, { recursive: true, force: true, maxRetries: 3 });
}

function idsUpTo(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `task-${index + 1}`);
}

type Blow = (fleet: Fleet, ground: Ground) => Promise<void> | undefined;

/** All that is to happen, shuffled. */
function blowsOf(storm: Storm, random: () => number, cuts: number[]): Blow[] {
  const pause = (): number => (random() < 0.3 ? storm.leaseMs * 1.5 : 0);
  const kill: Blow = (fleet) => {
    if (!fleet.kill(random(), pause())) blows.push(kill);
    return undefined;
  };
  const freeze: Blow = (fleet) => fleet.freeze(random(), storm.leaseMs * (1.3 + random()));
  const fault =
    (name: string): Blow =>
    async (_, ground) => {
      cuts.push(clock());
      await ground.faults[name]?.();
      cuts.push(clock());
    };
  const blows: Blow[] = [
    ...Array.from({ length: storm.kills }, () => kill),
    ...Array.from({ length: storm.freezes }, () => freeze),
    ...Object.entries(storm.faults).flatMap(([name, count]) =>
      Array.from({ length: count }, () => fault(name)),
    ),
  ];
  return blows.sort(() => random() - 0.5);
}

/** Yields when it was cut off, by the ledger's clock. */
async function underFire(
  fleet: Fleet,
  ground: Ground,
  storm: Storm,
  deadline: number,
  tell: (line: string) => void,
): Promise<number[]> {
  const random = seeded(storm.seed);
  const cuts: number[] = [];
  const blows = blowsOf(storm, random, cuts);
  const ids = idsUpTo(storm.tasks);
  /** So many tasks fall to one blow, and it comes at some moment among them. */
  const share = storm.tasks / blows.length;
  const next = (fallen: number): { ended: number; time: number } => ({
    ended: share * (fallen + random()),
    time: Date.now() + longestLullMs * random() * 2,
  });
  const underWay = new Set<Promise<unknown>>();
  let submitted = 0;
  let fallen = 0;
  let nextAt = next(0);
  let newsAt = 0;
  while ((blows.length > 0 || submitted < ids.length) && Date.now() < deadline) {
    const ended = await ground.ended();
    // There is always something left to do, also for the last blow.
    const open = Math.min(ids.length, Math.ceil(share * (fallen + 1)) + backlog, submitted + batch);
    if (submitted < open && (open === ids.length || open - submitted >= batch / 5)) {
      await ground.submit(ids.slice(submitted, open));
      submitted = open;
    }
    if (blows.length > 0 && (ended >= nextAt.ended || Date.now() >= nextAt.time)) {
      // A moment more, so that it does not always come just when something has ended.
      await sleep(random() * 100);
      const blow = blows.shift()?.(fleet, ground);
      if (blow) {
        const working = blow.finally(() => underWay.delete(working));
        underWay.add(working);
      }
      fallen += 1;
      nextAt = next(fallen);
    }
    if (Date.now() >= newsAt) {
      tell(`${submitted} submitted, ${ended} ended, ${fleet.kills} kills, ${blows.length} blows to come`);
      newsAt = Date.now() + 10_000;
    }
    await sleep(40);
  }
  await Promise.all(underWay);
  return cuts;
}

async function rest(ground: Ground, tasks: number, deadline: number): Promise<boolean> {
  const end = Math.max(deadline, Date.now() + 30_000);
  while (Date.now() < end) {
    if ((await ground.ended()) >= tasks) return true;
    await sleep(100);
  }
  return false;
}

/** Workers end in peace. What came a second time, and was still waiting then, is theirs as well. */
async function lastOrders(
  fleet: Fleet,
  ground: Ground,
): Promise<{ exitCodes: (number | string | null)[]; rounds: number }> {
  await sleep(500);
  let exitCodes = await fleet.stop(30_000);
  let rounds = 0;
  for (; rounds < 5 && (await ground.leftovers()).length > 0; rounds += 1) {
    fleet.start();
    await sleep(4000);
    exitCodes = await fleet.stop(30_000);
  }
  return { exitCodes, rounds };
}
