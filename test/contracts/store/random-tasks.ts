/**
 * Random lives of tasks, against a model of twenty lines: seeded, so that a failure can be run again. The model knows
 * the transition table and nothing else of the store.
 */
import { describe, expect, test } from 'vitest';
import { states, transitions, type State } from '../../../tools/store/states.ts';
import { hasCode } from '../../../tools/errors.ts';
import { noon } from '../../worker/examples.ts';
import type { StoreDesk } from './desk.ts';

interface Known {
  state: State;
  attemptId: string | null;
  events: State[];
  availableAt: number;
}

/** Mulberry32: a small generator with a seed. Yields numbers in [0, 1). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function randomTasksContract(desk: StoreDesk): void {
  /** One random move, sometimes of a task as it is no longer. */
  async function step(model: Map<string, Known>, random: () => number, index: number): Promise<void> {
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
    const [id, known] = pick([...model]);
    const to = pick(states);
    const availableAt = to === 'queued' && random() < 0.3 ? noon + 1 : 0;
    const seen = (await desk.get(id))!;
    const shown = random() < 0.2 ? { ...seen, state: pick(states) } : seen;
    const patch = { availableAt, ...(to === 'running' ? { attemptId: `a${index}` } : {}) };
    const moved = await desk.move(shown, to, patch).then(
      () => true,
      (error: unknown) => {
        if (!hasCode(error, 'ILLEGAL_TRANSITION')) throw error;
        return false;
      },
    );
    const allowed = shown.state === known.state && transitions[known.state].includes(to);
    expect({ id, from: known.state, shown: shown.state, to, moved }).toMatchObject({ moved: allowed });
    if (!moved) return;
    const attemptId = to === 'running' ? `a${index}` : null;
    model.set(id, { state: to, attemptId, availableAt, events: [...known.events, to] });
  }

  describe('random lives of tasks', () => {
    test.each([1, 2, 3, 4, 5, 6, 7, 8])('seed %i', async (seed) => {
      const random = seeded(seed);
      const model = new Map<string, Known>();
      for (let index = 0; index < 5; index += 1) {
        const { id } = await desk.insert({ position: index });
        model.set(id, { state: 'queued', attemptId: null, availableAt: 0, events: ['queued'] });
      }
      for (let index = 0; index < 150; index += 1) {
        await step(model, random, index);
        const ready = await desk.store.read(({ tasks }) => tasks.firstReady('writer', ['local', 'todoist']));
        const expected = [...model].find(
          ([, { state, availableAt }]) => state === 'queued' && availableAt === 0,
        );
        expect(ready?.id).toBe(expected?.[0]);
      }
      for (const [id, known] of model) {
        expect(await desk.get(id)).toMatchObject({ state: known.state, attemptId: known.attemptId });
        const events = await desk.store.read((tables) => tables.events.list(id));
        expect(events.map(({ type }) => type)).toEqual(known.events);
        expect(events.map(({ seq }) => seq)).toEqual(events.map(({ seq }) => seq).toSorted((a, b) => a - b));
      }
      const running = await desk.store.read(({ tasks }) => tasks.running());
      expect(running.map(({ id }) => id).toSorted()).toEqual(
        [...model]
          .filter(([, { state }]) => state === 'running')
          .map(([id]) => id)
          .toSorted(),
      );
    });
  });
}
