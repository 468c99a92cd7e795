/**
 * A place for tests of delegation: an office whose commands and workers speak through the real RabbitMQ, each machine
 * with a store of its own, all of them with one artifact root. The broker's names are this test's own.
 */
import { connect } from 'amqplib';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { openOffice, type Answer, type Office, type Program } from '../worker/harness.ts';

export const amqpUrl = process.env['TEST_AMQP_URL'] ?? 'amqp://guest:guest@127.0.0.1:5672';

/** Is there a broker to test with? Where servers are required, their lack is a failure and not a reason to skip. */
export async function brokerIsThere(): Promise<boolean> {
  try {
    await (await connect(amqpUrl, { timeout: 2000 })).close();
    return true;
  } catch (error) {
    if (process.env['REQUIRE_SERVERS'] !== undefined) throw error;
    return false;
  }
}

export class Site {
  readonly office: Office;
  readonly prefix: string;

  constructor(office: Office, prefix: string) {
    this.office = office;
    this.prefix = prefix;
  }

  /** What a machine's commands and workers are told. */
  env(machine: string, more: Record<string, string> = {}): Record<string, string> {
    return {
      AMQP_URL: amqpUrl,
      AMQP_PREFIX: this.prefix,
      AGENT_DATA_DIR: join(this.office.root, machine),
      AGENT_ARTIFACTS: join(this.office.root, 'shared'),
      ...more,
    };
  }

  agentq(machine: string, args: string[], more: Record<string, string> = {}): Promise<Answer> {
    return this.office.agentq(args, this.env(machine, more));
  }

  /** Standard output of a verb that must succeed, as JSON. */
  async json(machine: string, args: string[]): Promise<Record<string, unknown>> {
    const { exitCode, stdout, stderr } = await this.agentq(machine, [...args, '--json']);
    if (exitCode !== 0) throw new Error(`agentq ${args.join(' ')}: exit ${exitCode}\n${stderr}`);
    return JSON.parse(stdout) as Record<string, unknown>;
  }

  async submit(machine: string, args: string[]): Promise<string> {
    const { id } = await this.json(machine, ['submit', ...args]);
    return String(id);
  }

  worker(machine: string, more: Record<string, string> = {}): Program {
    return this.office.workerProgram(['--watch', '--queue', 'local'], this.env(machine, more));
  }

  /** Runs of the agent for a task. */
  runs(task: string): number {
    return this.office.noted().filter(({ what, taskId }) => what === 'start' && taskId === task).length;
  }

  async state(machine: string, task: string): Promise<unknown> {
    const { exitCode, stdout } = await this.agentq(machine, ['status', task, '--json']);
    return exitCode === 0 ? (JSON.parse(stdout) as { state: unknown }).state : undefined;
  }
}

/** Opens an office with a broker of its own; both are gone after the test. */
export async function openSite(roles: Record<string, string[]>): Promise<Site> {
  const prefix = `agentq-test-${randomUUID().slice(0, 8)}`;
  // Said first, done last: workers that still run would make anew what is deleted.
  onTestFinished(() => tearDown(prefix, Object.keys(roles)));
  const site = new Site(await openOffice({ roles }), prefix);
  const { exitCode, stderr } = await site.agentq('asker', ['init']);
  if (exitCode !== 0) throw new Error(stderr);
  return site;
}

async function tearDown(prefix: string, roles: string[]): Promise<void> {
  const connection = await connect(amqpUrl);
  try {
    const queues = roles.flatMap((role) =>
      ['', '.urgent', '.high', '.low'].map((rank) => `${prefix}.tasks.${role}${rank}`),
    );
    for (const name of [...queues, `${prefix}.dead`, `${prefix}.results.coordinator`])
      await (await connection.createChannel()).deleteQueue(name);
    for (const name of [prefix, `${prefix}.dead`, `${prefix}.held`])
      await (await connection.createChannel()).deleteExchange(name);
  } finally {
    await connection.close();
  }
}
