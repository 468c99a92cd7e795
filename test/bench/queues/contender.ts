/**
 * What is measured of every queue, ours and others': a backlog that stays as it is while jobs are done, because each
 * job that is done submits one. So a job done is one submitted, claimed and completed, and nobody waits for a wake-up.
 */
export interface Contender {
  name: string;
  /** Of the library and of the server behind it. */
  version: string;
  /** When is a submitted job on disk? */
  durability: Durability;
  /** How it was configured, in a few words. */
  note: string;
  /** Only ours: this backlog is made. Others get the standard one. */
  backlog?: number;
  open(): Promise<Flow>;
}

/**
 * `each commit`: on disk before the caller goes on, also when the power is cut. `checkpoints`: survives the end of the
 * process, the last commits may be lost with the power. `each second`: up to a second is lost with the power.
 * `none`: even the file may be damaged.
 */
export type Durability = 'each commit' | 'checkpoints' | 'each second' | 'none';

export interface Flow {
  /** Puts that many jobs in, as fast as the library can. */
  fill(count: number): Promise<void>;
  /** Does jobs, so many at a time, each of which submits another; `done` is called for each. The result stops it. */
  work(atOnce: number, done: () => void): Promise<() => Promise<void>>;
  close(): Promise<void>;
}

/** A contender that cannot run here says why: its row is left out. */
export class NotHere extends Error {}
