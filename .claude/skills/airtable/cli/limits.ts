/** Every wait of this command ends. One value of this type is made at the start and handed down. */
export interface Limits {
  /** How often one request is sent at most. */
  attempts: number;
  /** Longest wait for one complete answer, ms. */
  requestMs: number;
  /** Longest run of the whole command, ms. */
  totalMs: number;
  /** Between the starts of two requests, ms: Airtable takes five a second and base. */
  spacingMs: number;
  /** Wait after a 429 that does not say how long, ms: Airtable refuses everything for 30 s. */
  penaltyMs: number;
  /** First wait after an outage, ms; doubles with every attempt. */
  backoffMs: number;
}

/** The total stays below the two minutes after which agents usually end a command, so that they get to see why. */
export const standardLimits: Limits = {
  attempts: 4,
  requestMs: 20_000,
  totalMs: 100_000,
  spacingMs: 210,
  penaltyMs: 30_000,
  backoffMs: 1_000,
};
