/** The checks of `agentq doctor` for what several machines share: database, broker, artifact root. */
import type { ChannelModel } from 'amqplib';
import { AppError } from '../errors.ts';
import type { Role } from '../roles/role.ts';
import { duration } from '../worker/messages.ts';
import type { Settings } from './environment.ts';
import { fail, pass, warn, type Finding } from './finding.ts';

/** Clocks that differ by more are worth a word, though ours is not used for leases. */
const clockToleranceMs = 2000;

/** Looks only: the schema is made by `agentq init` or the first worker. */
export async function checkDatabase(url: string): Promise<Finding> {
  const { openPostgres } = await import('../store/postgres.ts');
  const sql = await openPostgres(url);
  try {
    const tables = await sql.read((query) =>
      query.all(`SELECT table_name FROM information_schema.tables WHERE table_name = 'schema_version'`),
    );
    const { host, pathname } = new URL(url);
    const where = `PostgreSQL at ${host}${pathname}`;
    const apart = Math.abs(sql.now() - Date.now());
    if (tables.length === 0) return warn(`${where}, without our tables yet`, 'agentq init   (makes them)');
    if (apart > clockToleranceMs)
      return warn(`${where}; this machine's clock is ${duration(apart)} away from it`, 'set the clock (ntp)');
    return pass(where);
  } finally {
    await sql.close();
  }
}

export async function checkBroker(settings: Settings, roles: readonly Role[]): Promise<Finding> {
  const { amqpUrl: url, amqpPrefix: prefix, amqpAckTimeoutMs: ackTimeoutMs } = settings;
  if (url === undefined) return pass('none: tasks wait in the store (AMQP_URL)');
  const { openRabbitQueue } = await import('../queues/rabbitmq/rabbitmq.ts');
  const queue = openRabbitQueue({ url, prefix });
  try {
    await queue.check();
    const { connect } = await import('amqplib');
    const model = await connect(url, { timeout: 5000 });
    const { version } = model.connection.serverProperties;
    const missing: string[] = [];
    for (const role of roles)
      for (const name of queue.names.taskQueues(role.name))
        if (!(await exists(model, name))) missing.push(name);
    await model.close();
    const where = `RabbitMQ ${version} at ${new URL(url).host}`;
    if (missing.length > 0)
      return warn(
        `${where}, without ${missing.length} queues such as ${missing[0]}`,
        'agentq init   (makes them)',
      );
    const kept =
      settings.databaseUrl === undefined
        ? `held at most ${duration(ackTimeoutMs / 2)} each time`
        : 'acknowledged at once';
    return pass(`${where}; deliveries are ${kept} (its acknowledgement timeout: AMQP_ACK_TIMEOUT)`);
  } catch (error) {
    if (error instanceof AppError) return fail(error.message, ...error.hints);
    throw error;
  } finally {
    await queue.close();
  }
}

/** A queue that is missing closes the channel that asked for it. */
async function exists(model: ChannelModel, name: string): Promise<boolean> {
  const channel = await model.createChannel();
  channel.on('error', () => undefined);
  try {
    await channel.checkQueue(name);
    await channel.close();
    return true;
  } catch {
    return false;
  }
}

/** Writes a file, reads it back and removes it. */
export async function checkArtifacts(settings: Settings): Promise<Finding> {
  const { openArtifacts } = await import('../artifacts/open-artifacts.ts');
  const artifacts = await openArtifacts(settings.artifacts, settings.env);
  const ref = `tasks/doctor-probe-${process.pid}.txt`;
  try {
    const written = await artifacts.write(ref, 'probe\n');
    const read = await artifacts.measure(ref);
    await artifacts.remove(ref);
    if (read?.sha256 === written.sha256) return pass(artifacts.description);
    return fail(`what was written to ${artifacts.description} is not what is read from it`);
  } finally {
    await artifacts.close();
  }
}
