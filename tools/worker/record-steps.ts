/** What the agent does while it works, stored as it comes and shown where somebody looks. */
import type { AgentEvent } from '../agents/agent.ts';
import { processStartTime } from '../agents/processes.ts';
import { messageOf } from '../errors.ts';
import { maxStepsPerAttempt } from '../store/events.ts';
import type { Claim } from './claim.ts';
import { crashPoint } from './crash-point.ts';
import { workingOnIt } from './messages.ts';
import type { Progress } from './progress.ts';
import type { RunningAttempt, Worker } from './worker.ts';

export interface Recorder {
  worker: Worker;
  claim: Claim;
  progress: Progress;
  running: RunningAttempt;
}

export interface Steps {
  onEvent: (event: AgentEvent) => void;
  /** Settles when all of it is stored. */
  finish: () => Promise<void>;
}

/** Steps are stored as they come, in small batches, and bounded in number. */
export function recordSteps({ worker, claim, progress, running }: Recorder): Steps {
  let kept = 0;
  let tail = Promise.resolve();
  const store = (work: Parameters<Worker['store']['transaction']>[0]): void => {
    tail = tail
      .then(() => worker.store.transaction(work))
      .then(
        () => undefined,
        (error: unknown) =>
          worker.log({ type: 'warning', text: `a step was not stored: ${messageOf(error)}`, hints: [] }),
      );
  };
  const append = (type: string, data: Record<string, unknown>): void => {
    kept += 1;
    if (kept > maxStepsPerAttempt) return;
    const at = worker.now();
    store(({ events }) =>
      events.append({ taskId: claim.task.id, attemptId: claim.attemptId, at, type, data }),
    );
  };
  const onEvent = (event: AgentEvent): void => {
    switch (event.type) {
      case 'started':
        store(({ attempts }) =>
          attempts.process(claim.attemptId, event.pid, processStartTime(event.pid) ?? ''),
        );
        crashPoint('agent-started');
        return;
      case 'cost':
        store(({ attempts }) => attempts.cost(claim.attemptId, event.usd));
        return;
      case 'step':
      case 'retrying':
        running.lastStep = event.text;
        append(event.type, { text: event.text });
        worker.log({ type: 'step', taskId: claim.task.id, title: claim.task.title, text: event.text });
        progress.step(claim.task, workingOnIt({ attempt: claim.task.failures + 1, step: event.text }));
        crashPoint('agent-step');
    }
  };
  return { onEvent, finish: () => tail };
}
