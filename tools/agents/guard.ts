/**
 * The guard: one tiny shell per worker that outlives it. It waits on a pipe only the worker holds open; when the
 * worker is gone, however it died, the pipe ends and the guard ends every process that carries the worker's marker
 * (SIGTERM, five seconds, SIGKILL), then itself. Its own environment is bare, so it never finds itself.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Socket } from 'node:net';
import { workerMarker } from './agent.ts';

// $1 is the marker's name, $2 the worker's id: apart, so that no argument list ever looks like a marked environment.
const script = `
trap '' HUP INT TERM
marked() {
  if [ -r /proc/self/environ ]; then
    grep -lzxF -e "$1=$2" /proc/[0-9]*/environ 2>/dev/null | while IFS=/ read -r _ _ pid _; do echo "$pid"; done
  else
    ps -axEww -o pid=,command= 2>/dev/null | while read -r pid rest; do
      case " $rest " in *" $1=$2 "*) echo "$pid" ;; esac
    done
  fi
}
nap() { sleep 0.2 2>/dev/null || sleep 1; }
while read -r _; do :; done
for pid in $(marked "$1" "$2"); do kill -s TERM "$pid" 2>/dev/null; done
round=0
while [ "$round" -lt 25 ] && [ -n "$(marked "$1" "$2")" ]; do nap; round=$((round + 1)); done
round=0
while [ "$round" -lt 50 ]; do
  left=$(marked "$1" "$2")
  [ -n "$left" ] || break
  for pid in $left; do kill -s KILL "$pid" 2>/dev/null; done
  nap
  round=$((round + 1))
done
`;

export interface Guard {
  readonly pid: number | undefined;
  /** As if the worker had died: ends what carries its marker, resolves when the guard is gone. */
  stop(): Promise<void>;
}

const guards = new Map<string, ChildProcess>();

/** Starts the worker's guard unless it is already there. It does not keep the worker's process alive. */
export function startGuard(workerId: string): Guard {
  const known = guards.get(workerId);
  const child = known && isRunning(known) ? known : spawnGuard(workerId);
  return {
    pid: child.pid,
    async stop() {
      guards.delete(workerId);
      const gone = isRunning(child) ? once(child, 'exit') : undefined;
      child.ref();
      child.stdin?.end();
      await gone;
    },
  };
}

function spawnGuard(workerId: string): ChildProcess {
  const child = spawn('/bin/sh', ['-c', script, 'agent-guard', workerMarker, workerId], {
    cwd: '/',
    detached: true,
    env: { PATH: '/usr/bin:/bin:/usr/sbin:/sbin' },
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  // Without a guard the agents still have their parent-death signal and the next start's recovery.
  child.on('error', () => guards.delete(workerId));
  child.stdin?.on('error', () => guards.delete(workerId));
  child.unref();
  if (child.stdin instanceof Socket) child.stdin.unref();
  guards.set(workerId, child);
  return child;
}

function isRunning(child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
}
