/** A flag that is a length of time, such as `--wait 10m`. */
import { AppError } from '../errors.ts';
import { parseDuration } from '../roles/duration.ts';

/** Milliseconds. Throws BAD_USAGE. */
export function durationFlag(flag: string, text: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined) return ms;
  throw new AppError('BAD_USAGE', `expected ${flag} like 90s, 15m or 24h, got: "${text}"`);
}
