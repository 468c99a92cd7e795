/**
 * The port every queue driver fills: yield changes since a cursor, take reports. A driver keeps no state of its own
 * that matters: cursor, mirror and reports are the store's. Its errors are AppError with a QUEUE_* code:
 * QUEUE_AUTH (bad token), QUEUE_RATE_LIMITED (with retryAt), QUEUE_UNAVAILABLE (network, 5xx, unreadable answer,
 * time-out: the effect of a write is unknown), QUEUE_REJECTED (the queue understood and refused: never retried).
 */

import type { CompletionEnvelope, ControlEnvelope, TaskEnvelope } from './envelope.ts';

/** One task as the queue shows it now. */
export interface TaskSnapshot {
  nativeId: string;
  projectId: string;
  parentId: string | undefined;
  title: string;
  description: string;
  /** 1 most urgent … 4. */
  priority: number;
  labels: string[];
  /** `open`, or why it is no longer there to be worked on. */
  presence: 'open' | 'closed' | 'deleted';
  due: { date: string; at: number; recurring: boolean; text: string } | undefined;
  /** Epoch ms: the end of the deadline's day in local time. */
  deadlineAt: number | undefined;
  /** Place in the list, ascending. */
  position: number;
  /** Epoch ms; undefined where the queue does not say. */
  addedAt: number | undefined;
}

export interface CommentSnapshot {
  nativeId: string;
  taskNativeId: string;
  text: string;
  attachment: string | undefined;
  /** Epoch ms. */
  postedAt: number;
  deleted: boolean;
}

export interface QueueDelta {
  /** To be stored in the transaction that stores the changes; opaque to the core. */
  cursor: string;
  /** True: `tasks` is all that is open in scope; a known task that is missing is no longer there. */
  full: boolean;
  tasks: TaskSnapshot[];
  comments: CommentSnapshot[];
  /** Objects that could not be read, skipped: ids where known, and what was wrong. They are never read as deleted. */
  unreadable: { nativeId: string | undefined; problem: string }[];
  /** Tasks whose comments this delta may lack; the core asks for them with `comments`. */
  commentsIncomplete: string[];
}

export interface Project {
  id: string;
  name: string;
}

export const agentLabels = {
  completed: 'agent-done',
  input_required: 'agent-review',
  failed: 'agent-failed',
} as const;
export type AgentLabel = (typeof agentLabels)[keyof typeof agentLabels];
export const allAgentLabels: readonly string[] = Object.values(agentLabels);

export type ReportBody =
  /** A new comment. `progress` marks the one that is edited in place later. */
  | { kind: 'comment' | 'progress'; text: string }
  /** Make this the only one of our labels on the task, or none of them; all other labels stay as they are. */
  | { kind: 'label'; label: AgentLabel | null }
  /** A broker is to hold this task until a worker takes it. */
  | { kind: 'task'; envelope: TaskEnvelope }
  /** How a delegated task came to rest, for whoever delegated it. */
  | { kind: 'completion'; envelope: CompletionEnvelope; replyTo: string }
  /** All workers of a broker are to drop this task. */
  | { kind: 'cancellation'; envelope: ControlEnvelope };

export interface Report {
  id: string;
  nativeTaskId: string;
  /** UUID of the write, made and stored with the report. */
  uuid: string;
  body: ReportBody;
}

/** What `prepare` found: the write to send (plain JSON, stored before it is sent), or that none is needed. */
export type Prepared = { command: unknown } | { done: Receipt };

export interface Receipt {
  /** `gone`: the task is not there any more; nothing was written and nothing needs to be. */
  status: 'sent' | 'gone';
  /** Id of the comment that was made. */
  nativeId?: string;
  /** The task's labels after the write. */
  labels?: string[];
}

/** One message of a broker, handed over to us and to nobody else until it is settled one way or the other. */
export interface Delivery {
  /** The role whose queue it was in. */
  role: string;
  body: Buffer;
  /** How often it was handed over before, without an end. */
  redeliveries: number;
  /** It is in safe hands: the broker forgets it. */
  accept(): Promise<void>;
  /** Safe hands are only ours: it is kept until the completion of this task is sent, and comes back if we die. */
  holdFor(taskId: string): void;
  /** It cannot be taken now: the broker hands it to somebody else, or to us again. */
  giveBack(): Promise<void>;
  /** It can never be done: to the dead letters, with the reason. */
  bury(reason: string): Promise<void>;
}

/** Of the queue that a broker is. */
export const brokerQueueName = 'rabbitmq';

/** What a queue adds that hands tasks over one by one, instead of showing them all. */
export interface Broker {
  /** At most `free` messages for a role, the most urgent first. Throws QUEUE_*. */
  take(role: string, free: number): Promise<Delivery[]>;
  /** Tasks whose deliveries are held for them. */
  held(): readonly string[];
  /** The task needs its delivery no more. */
  release(taskId: string): Promise<void>;
  /** Calls back when something may have arrived; the result stops. */
  onArrival(callback: () => void): () => void;
  /** Calls back with tasks that are to be dropped. */
  onCancellation(callback: (control: ControlEnvelope) => void): () => void;
}

export interface Queue {
  readonly name: string;
  readonly broker?: Broker;
  /** `comments: false`: reports only land in the store (the local queue). `poll: false`: `poll` yields nothing. */
  readonly supports: { poll: boolean; editComments: boolean };
  /** All projects one can name. */
  projects(): Promise<Project[]>;
  /** Say which projects to watch; a changed scope makes the next `poll` a full one. */
  watch(projects: Project[]): void;
  /**
   * Changes since `cursor` (undefined: everything). Atomic: throws and changes nothing, or yields all.
   * `known` are native ids of live tasks: in a full delta the driver makes sure of each that is missing before it
   * reports it as closed, deleted or moved (as a snapshot with another projectId).
   */
  poll(cursor: string | undefined, known: readonly string[]): Promise<QueueDelta>;
  /** All comments of one task. */
  comments(nativeTaskId: string): Promise<CommentSnapshot[]>;
  /**
   * Decide the write for a report from the task as it is now. `previous` is the command of an earlier send whose
   * answer was lost: the result must not make the effect happen twice.
   */
  prepare(report: Report, previous: unknown): Promise<Prepared>;
  /** Send a prepared command. Idempotent: the same command sent twice has one effect. */
  send(command: unknown): Promise<Receipt>;
  /** Replace the text of our own comment; best effort, `false` when it is not there any more. */
  editComment(nativeCommentId: string, text: string): Promise<boolean>;
  close(): Promise<void>;
}
