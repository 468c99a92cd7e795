/** What errors of amqplib and the broker mean. Pure. */
import { AppError, messageOf } from '../../errors.ts';

/** The address as it may be shown: without the password. */
export function shownUrl(url: string): string {
  try {
    const parsed = new URL(url);
    if (parsed.password) parsed.password = '***';
    parsed.search = '';
    return parsed.href;
  } catch {
    return 'the address in AMQP_URL';
  }
}

/**
 * RabbitMQ's text: `inequivalent arg 'x-delivery-limit' for queue 'q' in vhost '/': received '3' but current is '2'`;
 * a side may also be `none`, or `the value '5' of type 'byte'`. The text is cut at 255 bytes.
 */
const inequivalent = /inequivalent arg '([^']+)' for (queue|exchange) '([^']+)'/;
const difference = /: received (.+?) but current is (.+?)"?$/;

/** For whatever went wrong on a channel; an AppError stays as it is. */
export function explained(error: unknown): AppError {
  if (error instanceof AppError) return error;
  const text = messageOf(error);
  const other = inequivalent.exec(text);
  if (other) return mismatch(other, text, error);
  const code = replyCode(error);
  if (code === 403 || text.includes('ACCESS_REFUSED')) return refused(text, error);
  if (code === 404 || text.includes('NOT_FOUND'))
    return new AppError('QUEUE_REJECTED', `the broker does not have it: ${serverText(text)}`, {
      hints: ['agentq init   (declares exchanges and queues)'],
      cause: error,
    });
  if (code === 406)
    return new AppError('CONFLICT', `the broker refused: ${serverText(text)}`, { cause: error });
  if (code === 405 || text.includes('RESOURCE_LOCKED'))
    return new AppError('CONFLICT', `the broker's queue is in use by another: ${serverText(text)}`, {
      cause: error,
    });
  return unavailable(text, error);
}

function mismatch([, arg, kind, name]: RegExpExecArray, text: string, cause: unknown): AppError {
  const sides = difference.exec(text);
  const values = sides ? `: expected ${plain(sides[1])}, got: ${plain(sides[2])}` : ' than expected';
  return new AppError('CONFLICT', `the ${kind} "${name}" exists with another ${arg}${values}`, {
    hints: [
      kind === 'queue'
        ? `empty and delete it, then run agentq init again: rabbitmqctl delete_queue ${name}`
        : `delete the exchange "${name}" (management page, or rabbitmqadmin), then run agentq init again`,
      'a policy of the broker may have set it: rabbitmqctl list_policies',
      'or use another virtual host of the broker: AMQP_URL=amqp://…/<virtual host>',
    ],
    cause,
  });
}

const plain = (text = ''): string => /'([^']*)'/.exec(text)?.[1] ?? text;

/** When opening a connection fails. */
export function connectFailure(error: unknown, url: string): AppError {
  if (error instanceof AppError) return error;
  const text = messageOf(error);
  if (/ACCESS_REFUSED|NOT_ALLOWED|403|530/.test(text)) return refused(`${text} (${shownUrl(url)})`, error);
  return unavailable(`${text || 'no connection'} (${shownUrl(url)})`, error);
}

function refused(text: string, cause: unknown): AppError {
  return new AppError('QUEUE_AUTH', `the broker refused access: ${serverText(text)}`, {
    hints: [
      'check user, password and virtual host in AMQP_URL',
      'rabbitmqctl list_permissions   (the user needs configure, write and read on agentq.*)',
    ],
    cause,
  });
}

export function unavailable(text: string, cause?: unknown): AppError {
  return new AppError('QUEUE_UNAVAILABLE', `the broker cannot be reached: ${serverText(text)}`, {
    hints: ['check that RabbitMQ runs and AMQP_URL is right: agentq doctor'],
    cause,
  });
}

/** The broker stops reading from whoever publishes while an alarm lasts: https://www.rabbitmq.com/docs/alarms */
export function alarmed(reason: string): AppError {
  return new AppError('QUEUE_UNAVAILABLE', `the broker takes no messages because of an alarm: ${reason}`, {
    hints: ['rabbitmqctl status   (shows memory and disk alarms)'],
  });
}

/** amqplib wraps it as `Operation failed: QueueDeclare; 406 (PRECONDITION-FAILED) with message "…"`. */
function serverText(text: string): string {
  return (/with message "(.+?)"?(?: \([^)]*\))?$/s.exec(text)?.[1] ?? text).slice(0, 500);
}

/** The reply code of a closed channel, undefined for anything else. */
export function replyCode(error: unknown): number | undefined {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'number'
    ? error.code
    : undefined;
}

/** Ends a wait. `late` says what was waited for. Throws QUEUE_UNAVAILABLE after `ms`. */
export async function within<T>(ms: number, late: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(unavailable(`${late} took longer than ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
