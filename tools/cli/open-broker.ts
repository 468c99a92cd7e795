/** The broker of the settings, opened; the only place of the command line that names it. */
import type { RabbitQueue } from '../queues/rabbitmq/rabbitmq.ts';
import type { Settings } from './environment.ts';

export interface BrokerOptions {
  /** Whose deliveries are held: the store's id. */
  holder: string;
  roles: () => string[];
  /** Told when the connection is lost and when it is back, and what is handed over. */
  log?: (text: string) => void;
}

/** Undefined: none is used. */
export async function openBroker(
  settings: Settings,
  { holder, roles, log }: BrokerOptions,
): Promise<RabbitQueue | undefined> {
  const { amqpUrl: url, amqpPrefix: prefix, amqpAckTimeoutMs: ackTimeoutMs } = settings;
  if (url === undefined) return undefined;
  const { openRabbitQueue } = await import('../queues/rabbitmq/rabbitmq.ts');
  return openRabbitQueue({ url, prefix, ackTimeoutMs, holder, roles, ...(log ? { log } : {}) });
}
