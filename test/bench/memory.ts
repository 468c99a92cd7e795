/** Resident memory and CPU time of an idle `--watch` on Todoist, beside a bare Node process that holds a timer. */
import { execa } from 'execa';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { startTodoistServer } from '../fakes/todoist-server.ts';
import { eventWhere, ratio, residentMb, say, startWorker, temporaryFolders } from './worker-program.ts';

const watchedMs = 20_000;

export async function memory(): Promise<void> {
  const server = await startTodoistServer();
  const { id } = server.addProject('LinkedIn Writer');
  for (let task = 0; task < 250; task += 1)
    server.addTask({ projectId: id, content: `Task ${task}`, labels: ['agent-done'] });
  const bare = execa(process.execPath, ['-e', 'setInterval(() => {}, 10000)'], { reject: false });
  const worker = startWorker(['--watch', '--agent', 'sample', '--interval', '2'], {
    ...temporaryFolders(),
    TODOIST_API_TOKEN: server.token,
    TODOIST_API_URL: server.url,
  });
  try {
    await eventWhere(worker.events, (event) => event['type'] === 'worker_started');
    await sleep(watchedMs / 4);
    const cpuFrom = cpuSeconds(worker.pid);
    await sleep(watchedMs);
    const cpu = (100 * (cpuSeconds(worker.pid) - cpuFrom)) / (watchedMs / 1000);
    const own = residentMb(worker.pid);
    const node = residentMb(bare.pid ?? 0);
    say('idle --watch on Todoist (a poll each 2 s, 250 labelled tasks)');
    say(`  worker      ${own} MB resident, ${cpu.toFixed(1)} % of a core`);
    say(`  bare Node   ${node} MB resident`);
    say(`  ratio       ${ratio(own, node)}`);
  } finally {
    await worker.stop();
    bare.kill('SIGKILL');
    await bare;
    await server.shutdown();
  }
}

/** User and system time from /proc, whose ticks are hundredths of a second. */
function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
