/**
 * Tasks a second, submitted, claimed and completed, beside other queues on the same machine: three rounds of all, one
 * after another, medians. Flags behind the name: `--small` fills 10,000 instead of a million, `--ours` leaves the
 * others out.
 */
import { cpus, loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../tools/errors.ts';
import { NotHere, type Contender, type Flow } from './queues/contender.ts';
import { postgresVersion } from './queues/databases.ts';
import { ours } from './queues/ours.ts';
import { installPeers } from './queues/peers/install.ts';
import { peers } from './queues/peers/all.ts';
import { median, ratio, say } from './worker-program.ts';

const rounds = 3;
/** Servers have something to write after the last one has stopped. */
const settleMs = 500;
const warmUpMs = 300;
const measuredMs = 1000;
const standardBacklog = 1000;
const concurrencies = [1, 10] as const;

interface Entry {
  contender: Contender;
  flow: Flow;
  /** Jobs a second, by how many at once, one for each round. */
  rates: Map<number, number[]>;
}

export async function queueFlow(flags: readonly string[] = process.argv): Promise<void> {
  const many = flags.includes('--small') ? 10_000 : 1_000_000;
  const contenders = [
    ours('SQLite', 'store alone', standardBacklog),
    ours('SQLite', 'worker', standardBacklog),
    ours('SQLite', 'worker, delegated', standardBacklog),
    ours('PostgreSQL', 'store alone', standardBacklog),
    ours('PostgreSQL', 'worker', standardBacklog),
    ours('PostgreSQL', 'worker, delegated', standardBacklog),
    ours('SQLite', 'worker', many),
    ours('PostgreSQL', 'worker', many),
    ...(flags.includes('--ours') ? [] : others()),
  ];
  const entries: Entry[] = [];
  try {
    for (const contender of contenders) {
      const flow = await opened(contender);
      if (flow) entries.push({ contender, flow, rates: new Map() });
    }
    for (let round = 0; round < rounds; round += 1)
      for (const atOnce of concurrencies)
        for (const entry of rotated(entries, round)) {
          const known = entry.rates.get(atOnce) ?? [];
          entry.rates.set(atOnce, [...known, await rate(entry.flow, atOnce)]);
        }
    say(await machine());
    table(entries);
  } finally {
    const closed = await Promise.allSettled(entries.map(({ flow }) => flow.close()));
    for (const each of closed)
      if (each.status === 'rejected') process.stderr.write(`closing: ${messageOf(each.reason)}\n`);
  }
}

function others(): Contender[] {
  try {
    installPeers();
    return peers();
  } catch (error) {
    if (!(error instanceof NotHere)) throw error;
    say(`  other queues: left out, ${error.message}`);
    return [];
  }
}

/** What the one before has left to the disk to do burdens another one each round. */
function rotated<T>(all: readonly T[], round: number): T[] {
  const start = Math.floor((round * all.length) / rounds);
  return [...all.slice(start), ...all.slice(0, start)];
}

async function opened(contender: Contender): Promise<Flow | undefined> {
  let flow: Flow | undefined;
  try {
    flow = await contender.open();
    await flow.fill(contender.backlog ?? standardBacklog);
    return flow;
  } catch (error) {
    await flow?.close();
    if (!(error instanceof NotHere)) throw error;
    say(`  ${contender.name}: left out, ${error.message}`);
    return undefined;
  }
}

/** Jobs done in a second. */
async function rate(flow: Flow, atOnce: number): Promise<number> {
  await sleep(settleMs);
  let count = 0;
  const stop = await flow.work(atOnce, () => (count += 1));
  await sleep(warmUpMs);
  const from = { count, at: performance.now() };
  await sleep(measuredMs);
  const perSecond = ((count - from.count) * 1000) / (performance.now() - from.at);
  await stop();
  return perSecond;
}

/** What the absolute numbers depend on. */
async function machine(): Promise<string> {
  const postgres = await postgresVersion().catch(() => 'none');
  const [cpu] = cpus();
  const load = loadavg()[0]?.toFixed(1);
  return `Node ${process.version}, PostgreSQL ${postgres}, ${cpus().length} x ${cpu?.model}, load at the end ${load}`;
}

interface Row {
  name: string;
  backlog: number;
  disk: string;
  note: string;
  rates: number[];
}

function table(entries: readonly Entry[]): void {
  const rows = entries.map(({ contender, rates }): Row => ({
    name: [contender.name, contender.version].join(' ').trim(),
    backlog: contender.backlog ?? standardBacklog,
    disk: contender.durability,
    note: contender.note,
    rates: concurrencies.map((atOnce) => median(rates.get(atOnce) ?? [])),
  }));
  say(
    `tasks a second, submitted, claimed and completed; ${rounds} interleaved rounds of ${measuredMs} ms, medians`,
  );
  say(
    `  ${'queue'.padEnd(36)}${'waiting'.padStart(8)}${'1 at once'.padStart(11)}${'10 at once'.padStart(12)}  on disk`,
  );
  for (const { name, backlog, rates, disk, note } of rows) {
    const [one, ten] = rates.map((perSecond) => perSecond.toFixed(perSecond < 10 ? 1 : 0));
    say(
      `  ${name.padEnd(36)}${String(backlog).padStart(8)}${one?.padStart(11)}${ten?.padStart(12)}  ${disk}; ${note}`,
    );
  }
  const [sqlite, postgres] = ['SQLite', 'PostgreSQL'].map((database) =>
    rows.find(({ name, backlog }) => name === `ours, ${database}, worker` && backlog === standardBacklog),
  );
  if (!sqlite) return;
  say(`  ratios, ours / theirs, 1 and 10 at once${' '.repeat(14)}${'on SQLite'.padEnd(20)}on PostgreSQL`);
  for (const row of rows.filter(({ name }) => !name.startsWith('ours'))) {
    const cells = [sqlite, postgres].map((own) =>
      own ? row.rates.map((theirs, index) => ratio(own.rates[index] ?? 0, theirs)).join(', ') : '',
    );
    say(`  ${row.name.padEnd(36)}${row.disk.padEnd(19)}${cells.map((cell) => cell.padEnd(20)).join('')}`);
  }
}
