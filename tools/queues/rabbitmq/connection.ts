/**
 * One connection to the broker that comes back by itself, for ever, while it is open. Whoever needs it asks for the
 * link as it is now; while there is none they are told at once, or when the attempt that is under way has ended. What
 * belongs to a link (channels, deliveries) dies with it.
 */
import { type Channel, type ChannelModel, type ConfirmChannel, connect } from 'amqplib';
import { AppError } from '../../errors.ts';
import { type Calls, callsOn } from './calls.ts';
import { connectFailure, explained, unavailable, within } from './failures.ts';

/** One living connection. */
export interface Link {
  model: ChannelModel;
  /** For publishing, with confirms. */
  publisher: ConfirmChannel;
  /** For what is taken and acknowledged. */
  deliveries: Channel;
  /** For what only wakes us. */
  bells: Channel;
  alive: boolean;
  /** Epoch ms. */
  since: number;
}

/** The link as it comes and goes. */
export interface Connecting {
  /** Throws QUEUE_UNAVAILABLE or QUEUE_AUTH; never waits longer than one attempt takes. */
  link: () => Promise<Link>;
  current: () => Link | undefined;
  /** Why the broker takes no messages (memory or disk alarm); undefined: it does. */
  blocked: () => string | undefined;
  /** Called after each (re)connection, in order; what it throws goes to `log`. */
  onUp: (callback: (link: Link) => Promise<void> | void) => void;
  onDown: (callback: (link: Link) => void) => void;
  /** Gives a link up; a new one is made. */
  drop: (link: Link, why: Error) => void;
  close: () => Promise<void>;
}

export type Connection = Connecting & Calls;

export interface ConnectionOptions {
  url: string;
  log: (text: string) => void;
  /** Longest wait for one answer, ms. */
  patienceMs: number;
}

export function openConnection(options: ConnectionOptions): Connection {
  const connecting = keepConnected(options);
  return { ...connecting, ...callsOn(connecting, options.patienceMs) };
}

const heartbeatSeconds = 10;
const firstDelayMs = 100;
const longestDelayMs = 15_000;

function keepConnected(options: ConnectionOptions): Connecting {
  const address = withHeartbeat(options.url);
  const ups: ((link: Link) => Promise<void> | void)[] = [];
  const downs: ((link: Link) => void)[] = [];
  let current: Link | undefined;
  let attempt: Promise<Link> | undefined;
  let retry: NodeJS.Timeout | undefined;
  let problem: AppError | undefined;
  let blocked: string | undefined;
  let tries = 0;
  let closed = false;

  const down = (link: Link, why: AppError): void => {
    if (!link.alive) return;
    link.alive = false;
    if (current === link) current = undefined;
    blocked = undefined;
    problem = why;
    for (const callback of downs) callback(link);
    destroy(link.model, why);
    if (closed) return;
    options.log(`the connection to the broker is lost: ${why.message}`);
    later();
  };

  const later = (): void => {
    const delay = Math.min(longestDelayMs, firstDelayMs * 2 ** Math.min(tries, 10));
    tries += 1;
    retry = setTimeout(
      () => {
        retry = undefined;
        // Its failure is kept in `problem`, and the next attempt is already planned.
        start().catch(() => undefined);
      },
      delay * (0.5 + Math.random() / 2),
    );
    retry.unref();
  };

  const start = (): Promise<Link> => {
    attempt ??= open().finally(() => {
      attempt = undefined;
    });
    return attempt;
  };

  const open = async (): Promise<Link> => {
    try {
      const opened = await connectOnce(address, options.patienceMs);
      if (closed) {
        destroy(opened.model, unavailable('closed'));
        throw unavailable('this connection was closed');
      }
      watch(opened, (why) => down(opened, explained(why)));
      opened.model.on('blocked', (reason) => {
        blocked = reason;
        options.log(`the broker takes no messages for now: ${reason}`);
      });
      opened.model.on('unblocked', () => {
        blocked = undefined;
      });
      current = opened;
      problem = undefined;
      tries = 0;
      void tellUp(opened);
      return opened;
    } catch (error) {
      problem = connectFailure(error, options.url);
      if (!closed) later();
      throw problem;
    }
  };

  const tellUp = async (link: Link): Promise<void> => {
    for (const callback of ups)
      try {
        if (link.alive) await callback(link);
      } catch (error) {
        options.log(explained(error).message);
      }
  };

  const link = async (): Promise<Link> => {
    if (closed) throw unavailable('this connection was closed');
    if (blocked !== undefined)
      throw unavailable(`it takes no messages because of an alarm (memory or disk): ${blocked}`);
    if (current) return current;
    // Between two attempts the answer is known; the first call makes the first attempt.
    if (!attempt && retry && problem) throw problem;
    return start();
  };

  return {
    link,
    current: () => current,
    blocked: () => blocked,
    onUp: (callback) => void ups.push(callback),
    onDown: (callback) => void downs.push(callback),
    drop: (of, why) => down(of, explained(why)),
    close: async () => {
      if (closed) return;
      closed = true;
      clearTimeout(retry);
      await attempt?.catch(() => undefined);
      const last = current;
      if (!last) return;
      // Acknowledgements that are under way arrive before the broker answers this.
      await within(2000, 'closing', last.model.close()).catch(() => undefined);
      down(last, unavailable('closed'));
    },
  };
}

async function connectOnce(address: string, patienceMs: number): Promise<Link> {
  const model = await connect(address, { timeout: patienceMs, noDelay: true, keepAlive: true });
  model.on('error', () => undefined);
  try {
    const open = async (): Promise<Link> => {
      const publisher = await model.createConfirmChannel();
      const [deliveries, bells] = [await model.createChannel(), await model.createChannel()];
      await bells.prefetch(1);
      return { model, publisher, deliveries, bells, alive: true, since: Date.now() };
    };
    return await within(patienceMs, 'opening channels', open());
  } catch (error) {
    destroy(model, unavailable('opening channels failed'));
    throw error;
  }
}

/** Whatever ends the connection or one of its channels ends the link. */
function watch(link: Link, ended: (why: Error) => void): void {
  let first: Error | undefined;
  const fail = (error: Error): void => {
    first ??= error;
  };
  link.model.on('error', fail);
  link.model.on('close', (error) => ended(first ?? error ?? new Error('closed by the broker')));
  for (const channel of [link.publisher, link.deliveries, link.bells]) {
    channel.on('error', (error) => {
      fail(error);
      ended(error);
    });
    channel.on('close', () => ended(first ?? new Error('a channel was closed')));
  }
}

/** Without a farewell: the other side may not be there to answer. */
function destroy(model: ChannelModel, why: Error): void {
  const { stream } = model.connection as unknown as { stream?: { destroy(error?: Error): void } };
  stream?.destroy(why);
}

function withHeartbeat(text: string): string {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new AppError('BAD_USAGE', 'expected AMQP_URL to be like amqp://user:password@host:5672/vhost');
  }
  if (url.protocol !== 'amqp:' && url.protocol !== 'amqps:')
    throw new AppError(
      'BAD_USAGE',
      `expected AMQP_URL to begin with amqp:// or amqps://, got: ${url.protocol}//`,
    );
  if (!url.searchParams.has('heartbeat')) url.searchParams.set('heartbeat', String(heartbeatSeconds));
  return url.href;
}
