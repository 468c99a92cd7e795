/** How long the small commands take that agents and people call many times, beside a Node that does nothing. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStore } from '../../tools/store/store.ts';
import { delegated, submit } from './queues/our-worker.ts';
import { median, programs, ratio, say } from './worker-program.ts';

const rounds = 15;

export async function startUp(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'background-agents-start-'));
  const env = {
    ...process.env,
    AGENT_DATA_DIR: join(folder, 'data'),
    AGENT_WORKSPACE: join(folder, 'workspace'),
  };
  const store = await openStore(env.AGENT_DATA_DIR);
  const task = delegated('One', store);
  await submit(store, task);
  await store.close();
  const agentq = join(programs, 'agentq.mjs');
  const commands: Record<string, string[]> = {
    'node -e 0': ['-e', '0'],
    'agentq --help': [agentq, '--help'],
    'agentq list --json': [agentq, 'list', '--json'],
    'agentq status ID --json': [agentq, 'status', task.id, '--json'],
    'agentq submit': [agentq, 'submit', 'Another', '--to', 'linkedin-writer', '--quiet'],
  };
  try {
    const times = new Map<string, number[]>();
    for (let round = -1; round < rounds; round += 1)
      for (const [name, args] of Object.entries(commands)) {
        const start = performance.now();
        execFileSync(process.execPath, args, {
          env,
          stdio: ['ignore', 'ignore', 'inherit'],
          timeout: 30_000,
        });
        // The first one fills the compile cache.
        if (round >= 0) times.set(name, [...(times.get(name) ?? []), performance.now() - start]);
      }
    const bare = median(times.get('node -e 0') ?? []);
    say(`start to end of a command, ${rounds} interleaved runs, medians`);
    for (const [name, all] of times)
      say(
        `  ${name.padEnd(26)}${median(all).toFixed(0).padStart(5)} ms  ${ratio(median(all), bare)} of node -e 0`,
      );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
