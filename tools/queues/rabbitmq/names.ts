/** What things are called at the broker. Pure; other programs rely on these names. */
import { type Priority, priorities } from '../priority.ts';

export const defaultPrefix = 'agentq';

/** Routing key of messages to all workers. */
export const cancelKey = 'control.cancel';

/** A task's routing key; without a priority it means `normal`. */
export const taskKey = (role: string, priority?: Priority): string =>
  priority === undefined ? `task.${role}` : `task.${role}.${priority}`;
export const resultsKey = (coordinator: string): string => `results.${coordinator}`;

/** The priority a task's routing key says. */
export function priorityIn(routingKey: string): Priority {
  const word = routingKey.split('.')[2];
  return priorities.find((priority) => priority === word) ?? 'normal';
}

/** Yields the coordinator, or undefined where the key is none of a completion. */
export function coordinatorOf(routingKey: string): string | undefined {
  return /^results\.([a-z0-9-]+)$/.exec(routingKey)?.[1];
}

/** Headers of ours. */
export const header = {
  /** Why a message was buried by a worker. */
  reason: 'x-agentq-reason',
  /** The queue it was in before. */
  queue: 'x-agentq-queue',
  /** Whose holding queue it is for, and of which role. */
  holder: 'x-agentq-holder',
  role: 'x-agentq-role',
  /** The task a held message is about. */
  task: 'x-agentq-task',
  /** Tells a copy from all others. */
  copy: 'x-agentq-copy',
  /** How often it had been handed over without an end before it was published anew. */
  redeliveries: 'x-agentq-redeliveries',
} as const;

export interface Names {
  /** Topic exchange of all messages. */
  exchange: string;
  /** Exchange and queue of dead letters. */
  dead: string;
  /** Headers exchange before the holding queues: it leaves the routing key free to say where a message came from. */
  held: string;
  taskQueue(role: string, priority: Priority): string;
  /** The role's queues, the most urgent first. */
  taskQueues(role: string): string[];
  resultsQueue(coordinator: string): string;
  holdingQueue(holder: string, role: string): string;
}

/** `prefix` keeps several installations on one broker apart. */
export function namesFor(prefix: string = defaultPrefix): Names {
  const taskQueue = (role: string, priority: Priority): string =>
    priority === 'normal' ? `${prefix}.tasks.${role}` : `${prefix}.tasks.${role}.${priority}`;
  return {
    exchange: prefix,
    dead: `${prefix}.dead`,
    held: `${prefix}.held`,
    taskQueue,
    taskQueues: (role) => priorities.map((priority) => taskQueue(role, priority)),
    resultsQueue: (coordinator) => `${prefix}.results.${coordinator}`,
    holdingQueue: (holder, role) => `${prefix}.held.${holder}.${role}`,
  };
}
