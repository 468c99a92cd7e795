/**
 * Wake-ups over the database: an empty NOTIFY after a commit, and a connection of its own that listens. A notification
 * may be lost with its connection, so whoever listens is woken whenever it listens anew; and everybody polls as well.
 */
import type { Client } from 'pg';
import { setTimeout as delay } from 'node:timers/promises';

const channel = 'agentq';
const pingEveryMs = 30_000;
const longestWaitMs = 5000;

export interface Ringer {
  readonly ring: () => void;
  /** Resolves when everything rung so far has been sent, or could not be. */
  readonly settled: () => Promise<void>;
}

/** One notification for all that rings in the same turn. */
export function createRinger(send: (statement: string) => Promise<unknown>): Ringer {
  let waiting = false;
  let sent: Promise<unknown> = Promise.resolve();
  return {
    ring() {
      if (waiting) return;
      waiting = true;
      sent = Promise.all([sent, ringSoon()]);
    },
    settled: async () => void (await sent),
  };

  async function ringSoon(): Promise<void> {
    await Promise.resolve();
    waiting = false;
    // The others poll anyway, and the next transaction says what is wrong.
    await send(`NOTIFY ${channel}`).catch(() => undefined);
  }
}

/** Listens until the result is called, however often the connection is lost. */
export function listen(connect: () => Client, callback: () => void): () => void {
  const stop = new AbortController();
  void keepListening(connect, callback, stop.signal);
  return () => stop.abort();
}

async function keepListening(connect: () => Client, callback: () => void, stop: AbortSignal): Promise<void> {
  let failures = 0;
  while (!stop.aborted) {
    const client = connect();
    try {
      const lost = lossOf(client, stop);
      await client.connect();
      client.on('notification', () => {
        if (!stop.aborted) callback();
      });
      await client.query(`LISTEN ${channel}`);
      failures = 0;
      // Something may have been missed while nobody listened.
      if (!stop.aborted) callback();
      await lost;
    } catch {
      failures += 1;
    } finally {
      void client.end().catch(() => undefined);
    }
    const wait = Math.min(longestWaitMs, 50 * 2 ** Math.min(failures, 10)) * (0.5 + Math.random() / 2);
    await delay(wait, undefined, { signal: stop, ref: false }).catch(() => undefined);
  }
}

/** Resolves when the connection is gone or nobody wants it any more. A dead network is only seen by asking. */
function lossOf(client: Client, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const ping = setInterval(() => {
      void client.query('SELECT 1').then(undefined, done);
    }, pingEveryMs).unref();
    function done(): void {
      clearInterval(ping);
      stop.removeEventListener('abort', done);
      resolve();
    }
    client.on('error', done);
    client.on('end', done);
    stop.addEventListener('abort', done);
  });
}
