/**
 * Runs one agent process under supervision. Invariants: it settles on the process's `exit`, never on its pipes being
 * closed (a daemon left behind may hold them for ever); every wait has an end; when it has settled, no process of the
 * attempt is left; memory stays bounded whatever the agent prints.
 */
import { join } from 'node:path';
import { execa } from 'execa';
import { attemptMarker, workerMarker } from './agent.ts';
import type { AgentRequest } from './agent.ts';
import { Capture, RawLog } from './capture.ts';
import { Clocks } from './clocks.ts';
import { Ending } from './ending.ts';
import type { EndReason, Exit } from './ending.ts';
import { startGuard } from './guard.ts';
import { withParentDeathSignal } from './programs.ts';

export type { EndReason } from './ending.ts';

export interface Supervision {
  request: Pick<
    AgentRequest,
    'attemptId' | 'workerId' | 'prompt' | 'cwd' | 'attemptDir' | 'timeoutMs' | 'stallMs' | 'toolStallMs'
  >;
  /** Absolute path of the program. */
  file: string;
  args: string[];
  /** The whole environment; the two markers are added. */
  env: Record<string, string>;
  signal: AbortSignal;
  onStart: (pid: number) => void;
  /** One line of standard output; `end` ends the process early. */
  onLine: (line: string, end: () => void) => void;
  /** True: a tool call is running, silence is normal. */
  isToolOpen?: () => boolean;
}

export interface Ended {
  exit: Exit;
  /** Undefined: it ended by itself. */
  endedBy: EndReason | undefined;
  /** Set when it never ran: the operating system's code, e.g. ENOENT. */
  startError: string | undefined;
  /** Last 8 KiB of standard error, printable. */
  stderrTail: string;
  /** Lines of standard output that were too long to be read. */
  skippedLines: number;
  /** Processes the agent had left behind, now ended. */
  leftovers: number;
}

const neverRan: Ended = {
  exit: { code: null, signal: null },
  endedBy: undefined,
  startError: undefined,
  stderrTail: '',
  skippedLines: 0,
  leftovers: 0,
};

/** Throws only what `onLine` or `onStart` threw, after the process has been ended. */
export async function supervise(spec: Supervision): Promise<Ended> {
  if (spec.signal.aborted) return { ...neverRan, endedBy: 'aborted' };
  const { request } = spec;
  const log = new RawLog(join(request.attemptDir, 'agent.log'));
  startGuard(request.workerId);
  const subprocess = start(spec);
  const child = subprocess.nodeChildProcess;
  if (child.pid === undefined) {
    log.close();
    return { ...neverRan, startError: (await subprocess).code ?? 'UNKNOWN' };
  }

  const ending = new Ending(child, request.attemptId);
  const clocks = new Clocks(request, spec.isToolOpen ?? (() => false), (reason) => ending.end(reason));
  const callbacks = new Callbacks(() => ending.end('driver'));
  const capture = new Capture(child, log, (line) => {
    clocks.seen();
    callbacks.call(() => spec.onLine(line, () => ending.end('driver')));
  });
  const abort = () => ending.end('aborted');
  spec.signal.addEventListener('abort', abort);

  callbacks.call(() => spec.onStart(child.pid!));
  child.stdin?.end(request.prompt);
  const exit = await ending.exited;
  clocks.stop();
  spec.signal.removeEventListener('abort', abort);
  const leftovers = await ending.sweep();
  await capture.drain();

  callbacks.rethrow();
  const { stderrTail, skippedLines } = capture;
  return { exit, endedBy: ending.reason, startError: undefined, stderrTail, skippedLines, leftovers };
}

function start({ request, file, args, env }: Supervision) {
  const [first, ...words] = [...withParentDeathSignal(), file, ...args];
  return execa(first!, words, {
    cwd: request.cwd,
    env: { ...env, [attemptMarker]: request.attemptId, [workerMarker]: request.workerId },
    extendEnv: false,
    buffer: false,
    reject: false,
    cleanup: false,
    detached: true,
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'pipe',
  });
}

/** A callback that throws ends the process first and surfaces afterwards, so that nothing is left running. */
class Callbacks {
  #thrown: { error: unknown } | undefined;
  readonly #onThrow: () => void;

  constructor(onThrow: () => void) {
    this.#onThrow = onThrow;
  }

  call(callback: () => void): void {
    if (this.#thrown) return;
    try {
      callback();
    } catch (error) {
      this.#thrown = { error };
      this.#onThrow();
    }
  }

  rethrow(): void {
    if (this.#thrown) throw this.#thrown.error;
  }
}
