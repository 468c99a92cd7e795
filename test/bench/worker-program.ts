/** The real programs for the benchmarks: started in temporary folders, ended by id. */
import { execa } from 'execa';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const programs = join(import.meta.dirname, '..', '..', 'tools', 'bin');

export interface Folders {
  AGENT_DATA_DIR: string;
  AGENT_WORKSPACE: string;
}

export function temporaryFolders(): Folders {
  const folder = mkdtempSync(join(tmpdir(), 'background-agents-bench-'));
  return { AGENT_DATA_DIR: join(folder, 'data'), AGENT_WORKSPACE: join(folder, 'workspace') };
}

export interface Running {
  pid: number;
  /** Events of `--json`, as they come. */
  events: AsyncIterator<Record<string, unknown>>;
  stop: () => Promise<void>;
}

export function startWorker(args: string[], env: Record<string, string>): Running {
  const child = execa(
    process.execPath,
    ['--max-semi-space-size=1', join(programs, 'agent-worker.mjs'), '--json', ...args],
    {
      env,
      stdin: 'ignore',
      stderr: 'inherit',
      reject: false,
      buffer: false,
    },
  );
  return {
    pid: child.pid ?? 0,
    events: parsed(child.iterable())[Symbol.asyncIterator](),
    async stop() {
      child.kill('SIGTERM');
      child.stdout?.resume();
      await child;
    },
  };
}

async function* parsed(lines: AsyncIterable<unknown>): AsyncIterable<Record<string, unknown>> {
  for await (const line of lines)
    if (typeof line === 'string') yield JSON.parse(line) as Record<string, unknown>;
}

/** Reads until `find` says that this is the one; later events stay to be read. */
export async function eventWhere(
  events: AsyncIterator<Record<string, unknown>>,
  find: (event: Record<string, unknown>) => boolean,
): Promise<Record<string, unknown>> {
  for (;;) {
    const next = await events.next();
    if (next.done) throw new Error('the worker ended before what was waited for happened');
    if (find(next.value)) return next.value;
  }
}

export function residentMb(pid: number): number {
  const kib = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Math.round(Number(kib ?? 0) / 102.4) / 10;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

export function ratio(a: number, b: number): string {
  return `${Number((a / b).toPrecision(3))}x`;
}

export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
