/** Several workers, killed and cut off while they work: a small edition of `npm run test:chaos -- --site …`. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { openBrokerGround } from '../chaos/delegation/broker-ground.ts';
import type { Ground } from '../chaos/delegation/ground.ts';
import { openPostgresGround } from '../chaos/delegation/postgres-ground.ts';
import { cleanUp, makeRoot, shake, type Shaken, type Storm } from '../chaos/delegation/shake.ts';
import { hasPostgres } from '../store/postgres-server.ts';
import { brokerIsThere } from './site.ts';

const there = await brokerIsThere();
const storm = {
  tasks: 60,
  kills: 4,
  freezes: 0,
  seed: 1,
  // A slow machine that does not hear its own heart for two thirds of it gives its tasks up, as it should.
  leaseMs: 4000,
  slots: 4,
  paceMs: 40,
  overallMs: 60_000,
} satisfies Partial<Storm>;

async function survived(
  open: (root: string) => Promise<Ground>,
  more: Pick<Storm, 'faults'> & Partial<Storm>,
): Promise<Shaken> {
  const root = makeRoot();
  onTestFinished(() => cleanUp(root));
  const ground = await open(root);
  onTestFinished(() => ground.close());
  return shake(root, ground, { ...storm, ...more });
}

function wrongs({ violations, exitCodes }: Shaken): unknown {
  return {
    ...Object.fromEntries(Object.entries(violations).filter(([, list]) => list.length > 0)),
    exitCodes,
  };
}

const openApart = (root: string): Promise<Ground> =>
  openBrokerGround({ root, shared: false, mayRestart: false });

describe('workers under fire', () => {
  it.skipIf(!hasPostgres)('that share a database complete each task once', { timeout: 150_000 }, async () => {
    const faults = { backendsTerminated: 2 };
    const shaken = await survived(() => openPostgresGround(), { faults, freezes: 1 });
    expect(wrongs(shaken)).toEqual({ exitCodes: [0, 0, 0] });
    expect(shaken.figures).toMatchObject({ kills: 4, freezes: 1 });
  });

  it.skipIf(!there)('that share nothing but a broker lose no task', { timeout: 150_000 }, async () => {
    const faults = { connectionsCut: 2, answersLost: 1 };
    const shaken = await survived(openApart, { faults, leaseMs: 1000 });
    expect(wrongs(shaken)).toEqual({ exitCodes: [0, 0] });
    expect(shaken.figures).toMatchObject({ kills: 4, connectionsCut: 2, answersLost: 1 });
  });
});
