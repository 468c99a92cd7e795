/** How soon a fast task starts while ten heavy ones run, beside a worker that has nothing else to do. */
import { execa } from 'execa';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStore, type Store } from '../../tools/store/store.ts';
import { freshTask } from '../../tools/worker/enqueue.ts';
import { parseRole } from '../../tools/roles/load-role.ts';
import type { Lane, Role } from '../../tools/roles/role.ts';
import { median, ratio, say } from './worker-program.ts';

const rounds = 20;
const loop = join(import.meta.dirname, 'fast-lane-worker.ts');

export async function fastLane(): Promise<void> {
  const empty = await measure(0);
  const busy = await measure(10);
  say(`submit → start of a fast task, ${rounds} rounds, medians`);
  say(`  ten heavy tasks running  ${median(busy).toFixed(1)} ms`);
  say(`  nothing else running     ${median(empty).toFixed(1)} ms`);
  say(`  ratio                    ${ratio(median(busy), median(empty))}`);
}

export function benchRole(name: string, lane: Lane): Role {
  const text = `---\nname: ${name}\ndescription: For the benchmark.\nworker:\n  lane: ${lane}\n---\nWork.\n`;
  return parseRole(text, `.claude/agents/${name}.md`, { root: '/', workspace: '/workspace' });
}

/** A worker in a process of its own, told of tasks through the store only. */
async function measure(heavy: number): Promise<number[]> {
  const folder = mkdtempSync(join(tmpdir(), 'background-agents-lanes-'));
  mkdirSync(join(folder, 'data'));
  const store = await openStore(join(folder, 'data'));
  for (let index = 0; index < heavy; index += 1)
    await submit(store, benchRole('heavy', 'heavy'), `heavy-${index}`);
  const worker = execa(process.execPath, [loop, folder], {
    stdin: 'ignore',
    stderr: 'inherit',
    reject: false,
  });
  try {
    await until(async () => (await store.read(({ workers }) => workers.list())).length === 1);
    await until(async () => (await store.read(({ tasks }) => tasks.running())).length === heavy);
    const latencies: number[] = [];
    for (let round = 0; round < rounds; round += 1) latencies.push(await latency(store, `fast-${round}`));
    return latencies;
  } finally {
    worker.kill('SIGTERM');
    await worker;
    await store.close();
  }
}

async function latency(store: Store, id: string): Promise<number> {
  const submitted = Date.now();
  await submit(store, benchRole('fast', 'fast'), id);
  store.ring();
  await until(async () => (await store.read(({ tasks }) => tasks.get(id)))?.state === 'completed');
  const [attempt] = await store.read(({ attempts }) => attempts.list(id));
  return (attempt?.startedAt ?? Number.NaN) - submitted;
}

async function submit(store: Store, role: Role, id: string): Promise<void> {
  const now = Date.now();
  const task = freshTask(
    { id, queue: 'local', nativeId: id, role, title: id, description: '', priority: 4 },
    now,
  );
  await store.transaction(({ tasks }) => tasks.insert(task, now));
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 60_000;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error('the benchmark waited for a minute in vain');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
