/**
 * How a supervised process ends: asked with SIGTERM (the agent ends its own children), forced with SIGKILL, given up
 * when even that has no effect. Afterwards whatever it left behind is ended too.
 */
import type { ChildProcess } from 'node:child_process';
import { attemptMarker } from './agent.ts';
import { killMarked, signalProcess } from './processes.ts';

/** Between SIGTERM and SIGKILL. */
const termGraceMs = 5000;
/** After SIGKILL: a process in an uninterruptible wait must not hold the worker. */
const killGraceMs = 5000;

/** Why the supervisor ended the process: a clock, the abort signal, or the driver, who had seen enough. */
export type EndReason = 'timeout' | 'stall' | 'aborted' | 'driver';

export interface Exit {
  code: number | null;
  signal: string | null;
}

export class Ending {
  /** Undefined as long as nobody has asked it to end. */
  reason: EndReason | undefined;
  /** Resolves at the process's `exit`, whoever caused it, or when it was given up. */
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;
  readonly #attemptId: string;
  #timer: NodeJS.Timeout | undefined;
  #giveUp: (exit: Exit) => void = () => {};

  constructor(child: ChildProcess, attemptId: string) {
    this.#child = child;
    this.#attemptId = attemptId;
    const { promise, resolve } = Promise.withResolvers<Exit>();
    this.#giveUp = resolve;
    this.exited = promise;
    child.once('exit', (code, signal) => {
      clearTimeout(this.#timer);
      resolve({ code, signal });
    });
  }

  /** The first reason counts; without effect once the process has exited. */
  end(reason: EndReason): void {
    if (this.reason !== undefined || this.#hasExited()) return;
    this.reason = reason;
    this.#child.kill('SIGTERM');
    this.#timer = setTimeout(() => this.#force(), termGraceMs);
  }

  /** Ends the process group and everything that carries the attempt's marker; counts what was marked. */
  async sweep(): Promise<number> {
    if (this.#child.pid !== undefined) signalProcess(-this.#child.pid, 'SIGKILL');
    return killMarked(attemptMarker, this.#attemptId);
  }

  #force(): void {
    this.#child.kill('SIGKILL');
    this.#timer = setTimeout(() => this.#giveUp({ code: null, signal: 'SIGKILL' }), killGraceMs);
  }

  #hasExited(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }
}
