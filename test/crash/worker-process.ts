/** The real worker program as a process of a test: started, watched through its events, and ended by its id. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { WorkerEvent } from '../../tools/worker/worker-event.ts';

const programs = fileURLToPath(new URL('../../tools/bin/', import.meta.url));
const chaosAgent = fileURLToPath(new URL('../fixtures/agents/chaos-agent.ts', import.meta.url));

/** Where one test's worker keeps its things. */
export interface Site {
  folder: string;
  dataDir: string;
  workspace: string;
  /** The book that the fixture agent keeps. */
  book: string;
}

export function makeSite(): Site {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'agent-crash-')));
  const site = {
    folder,
    dataDir: join(folder, 'data'),
    workspace: join(folder, 'workspace'),
    book: join(folder, 'book'),
  };
  mkdirSync(site.book);
  return site;
}

/** Nothing of ours but what is named here: no token of the person who runs the test, no crash point. */
export function programEnvironment(site: Site, more: Record<string, string> = {}): NodeJS.ProcessEnv {
  const { PATH, HOME, TMPDIR } = process.env;
  return {
    PATH,
    HOME,
    ...(TMPDIR === undefined ? {} : { TMPDIR }),
    AGENT_DATA_DIR: site.dataDir,
    AGENT_WORKSPACE: site.workspace,
    AGENT_PATIENCE: '0.001',
    ...more,
  };
}

export interface WorkerProcess {
  readonly pid: number;
  readonly events: WorkerEvent[];
  readonly stderr: () => string;
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  isRunning(): boolean;
  kill(signal: NodeJS.Signals): void;
}

export interface WorkerStart {
  site: Site;
  flags: readonly string[];
  env?: Record<string, string>;
  /** How long each run of the agent takes, at least. */
  paceMs?: number;
}

export function startWorker({ site, flags, env = {}, paceMs = 40 }: WorkerStart): WorkerProcess {
  const agent = [process.execPath, chaosAgent, site.book, String(paceMs)];
  const child = spawn(
    process.execPath,
    [join(programs, 'agent-worker.mjs'), ...flags, '--agent', 'command', '--json', '--', ...agent],
    { env: programEnvironment(site, env), stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const events: WorkerEvent[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => events.push(JSON.parse(line) as WorkerEvent));
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (part: string) => (stderr += part));
  const exited = once(child, 'close').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as NodeJS.Signals | null,
  }));
  return {
    pid: child.pid ?? 0,
    events,
    stderr: () => stderr,
    exited,
    isRunning: () => child.exitCode === null && child.signalCode === null,
    kill: (signal) => void child.kill(signal),
  };
}

/** Runs `agentq` to its end and yields what it printed. Throws when it fails. */
export async function agentq(site: Site, args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, [join(programs, 'agentq.mjs'), ...args], {
    env: programEnvironment(site),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (part: string) => (out += part));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`agentq ${args.join(' ')} ended with ${code}: ${out}`);
  return out;
}
