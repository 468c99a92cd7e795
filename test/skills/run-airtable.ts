/** Starts the command `airtable` as the agent does: a process of its own, arguments, and nothing of ours around it. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';

export const root = join(import.meta.dirname, '..', '..');
export const script = join(root, '.claude', 'skills', 'airtable', 'scripts', 'airtable.ts');
/** The same command with waits short enough to meet the ends of them. */
export const hurried = join(import.meta.dirname, 'hurried-airtable.ts');

export interface Run {
  code: number | null;
  stdout: string;
  stderr: string;
  /** stdout as JSON; undefined when there is none. */
  result: unknown;
  /** `error` of stderr. */
  error: { code: string; message: string; hints: string[]; written?: string[] } | undefined;
  tookMs: number;
}

export interface RunOptions {
  cwd?: string;
  env?: Record<string, string>;
  program?: string;
}

export async function run(args: string[], options: RunOptions = {}): Promise<Run> {
  const startedAt = Date.now();
  const child = spawn(process.execPath, [options.program ?? script, ...args], {
    cwd: options.cwd ?? root,
    env: { PATH: process.env['PATH'] ?? '', ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return {
    code,
    stdout,
    stderr,
    result: stdout.startsWith('{') ? JSON.parse(stdout) : undefined,
    error: errorOf(stderr),
    tookMs: Date.now() - startedAt,
  };
}

function errorOf(stderr: string): Run['error'] {
  if (!stderr.startsWith('{')) return undefined;
  const parsed: { error: NonNullable<Run['error']> } = JSON.parse(stderr);
  return parsed.error;
}
