/** Where a program is, and how it is started so that it ends with the worker. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, isAbsolute, join, resolve } from 'node:path';

/** Absolute path of an executable, looked up like a shell would; undefined: there is none. */
export function findProgram(name: string, path: string): string | undefined {
  if (name.includes('/')) return isExecutable(resolve(name)) ? resolve(name) : undefined;
  for (const folder of path.split(delimiter)) {
    const file = join(folder, name);
    if (isAbsolute(folder) && isExecutable(file)) return file;
  }
  return undefined;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

let deathSignal: string[] | undefined;

/**
 * Words to put in front of a command so that the kernel sends it SIGTERM when its parent dies; empty where there is no
 * such tool (macOS, BusyBox). The guard does the same for whole trees; this one is at once and needs no /proc.
 */
export function withParentDeathSignal(): string[] {
  deathSignal ??= probeDeathSignal();
  return deathSignal;
}

function probeDeathSignal(): string[] {
  if (process.platform !== 'linux') return [];
  const words = ['setpriv', '--pdeathsig', 'TERM'];
  const { status } = spawnSync(words[0]!, [...words.slice(1), 'true'], { stdio: 'ignore', timeout: 5000 });
  return status === 0 ? words : [];
}
