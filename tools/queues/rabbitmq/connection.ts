/**
 * One connection to the broker that comes back by itself, for ever, while it is open. Whoever needs it asks for the
 * link as it is now; while there is none they are told at once, or when the attempt that is under way has ended. What
 * belongs to a link (channels, deliveries) dies with it.
 */
import { type Channel, type ChannelModel, type ConfirmChannel, connect } from 'amqplib';
import { AppError } from '../../errors.ts';
import { type Calls, callsOn } from './calls.ts';
import { alarmed, connectFailure, explained, unavailable, within } from './failures.ts';

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
  /** Why the broker takes no messages (memory or disk alarm); undefined: it does. */
  blocked: string | undefined;
  /** Epoch ms. */
  since: number;
}

/** The link as it comes and goes. */
export interface Connecting {
  /** Throws QUEUE_UNAVAILABLE or QUEUE_AUTH; never waits longer than one attempt takes. */
  link: () => Promise<Link>;
  current: () => Link | undefined;
  /** Called after each (re)connection, in order; what it throws goes to `log`. */
  onUp: (callback: (link: Link) => Promise<void> | void) => void;
  onDown: (callback: (link: Link, why: Error) => void) => void;
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
const farewellMs = 2000;
/** A connection that lasted this long was a good one. */
const steadyMs = 10_000;

function keepConnected(options: ConnectionOptions): Connecting {
  const address = withHeartbeat(options.url);
  const ups: ((link: Link) => Promise<void> | void)[] = [];
  const downs: ((link: Link, why: Error) => void)[] = [];
  // Its failure is kept in `problem`, and plans the next attempt.
  const again = openRetry(() => void start().catch(() => undefined));
  let current: Link | undefined;
  let attempt: Promise<Link> | undefined;
  let problem: AppError | undefined;
  let closed = false;

  const down = (link: Link, why: AppError): void => {
    if (!link.alive) return;
    link.alive = false;
    if (current === link) current = undefined;
    // Whatever ended it, what is asked of the broker meanwhile may succeed later.
    problem = why.code === 'QUEUE_UNAVAILABLE' ? why : unavailable(why.message, why);
    for (const callback of downs) callback(link, why);
    destroy(link.model, why);
    if (closed) return;
    options.log(`the connection to the broker is lost: ${why.message}`);
    again.plan(Date.now() - link.since > steadyMs);
  };

  const start = (): Promise<Link> => {
    attempt ??= open().finally(() => {
      attempt = undefined;
    });
    return attempt;
  };

  const open = async (): Promise<Link> => {
    try {
      const link = await connectOnce(address, options, (ended, why) => down(ended, explained(why)));
      if (closed) destroy(link.model, unavailable('closed'));
      if (closed || !link.alive) throw unavailable('the connection was closed');
      current = link;
      problem = undefined;
      void tellUp(link);
      return link;
    } catch (error) {
      problem = connectFailure(error, options.url);
      if (!closed) again.plan(false);
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

  return {
    link: async () => {
      if (closed) throw unavailable('this connection was closed');
      if (current?.blocked !== undefined) throw alarmed(current.blocked);
      if (current) return current;
      // Between two attempts the answer is known; the first call makes the first attempt.
      if (!attempt && again.planned() && problem) throw problem;
      return start();
    },
    current: () => current,
    onUp: (callback) => void ups.push(callback),
    onDown: (callback) => void downs.push(callback),
    drop: (link, why) => down(link, explained(why)),
    close: async () => {
      if (closed) return;
      closed = true;
      again.stop();
      await attempt?.catch(() => undefined);
      const last = current;
      if (!last) return;
      current = undefined;
      last.alive = false;
      await within(farewellMs, 'closing', farewell(last)).catch(() => undefined);
      destroy(last.model, unavailable('closed'));
    },
  };
}

/** Waits between attempts: doubling, with jitter, from the beginning again after a connection that lasted. */
function openRetry(act: () => void): { plan(anew: boolean): void; planned(): boolean; stop(): void } {
  let timer: NodeJS.Timeout | undefined;
  let tries = 0;
  return {
    plan: (anew) => {
      clearTimeout(timer);
      tries = anew ? 0 : tries;
      const delay = Math.min(longestDelayMs, firstDelayMs * 2 ** Math.min(tries, 10));
      tries += 1;
      const run = (): void => {
        timer = undefined;
        act();
      };
      timer = setTimeout(run, delay * (0.5 + Math.random() / 2)).unref();
    },
    planned: () => timer !== undefined,
    stop: () => clearTimeout(timer),
  };
}

/** `ended` is called when the connection or one of its channels ends, whatever the cause; perhaps more than once. */
async function connectOnce(
  address: string,
  { patienceMs, log }: ConnectionOptions,
  ended: (link: Link, why: Error) => void,
): Promise<Link> {
  const model = await connect(address, { timeout: patienceMs, noDelay: true, keepAlive: true });
  model.on('error', () => undefined);
  const open = async (): Promise<Link> => {
    const publisher = await model.createConfirmChannel();
    const [deliveries, bells] = [await model.createChannel(), await model.createChannel()];
    const link = { model, publisher, deliveries, bells, alive: true, blocked: undefined, since: Date.now() };
    watch(link, log, (why) => ended(link, why));
    await bells.prefetch(1);
    return link;
  };
  try {
    return await within(patienceMs, 'opening channels', open());
  } catch (error) {
    destroy(model, unavailable('opening channels failed'));
    throw error;
  }
}

function watch(link: Link, log: (text: string) => void, ended: (why: Error) => void): void {
  let first: Error | undefined;
  const failed = (error: Error): void => {
    first ??= error;
    ended(first);
  };
  link.model.on('error', failed);
  link.model.on('close', (error) => failed(error ?? new Error('closed by the broker')));
  link.model.on('blocked', (reason) => {
    link.blocked = reason;
    log(alarmed(reason).message);
  });
  link.model.on('unblocked', () => {
    link.blocked = undefined;
  });
  for (const channel of [link.publisher, link.deliveries, link.bells]) {
    channel.on('error', failed);
    channel.on('close', () => failed(new Error('a channel was closed')));
  }
}

/** First the channel of the acknowledgements: those under way arrive before its end does, but not before others'. */
async function farewell({ deliveries, model }: Link): Promise<void> {
  await deliveries.close();
  await model.close();
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
