/** A worker that is killed again and again, and started anew at once, as systemd would. */
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type WorkerProcess, startWorker, type WorkerStart } from '../crash/worker-process.ts';

export class WorkerUnderFire {
  kills = 0;
  /** Ends that nobody asked for, with what was said last. */
  readonly ownEnds: string[] = [];
  readonly warnings = new Map<string, number>();
  readonly ids = new Set<string>();
  readonly #start: WorkerStart;
  #worker: WorkerProcess;
  #stopping = false;

  constructor(start: WorkerStart) {
    this.#start = start;
    this.#worker = this.#begin();
  }

  kill(): void {
    if (!this.#worker.isRunning()) return;
    this.kills += 1;
    this.#worker.kill('SIGKILL');
  }

  /** As a person would: yields the exit code; undefined: it had to be killed. */
  async stop(patienceMs: number): Promise<number | undefined> {
    this.#stopping = true;
    this.#worker.kill('SIGTERM');
    const given = new AbortController();
    const overdue = sleep(patienceMs, undefined, { signal: given.signal }).catch(() => undefined);
    const end = await Promise.race([this.#worker.exited, overdue]);
    given.abort();
    if (!end) this.#worker.kill('SIGKILL');
    await this.#worker.exited;
    return end?.code ?? undefined;
  }

  #begin(): WorkerProcess {
    const worker = startWorker(this.#start);
    void this.#watch(worker);
    return worker;
  }

  async #watch(worker: WorkerProcess): Promise<void> {
    const { code, signal } = await worker.exited;
    this.#note(worker);
    if (this.#stopping) return;
    if (signal !== 'SIGKILL')
      this.ownEnds.push(`${code ?? signal}: ${worker.stderr().trim().split('\n').slice(0, 2).join(' ')}`);
    this.#worker = this.#begin();
  }

  #note(worker: WorkerProcess): void {
    const lines = worker.events.map((event) => `${JSON.stringify({ pid: worker.pid, ...event })}\n`);
    appendFileSync(join(this.#start.site.folder, 'workers.jsonl'), lines.join('') + worker.stderr());
    for (const event of worker.events) {
      if (event.type === 'worker_started') this.ids.add(event.workerId);
      if (event.type !== 'warning' && event.type !== 'queue_down') continue;
      const text = `${event.type}: ${event.text.replace(/[0-9a-f-]{36}|6X7\w{13}|Task \d+ \[[^\]]*\]|:\d{4,5}\b/g, '…')}`;
      this.warnings.set(text, (this.warnings.get(text) ?? 0) + 1);
    }
  }
}
