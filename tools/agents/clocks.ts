/**
 * The two clocks of a run: total time, and time without a sign of life (longer while a tool call is open). Monotonic,
 * so a change of the machine's clock ends nothing. Each fires once.
 */
const longest = 2 ** 31 - 1;

export interface Limits {
  timeoutMs: number;
  stallMs: number;
  toolStallMs: number;
}

export class Clocks {
  #seenAt = performance.now();
  #timers: { total: NodeJS.Timeout; stall: NodeJS.Timeout | undefined };
  readonly #limits: Limits;
  readonly #isToolOpen: () => boolean;
  readonly #onEnd: (reason: 'timeout' | 'stall') => void;

  constructor(limits: Limits, isToolOpen: () => boolean, onEnd: (reason: 'timeout' | 'stall') => void) {
    this.#limits = limits;
    this.#isToolOpen = isToolOpen;
    this.#onEnd = onEnd;
    const total = setTimeout(() => onEnd('timeout'), clamp(limits.timeoutMs));
    this.#timers = { total, stall: undefined };
    this.#arm();
  }

  /** A sign of life. */
  seen(): void {
    this.#seenAt = performance.now();
  }

  stop(): void {
    clearTimeout(this.#timers.total);
    clearTimeout(this.#timers.stall);
  }

  // Re-armed only when it fires: a flood of lines must not cost a timer each. Never armed for longer than the shorter
  // limit, because the tool call may end meanwhile.
  #arm(): void {
    const { stallMs, toolStallMs } = this.#limits;
    const limit = this.#isToolOpen() ? Math.max(stallMs, toolStallMs) : stallMs;
    const silent = performance.now() - this.#seenAt;
    if (silent >= limit) return this.#onEnd('stall');
    const wait = Math.min(stallMs, silent < stallMs ? stallMs - silent : limit - silent);
    this.#timers.stall = setTimeout(() => this.#arm(), clamp(wait));
  }
}

function clamp(ms: number): number {
  return Math.min(Math.max(1, Math.ceil(ms)), longest);
}
