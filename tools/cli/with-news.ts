/** For verbs that look: with what the broker has for us, or with what the store knows where the broker is away. */
import { hasCode, isRetryable, messageOf } from '../errors.ts';
import { shown } from './render-worker.ts';
import { withStore, type Session } from './session.ts';

/** Throws NOT_FOUND where there is no store yet. */
export function withNews<T>(body: (session: Session) => Promise<T>): Promise<T> {
  return withStore({ create: false }, async (session) => {
    try {
      await session.sync();
    } catch (error) {
      if (!isRetryable(error) && !hasCode(error, 'QUEUE_AUTH')) throw error;
      process.stderr.write(
        `! the broker cannot be reached (${shown(messageOf(error), 300)}); this is what the store knows\n`,
      );
    }
    return body(session);
  });
}
