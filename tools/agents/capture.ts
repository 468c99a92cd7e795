/**
 * What is kept of an agent's output, all of it bounded: lines for the driver, the raw log of standard output, the tail
 * of standard error.
 */
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { LineSplitter } from './lines.ts';
import { printable } from './printable.ts';

export const logCap = 16 * 1024 * 1024;
export const tailCap = 8 * 1024;

/** After the exit: silence that means nothing more is to come, and the longest wait for it. */
const quietMs = 100;
const drainMs = 2000;

/** Reads a child's pipes until they close or `drain` destroys them. */
export class Capture {
  readonly #child: ChildProcess;
  readonly #log: RawLog;
  readonly #lines: LineSplitter;
  readonly #stderr = new Tail();
  #closed = false;
  #chunkAt = 0;

  constructor(child: ChildProcess, log: RawLog, onLine: (line: string) => void) {
    this.#child = child;
    this.#log = log;
    this.#lines = new LineSplitter(onLine);
    child.once('close', () => (this.#closed = true));
    child.stdout?.on('data', (chunk: Buffer) => {
      this.#chunkAt = performance.now();
      this.#log.append(chunk);
      this.#lines.push(chunk);
    });
    child.stderr?.on('data', (chunk: Buffer) => {
      this.#chunkAt = performance.now();
      this.#stderr.push(chunk);
    });
    // EPIPE: it does not read its input. Its business; how it ends decides.
    for (const pipe of child.stdio) pipe?.on('error', () => {});
  }

  get skippedLines(): number {
    return this.#lines.skipped;
  }

  get stderrTail(): string {
    return this.#stderr.text();
  }

  /** Takes what is still in the pipes, then lets go of them, whoever else may hold them open. */
  async drain(): Promise<void> {
    const since = performance.now();
    this.#chunkAt = since;
    while (
      !this.#closed &&
      performance.now() - since < drainMs &&
      performance.now() - this.#chunkAt < quietMs
    ) {
      await sleep(5);
    }
    for (const pipe of this.#child.stdio) pipe?.destroy();
    this.#lines.end();
    this.#log.close();
  }
}

/**
 * Appends to a private file until the cap, then says so once and drops the rest. Written synchronously: at most 16 MiB
 * in all, and what was read is on disk when the worker is killed. A full disk stops the log, never the agent.
 */
export class RawLog {
  #file: number | undefined;
  #written = 0;

  constructor(path: string) {
    mkdirSync(dirname(path), { recursive: true });
    this.#file = openSync(path, 'a', 0o600);
  }

  append(chunk: Buffer): void {
    if (this.#file === undefined) return;
    const room = logCap - this.#written;
    try {
      this.#written += writeSync(this.#file, chunk, 0, Math.min(room, chunk.length));
      if (chunk.length < room) return;
      writeSync(this.#file, '\n[the log ends here: it is capped at 16 MiB]\n');
      this.close();
    } catch {
      // ENOSPC, EIO: the log is for reading afterwards; losing it must not lose the run.
      this.close();
    }
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }
}

/** The last `tailCap` bytes of a stream. */
class Tail {
  #held = Buffer.alloc(0);

  push(chunk: Buffer): void {
    const joined = chunk.length >= tailCap ? chunk : Buffer.concat([this.#held, chunk]);
    this.#held = Buffer.from(joined.subarray(Math.max(0, joined.length - tailCap)));
  }

  text(): string {
    return printable(this.#held.toString('utf8')).trim();
  }
}
