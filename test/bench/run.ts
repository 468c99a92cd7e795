/** `npm run bench [name…]`: each prints what it measured and a ratio against something run beside it. */
import { claudeOverhead } from './claude-overhead.ts';
import { fastLane } from './fast-lane.ts';
import { idlePoll } from './idle-poll.ts';
import { latency } from './latency.ts';
import { memory } from './memory.ts';
import { queueFlow } from './queue-flow.ts';
import { startUp } from './start-up.ts';

const all: Record<string, () => Promise<void>> = {
  'idle-poll': idlePoll,
  memory,
  'fast-lane': fastLane,
  latency,
  'start-up': startUp,
  queues: () => queueFlow(),
  claude: claudeOverhead,
};

const wanted = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const unknown = wanted.filter((name) => !(name in all));
if (unknown.length > 0) {
  process.stderr.write(`expected ${Object.keys(all).join(', ')}, got: ${unknown.join(', ')}\n`);
  process.exit(2);
}
for (const [name, run] of Object.entries(all)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  await run();
  process.stdout.write('\n');
}
process.exit();
