/**
 * Splits a byte stream into lines with bounded memory: a line longer than the cap is skipped and counted, whatever
 * its length. Bytes that are no UTF-8 become U+FFFD.
 */
const newline = 0x0a;
const keptCapacity = 64 * 1024;

export const lineCap = 8 * 1024 * 1024;

export class LineSplitter {
  skipped = 0;
  #held = Buffer.alloc(0);
  #length = 0;
  #skipping = false;
  readonly #cap: number;
  readonly #onLine: (line: string) => void;

  constructor(onLine: (line: string) => void, cap = lineCap) {
    this.#onLine = onLine;
    this.#cap = cap;
  }

  push(chunk: Buffer): void {
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(newline, start);
      if (end === -1) break;
      this.#append(chunk.subarray(start, end));
      this.#finish();
      start = end + 1;
    }
    this.#append(chunk.subarray(start));
  }

  /** The last line may lack its newline. */
  end(): void {
    if (this.#length > 0 || this.#skipping) this.#finish();
  }

  #append(part: Buffer): void {
    if (this.#skipping || part.length === 0) return;
    if (this.#length + part.length > this.#cap) {
      this.#skipping = true;
      this.#release();
      return;
    }
    this.#reserve(this.#length + part.length);
    part.copy(this.#held, this.#length);
    this.#length += part.length;
  }

  #finish(): void {
    if (this.#skipping) {
      this.#skipping = false;
      this.skipped += 1;
      return;
    }
    const line = this.#held.toString('utf8', 0, this.#length);
    this.#release();
    this.#onLine(line.endsWith('\r') ? line.slice(0, -1) : line);
  }

  #reserve(size: number): void {
    if (this.#held.length >= size) return;
    const grown = Buffer.allocUnsafe(Math.max(size, this.#held.length * 2, 4096));
    this.#held.copy(grown, 0, 0, this.#length);
    this.#held = grown;
  }

  #release(): void {
    this.#length = 0;
    if (this.#held.length > keptCapacity) this.#held = Buffer.alloc(0);
  }
}
