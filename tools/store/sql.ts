/**
 * The narrow waist between the store's statements and a database: run statements in one transaction. Statements
 * are written once, with `?` placeholders, in the dialect that SQLite and PostgreSQL share.
 */
export type Value = string | number | null;
export type Row = Record<string, Value>;

export interface Query {
  /** Rows of a SELECT, or of a write with RETURNING. Never reads only the first row: that would hide a failed commit. */
  all(sql: string, ...params: Value[]): Promise<Row[]>;
  /** Number of rows changed. */
  run(sql: string, ...params: Value[]): Promise<number>;
  /** Put behind a SELECT: its rows are locked, those that another transaction has locked are passed over. */
  readonly skipLocked: '' | ' FOR UPDATE SKIP LOCKED';
  /** Waits until no other transaction holds this name, then holds it to the end of this one. */
  lock(name: string): Promise<void>;
}

/**
 * `serial`: as if no other transaction ran meanwhile. `claim`: others may run beside it; rows that it takes with
 * `skipLocked` are its own, and what else must not change it guards with `lock`. On SQLite both are the same.
 */
export type Isolation = 'serial' | 'claim';

export interface Sql {
  readonly dialect: 'sqlite' | 'postgres';
  /** The store's clock, epoch ms: of the database where several machines share it. */
  now(): number;
  /**
   * All of `work` or nothing of it. `work` awaits nothing but its query, and may run again from the start where the
   * database asks for it. Throws STORE_LOCKED when others hold the store for ten seconds, STORE_DISCONNECTED when the
   * database is gone; then it is unknown whether it was done.
   */
  transaction<T>(work: (query: Query) => Promise<T>, isolation?: Isolation): Promise<T>;
  /** A read that may run beside writers. */
  read<T>(work: (query: Query) => Promise<T>): Promise<T>;
  /** Throws STORE_* when the store under our feet was deleted or replaced. */
  verify(): Promise<void>;
  close(): Promise<void>;
}
