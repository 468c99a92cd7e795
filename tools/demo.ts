/**
 * The demo: the real programs, the local queue and the sample agent, in a temporary folder. Three tasks run to their
 * ends, one of them after a decision and one after a failed attempt, and are printed as a phone would show them.
 */
import { execa } from 'execa';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { indented, threadOf } from './cli/task-view.ts';
import { openStore, type Store } from './store/store.ts';
import type { Task } from './store/tasks.ts';

const folder = mkdtempSync(join(tmpdir(), 'background-agents-demo-'));
const dataDir = join(folder, 'data');
const workspace = join(folder, 'workspace');
const env = { AGENT_DATA_DIR: dataDir, AGENT_WORKSPACE: workspace, AGENT_PATIENCE: '0.02' };
const programs = join(import.meta.dirname, 'bin');
const patienceMs = 60_000;

const tasks = [
  ['Why queues beat chat for real work', 'linkedin-writer'],
  ['Announce the new price [decide]', 'linkedin-writer'],
  ['Friday newsletter [fail once]', 'newsletter-writer'],
] as const;

say('Three tasks go into the local queue; the sample agent (no AI, no account) does them.\n');
for (const [title, role] of tasks) {
  say(`$ agentq submit "${title}" --to ${role}`);
  await execa('node', [join(programs, 'agentq.mjs'), 'submit', title, '--to', role], { env });
}

say('\n$ agent-worker --queue local --agent sample --watch --verbose');
const worker = execa(
  'node',
  [join(programs, 'agent-worker.mjs'), '--queue', 'local', '--agent', 'sample', '--watch', '--verbose'],
  { env, stdin: 'ignore', stdout: 'inherit', stderr: 'inherit', reject: false },
);
const gone = new AbortController();
void worker.then(() => gone.abort());
const store = await openStore(dataDir);
try {
  const asking = await until(store, (all) => all.find((task) => task.state === 'input_required'));
  say(`\n$ agentq answer ${asking.id} "Keep it, but say when it starts"\n`);
  await execa(
    'node',
    [join(programs, 'agentq.mjs'), 'answer', asking.id, 'Keep it, but say when it starts'],
    { env },
  );
  await until(store, (all) => (all.every((task) => task.state === 'completed') ? all : undefined));
} finally {
  worker.kill('SIGTERM');
  await worker;
}

say('\nThis is what you would read on your phone:');
for (const task of (await store.read(({ tasks: table }) => table.list())).reverse()) await printThread(task);
await store.close();

say(`\nThe drafts: ${join(workspace, 'linkedin')} and ${join(workspace, 'newsletter')}`);
say(`
The real thing, in three steps:
  1. cp .env.example .env, and put your Todoist token (and Airtable's, if you use it) into it
  2. in Todoist, make a project "LinkedIn Writer" and add a task to it
  3. npm run worker -- --project "LinkedIn Writer" --watch     (npm run doctor tells what is missing)`);

async function printThread(task: Task): Promise<void> {
  const thread = await store.read(async ({ mirror, reports }) =>
    threadOf(await mirror.comments(task.queue, task.nativeId), await reports.list(task.id)),
  );
  const label = task.state === 'completed' ? 'agent-done' : task.state;
  say(`\n○ ${task.title}   @${label}`);
  for (const entry of thread) {
    say(`  ── ${entry.from === 'person' ? 'you' : 'agent-worker'}`);
    for (const line of indented(entry.text)) say(line);
  }
}

/** Waits for the store to say so; gives up when the worker ends or nothing happens for a minute. */
async function until<T>(from: Store, find: (all: Task[]) => T | undefined): Promise<T> {
  const end = Date.now() + patienceMs;
  while (Date.now() < end && !gone.signal.aborted) {
    const found = find(await from.read(({ tasks: table }) => table.list()));
    if (found !== undefined) return found;
    await nextRing(from);
  }
  throw new Error(`the demo's worker ended early; what it left is in ${folder}`);
}

async function nextRing(from: Store): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(done, 200);
    const stop = from.onRing(done);
    function done(): void {
      clearTimeout(timer);
      stop();
      resolve();
    }
  });
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
