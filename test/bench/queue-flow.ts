/**
 * Tasks a second, submitted, claimed and completed, beside other queues on the same machine: three rounds of all, one
 * after another, medians. Flags behind the name: `--small` fills 10,000 instead of a million, `--ours` leaves the
 * others out.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { NotHere, type Contender, type Flow } from './queues/contender.ts';
import { ours } from './queues/ours.ts';
import { median, ratio, say } from './worker-program.ts';

const rounds = 3;
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
  ];
  const entries: Entry[] = [];
  try {
    for (const contender of contenders) {
      const flow = await opened(contender);
      if (flow) entries.push({ contender, flow, rates: new Map() });
    }
    for (let round = 0; round < rounds; round += 1)
      for (const atOnce of concurrencies)
        for (const entry of entries) {
          const known = entry.rates.get(atOnce) ?? [];
          entry.rates.set(atOnce, [...known, await rate(entry.flow, atOnce)]);
        }
    table(entries);
  } finally {
    for (const { flow } of entries) await flow.close();
  }
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
  let count = 0;
  const stop = await flow.work(atOnce, () => (count += 1));
  await sleep(warmUpMs);
  const from = { count, at: performance.now() };
  await sleep(measuredMs);
  const perSecond = ((count - from.count) * 1000) / (performance.now() - from.at);
  await stop();
  return perSecond;
}

function table(entries: readonly Entry[]): void {
  const best = entries.find(({ contender }) => contender.name.endsWith('SQLite, worker'));
  say(`tasks a second, submitted, claimed and completed; ${rounds} interleaved rounds, medians`);
  say(
    `  ${'queue'.padEnd(34)}${'backlog'.padStart(9)}${'1 at once'.padStart(11)}${'10 at once'.padStart(11)}  on disk`,
  );
  for (const { contender, rates } of entries) {
    const cells = concurrencies.map((atOnce) =>
      median(rates.get(atOnce) ?? [])
        .toFixed(0)
        .padStart(11),
    );
    const ratios = concurrencies.map((atOnce) =>
      ratio(median(best?.rates.get(atOnce) ?? []), median(rates.get(atOnce) ?? [])),
    );
    say(
      `  ${contender.name.padEnd(34)}${String(contender.backlog ?? standardBacklog).padStart(9)}${cells.join('')}  ${contender.durability}  ${ratios.join(' / ')}`,
    );
  }
}
