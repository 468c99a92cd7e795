/** The worker's events as a person, or a program, wants to read them. */
import { printable } from '../agents/printable.ts';
import type { WorkerEvent } from '../worker/worker-event.ts';
import { duration } from '../worker/messages.ts';

const icons: Record<string, string> = {
  completed: '✔',
  input_required: '?',
  failed: '✘',
  queued: '↻',
  parked: '⏸',
  cancelled: '■',
};

/** One plain line, without the time; undefined: not for this reader. */
export function plainLine(event: WorkerEvent, verbose: boolean): string | undefined {
  switch (event.type) {
    case 'worker_started':
      return `serving ${event.roles.join(', ')} on ${event.queues.join(' and ')}, with ${event.agent}`;
    case 'worker_stopping':
      return `stopping; ${event.running} running, parked if not done at once`;
    case 'worker_stopped':
      return undefined;
    case 'task_queued':
      return `+ ${shown(event.title)}  (${event.role}; ${event.why})`;
    case 'task_cancelled':
      return `■ ${shown(event.title)}  ${event.why}`;
    case 'attempt_started':
      return `▶ ${shown(event.title)}  (${event.role}, attempt ${event.attempt})`;
    case 'step':
      return verbose ? `  · ${shown(event.title, 30)}: ${shown(event.text, 200)}` : undefined;
    case 'attempt_ended': {
      const cost = event.costUsd > 0 ? `, $${event.costUsd.toFixed(2)}` : '';
      return `${icons[event.state] ?? '·'} ${shown(event.title)}  ${event.state} after ${duration(event.durationMs)}${cost}: ${shown(event.text, 200)}`;
    }
    case 'report_sent':
      return verbose ? `  · told ${event.taskId}: ${event.kind}` : undefined;
    case 'paused':
      return `⏸ ${event.scope} is paused${event.until === null ? '' : ` until ${timeOf(event.until)}`}: ${shown(event.text, 200)}`;
    case 'resumed':
      return `▶ ${event.scope} works again`;
    case 'queue_down':
      return `! ${event.queue} cannot be reached (${shown(event.text, 200)}); running work goes on, next try ${timeOf(event.retryAt)}`;
    case 'queue_up':
      return `${event.queue} can be reached again`;
    case 'warning':
      return [`! ${shown(event.text, 500)}`, ...event.hints.map((hint) => `    - ${hint}`)].join('\n');
  }
}

/** Text of others on our terminal: one line, no control sequences. */
export function shown(text: string, max = 60): string {
  const line = printable(text).replace(/\s+/gu, ' ').trim();
  return line.length <= max ? line : `${line.slice(0, max - 1)}…`;
}

export function timeOf(at: number): string {
  return new Date(at).toLocaleTimeString('en-GB');
}
