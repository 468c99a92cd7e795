/** Where a fleet works: what it shares, how tasks get there, and what may happen to it besides its workers' deaths. */
import type { Store } from '../../../tools/store/store.ts';
import type { TaskEnvelope } from '../../../tools/queues/envelope.ts';
import { coordinator, roleName } from './role.ts';
import type { WorkerConfig } from './worker.ts';

export interface Ground extends Pick<WorkerConfig, 'databaseUrl' | 'amqp'> {
  /** One worker on each; those that share a name share a machine. */
  machines: readonly string[];
  /** Resolves when none of them may be lost any more. */
  submit(ids: readonly string[]): Promise<void>;
  /** How many have come to rest, as whoever asked for them sees it. */
  ended(): Promise<number>;
  /** What can happen to it, by name. */
  faults: Readonly<Record<string, () => Promise<void>>>;
  /** Is anything left that workers should still take? Only to be asked when they have been stopped. */
  leftovers(): Promise<string[]>;
  /** The stores that workers have worked on, by machine; where they share one it is there once, under `shared`. */
  stores(): Promise<{ machine: string | undefined; store: Store }[]>;
  /** The manifests that each task's asker was told of: one, or several where machines did not know of each other. */
  results(): Promise<Map<string, string[]>>;
  /** What is wrong with it besides what stores and ledger say, by kind. */
  trouble(): Promise<Record<string, string[]>>;
  figures(): Record<string, number>;
  close(): Promise<void>;
}

export function envelopeOf(id: string): TaskEnvelope {
  return {
    schema: 'agentq/task/1',
    task_id: id,
    from: coordinator,
    to: roleName,
    type: 'task',
    title: `A post, ${id}`,
    priority: 'normal',
    reply_to: `results.${coordinator}`,
    instructions: '',
    expected_output: { format: 'markdown', artifacts: ['post'] },
    created_at: new Date().toISOString(),
  };
}
