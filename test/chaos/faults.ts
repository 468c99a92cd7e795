/** The weather: each kind of fault meets one request in twenty. */
import type { FaultKind } from '../fakes/faults.ts';
import type { TodoistServer } from '../fakes/todoist-server.ts';

const share = 0.05;
const weather: readonly (readonly FaultKind[])[] = [
  [429],
  [500, 502, 503],
  ['truncated'],
  ['commit-then-drop'],
  ['slow-body'],
];

export function letItStorm(server: TodoistServer): void {
  let calm = 1;
  for (const kinds of weather)
    for (const kind of kinds) {
      // Faults are tried one after the other, so a later one sees only the requests that were spared so far.
      const rate = share / kinds.length;
      server.fault({ kind, rate: rate / calm, retryAfter: 1, delayMs: 1 });
      calm -= rate;
    }
}
