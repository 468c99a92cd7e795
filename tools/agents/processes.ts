/**
 * Finding and ending processes that no longer hang together: an agent's descendants may have left its process group
 * and its session, but they keep the environment they were started with. Linux reads /proc; macOS asks `ps`, which
 * shows the environment of one's own processes; elsewhere nothing is found.
 */
import { execFile, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { messageOf } from '../errors.ts';

const rounds = 40;
const roundMs = 25;

/** Ids of the living processes whose environment has `marker=value`; never this process. */
export async function markedProcesses(marker: string, value: string): Promise<number[]> {
  const found =
    process.platform === 'linux' ? await markedInProc(`${marker}=${value}`) : await markedInPs(marker, value);
  return found.filter((pid) => pid !== process.pid);
}

/** SIGKILLs every process whose environment has `marker=value` until none is left (at most about a second). */
export async function killMarked(marker: string, value: string): Promise<number> {
  const ended = new Set<number>();
  for (let round = 0; round < rounds; round += 1) {
    const left = await markedProcesses(marker, value);
    if (left.length === 0) break;
    for (const pid of left) if (signalProcess(pid, 'SIGKILL')) ended.add(pid);
    await sleep(roundMs);
  }
  return ended.size;
}

/** False when there is nothing to signal any more. `pid` < 0 is a process group. */
export function signalProcess(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ESRCH' || code === 'EPERM') return false;
    throw error;
  }
}

/** Tells this boot of the machine from another, so that a stored process id is never taken for a new process. */
export function bootId(): string {
  if (process.platform === 'linux') return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return output('sysctl', ['-n', 'kern.bootsessionuuid']) ?? 'unknown';
}

/** When the process started, in the platform's own notation (compare, don't parse); undefined: there is none. */
export function processStartTime(pid: number): string | undefined {
  if (process.platform !== 'linux') return output('ps', ['-o', 'lstart=', '-p', String(pid)]);
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold anything, so count from its end: field 3 is the state, field 22 the start.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return 'ZX'.includes(fields[0] ?? 'X') ? undefined : fields[19];
  } catch {
    return undefined; // ENOENT, ESRCH: no such process
  }
}

/** Is it still the very process that had this start time? Zombies count as gone. */
export function isAlive(pid: number, startTime: string): boolean {
  return processStartTime(pid) === startTime;
}

async function markedInProc(entry: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/u.test(name));
  const marked = await Promise.all(pids.map(async (pid) => hasEntry(`/proc/${pid}/environ`, entry)));
  return pids.filter((_, index) => marked[index]).map(Number);
}

async function hasEntry(path: string, entry: string): Promise<boolean> {
  try {
    return (await readFile(path, 'latin1')).split('\0').includes(entry);
  } catch {
    return false; // gone meanwhile, or another user's
  }
}

async function markedInPs(marker: string, value: string): Promise<number[]> {
  if (process.platform !== 'darwin') return [];
  const { stdout } = await promisify(execFile)('ps', ['-axEww', '-o', 'pid=,command='], {
    maxBuffer: 64 * 1024 * 1024,
  }).catch((error: unknown) => ({ stdout: '', error: messageOf(error) }));
  const lines = stdout.split('\n').filter((line) => `${line} `.includes(` ${marker}=${value} `));
  return lines.map((line) => Number.parseInt(line, 10)).filter((pid) => pid > 0);
}

function output(file: string, args: string[]): string | undefined {
  const { status, stdout } = spawnSync(file, args, { encoding: 'utf8', timeout: 5000 });
  return status === 0 && stdout.trim() !== '' ? stdout.trim() : undefined;
}
