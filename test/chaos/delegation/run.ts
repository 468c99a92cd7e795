/**
 * `npm run test:chaos -- --site postgres` or `--site rabbitmq [--store postgres] [--restart-broker]`: tasks that agents
 * delegate, through several workers that are killed, frozen and cut off. Each must be completed once, and none lost.
 *
 *   [--tasks 2000] [--kills 50] [--freezes 8] [--cuts 10] [--restarts 3] [--seed 1] [--minutes 10] [--keep]
 */
import { parseArgs } from 'node:util';
import { openBrokerGround } from './broker-ground.ts';
import { openPostgresGround } from './postgres-ground.ts';
import { cleanUp, makeRoot, shake, type Shaken, type Storm } from './shake.ts';

const { values } = parseArgs({
  options: {
    site: { type: 'string', default: 'postgres' },
    store: { type: 'string', default: 'sqlite' },
    tasks: { type: 'string', default: '2000' },
    kills: { type: 'string', default: '50' },
    freezes: { type: 'string' },
    cuts: { type: 'string', default: '10' },
    restarts: { type: 'string', default: '3' },
    'restart-broker': { type: 'boolean', default: false },
    seed: { type: 'string', default: '1' },
    minutes: { type: 'string', default: '10' },
    keep: { type: 'boolean', default: false },
  },
});

const isBroker = values.site === 'rabbitmq';
const isShared = !isBroker || values.store === 'postgres';
const cuts = Number(values.cuts);
const storm: Storm = {
  tasks: Number(values.tasks),
  kills: Number(values.kills),
  // Where stores are not shared, nobody judges a worker by its silence but the broker, after half a minute.
  freezes: Number(values.freezes ?? (isShared ? 8 : 0)),
  faults: {
    ...(isShared && { backendsTerminated: cuts }),
    ...(isBroker && { connectionsCut: cuts, answersLost: Math.ceil(cuts / 2) }),
    ...(values['restart-broker'] && { brokerRestarts: Number(values.restarts) }),
  },
  seed: Number(values.seed),
  leaseMs: 3000,
  slots: 6,
  paceMs: 80,
  overallMs: Number(values.minutes) * 60_000,
};

const root = makeRoot();
const ground = isBroker
  ? await openBrokerGround({ root, shared: isShared, mayRestart: values['restart-broker'] })
  : await openPostgresGround();
const tell = (line: string): void => void process.stderr.write(`${line}\n`);
let failed = true;
try {
  failed = report(await shake(root, ground, storm, tell));
} finally {
  await ground.close();
  if (values.keep || failed) tell(`kept: ${root}`);
  else cleanUp(root);
}
process.exit(failed ? 1 : 0);

/** Prints what was seen; yields whether anything is wrong. */
function report({ violations, figures, complaints, exitCodes }: Shaken): boolean {
  for (const [text, count] of [...complaints].sort((a, b) => b[1] - a[1]).slice(0, 15))
    tell(`${count} × ${text}`);
  const wrong = Object.entries(violations);
  for (const [name, cases] of wrong) for (const line of cases.slice(0, 10)) tell(`! ${name}: ${line}`);
  const counts = Object.fromEntries(wrong.map(([name, cases]) => [name, cases.length]));
  const all = {
    site: values.site,
    store: isShared ? 'postgres' : 'sqlite',
    ...figures,
    ...counts,
    exitCodes,
  };
  for (const [name, value] of Object.entries(all))
    process.stdout.write(`${name.padEnd(24)} ${String(value)}\n`);
  process.stdout.write(`${JSON.stringify(all)}\n`);
  const short = (figures['kills'] ?? 0) < storm.kills;
  if (short) tell(`! fewer kills than wanted: ${figures['kills']} of ${storm.kills}`);
  return short || exitCodes.some((code) => code !== 0) || wrong.some(([, cases]) => cases.length > 0);
}
