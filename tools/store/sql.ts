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
}

export interface Sql {
  readonly dialect: 'sqlite' | 'postgres';
  /**
   * All of `work` or nothing of it. Takes the write lock at the start, waits for others without blocking the event
   * loop, and throws STORE_LOCKED after ten seconds. `work` awaits nothing but its query.
   */
  transaction<T>(work: (query: Query) => Promise<T>): Promise<T>;
  /** A read that may run beside writers. */
  read<T>(work: (query: Query) => Promise<T>): Promise<T>;
  /** Throws STORE_* when the store under our feet was deleted or replaced. */
  verify(): Promise<void>;
  close(): Promise<void>;
}
