/** What the worker says about itself while it works: one stream for the plain lines, the live view and `--json`. */
export type WorkerEvent = { at: number } & (
  | { type: 'worker_started'; workerId: string; roles: string[]; queues: string[]; agent: string }
  | { type: 'worker_stopping'; running: number }
  | { type: 'worker_stopped' }
  | { type: 'task_queued'; taskId: string; role: string; title: string; why: string }
  | { type: 'task_cancelled'; taskId: string; title: string; why: string }
  | { type: 'attempt_started'; taskId: string; role: string; title: string; attempt: number; lane: string }
  | { type: 'step'; taskId: string; title: string; text: string }
  | {
      type: 'attempt_ended';
      taskId: string;
      role: string;
      title: string;
      state: string;
      text: string;
      costUsd: number;
      durationMs: number;
    }
  | { type: 'report_sent'; taskId: string; kind: string }
  | { type: 'paused'; scope: string; text: string; until: number | null }
  | { type: 'resumed'; scope: string }
  | { type: 'queue_down'; queue: string; text: string; retryAt: number }
  | { type: 'queue_up'; queue: string }
  | { type: 'warning'; text: string; hints: string[] }
);

type Without<Union> = Union extends unknown ? Omit<Union, 'at'> : never;
export type NewWorkerEvent = Without<WorkerEvent>;
export type Log = (event: NewWorkerEvent) => void;
