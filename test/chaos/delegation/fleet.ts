/** Workers that are killed and frozen at random, and started anew, as a service manager would. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, openSync, readFileSync, closeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { clock } from './ledger.ts';
import type { WorkerConfig } from './worker.ts';

const program = fileURLToPath(new URL('worker.ts', import.meta.url));

/** What was done to one worker process, by the ledger's clock. */
export interface Life {
  workerId: string;
  machine: string;
  bornAt: number;
  killedAt: number | undefined;
  frozen: { from: number; to: number }[];
}

type Common = Omit<WorkerConfig, 'id' | 'machine' | 'folder'>;

interface Slot {
  machine: string;
  life: Life;
  child: ChildProcess;
  /** Settles when it works, or has ended. */
  ready: Promise<unknown>;
  isFrozen: boolean;
}

export class Fleet {
  readonly lives: Life[] = [];
  /** Had not begun to work when what they need was taken from them, and said so: a service manager tries again. */
  endedAtStart = 0;
  /** Ends that nobody asked for. */
  readonly ownEnds: string[] = [];
  readonly #root: string;
  readonly #common: Common;
  readonly #slots: Slot[] = [];
  readonly #log: string;
  readonly #coming = new Set<Promise<void>>();
  #stopping = false;

  /** One worker for each name in `machines`. */
  constructor(root: string, common: Common, machines: readonly string[]) {
    this.#root = root;
    this.#common = common;
    this.#log = join(root, 'workers.log');
    for (const machine of machines) this.#slots.push(this.#begin(machine));
  }

  get kills(): number {
    return this.lives.filter((life) => life.killedAt !== undefined).length;
  }

  get freezes(): number {
    return this.lives.reduce((sum, life) => sum + life.frozen.length, 0);
  }

  /** Kills one of those that are alive and awake. It is back after `pauseMs`. False: there is none. */
  kill(pick: number, pauseMs: number): boolean {
    const slot = this.#pick(pick);
    if (!slot) return false;
    slot.life.killedAt = clock();
    slot.child.kill('SIGKILL');
    const coming = this.#restart(slot, pauseMs).finally(() => this.#coming.delete(coming));
    this.#coming.add(coming);
    return true;
  }

  /** Stops one for `ms`, and lets it go on as if nothing had been. */
  async freeze(pick: number, ms: number): Promise<void> {
    const slot = this.#pick(pick);
    if (!slot) return;
    slot.isFrozen = true;
    const spell = { from: clock(), to: Number.POSITIVE_INFINITY };
    slot.life.frozen.push(spell);
    slot.child.kill('SIGSTOP');
    await sleep(ms);
    spell.to = clock();
    slot.child.kill('SIGCONT');
    slot.isFrozen = false;
  }

  /** As a person would: yields the exit codes. */
  async stop(patienceMs: number): Promise<(number | string | null)[]> {
    await Promise.all(this.#coming);
    await Promise.all(this.#slots.map(({ ready }) => ready));
    this.#stopping = true;
    return Promise.all(
      this.#slots.map(async ({ child }) => {
        if (!isRunning(child)) return child.exitCode ?? child.signalCode;
        const overdue = setTimeout(() => child.kill('SIGKILL'), patienceMs);
        child.kill('SIGCONT');
        child.kill('SIGTERM');
        const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
        clearTimeout(overdue);
        return code ?? signal;
      }),
    );
  }

  /** Once more, after `stop`. */
  start(): void {
    this.#stopping = false;
    for (const slot of this.#slots) Object.assign(slot, this.#begin(slot.machine));
  }

  /** What workers had to complain about, and how often. */
  complaints(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const line of readFileSync(this.#log, 'utf8').split('\n')) {
      const text = line.replace(/[0-9a-f]{8}-[0-9a-f-]{27}|task-\d+|127\.0\.0\.1:\d+|\d{2,}/g, '…').trim();
      if (text !== '') counts.set(text, (counts.get(text) ?? 0) + 1);
    }
    return counts;
  }

  #pick(random: number): Slot | undefined {
    const awake = this.#slots.filter(
      ({ child, isFrozen, life }) => !isFrozen && isRunning(child) && life.killedAt === undefined,
    );
    return awake[Math.floor(random * awake.length)];
  }

  #begin(machine: string): Slot {
    const folder = join(this.#root, machine);
    mkdirSync(folder, { recursive: true });
    const config: WorkerConfig = { ...this.#common, id: randomUUID(), machine, folder };
    const log = openSync(this.#log, 'a');
    const child = spawn(process.execPath, [program, JSON.stringify(config)], {
      stdio: ['ignore', log, log, 'ipc'],
      env: { PATH: process.env['PATH'], NODE_COMPILE_CACHE: join(this.#root, 'compiled') },
    });
    closeSync(log);
    const life: Life = {
      workerId: config.id,
      machine,
      bornAt: clock(),
      killedAt: undefined,
      frozen: [],
    };
    this.lives.push(life);
    let works = false;
    child.once('message', () => {
      works = true;
    });
    const ready = Promise.race([once(child, 'message'), once(child, 'exit')]);
    const slot = { machine, life, child, ready, isFrozen: false };
    child.once('exit', (code, signal) => {
      if (life.killedAt === undefined && !this.#stopping) {
        if (works) this.ownEnds.push(`${machine}: ${code ?? signal}`);
        else this.endedAtStart += 1;
        const current = this.#slots.find((each) => each.child === child);
        if (current && this.ownEnds.length + this.endedAtStart < 20)
          Object.assign(current, this.#begin(machine));
      }
    });
    return slot;
  }

  async #restart(slot: Slot, pauseMs: number): Promise<void> {
    if (isRunning(slot.child)) await once(slot.child, 'exit');
    await sleep(pauseMs);
    if (!this.#stopping) Object.assign(slot, this.#begin(slot.machine));
  }
}

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}
