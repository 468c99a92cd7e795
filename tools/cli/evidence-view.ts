/** A delegated task as `agentq status`, `result`, `verify` and `artifacts` show it. Pure. */
import type { ManifestFile } from '../artifacts/manifest.ts';
import { priorityOf } from '../queues/priority.ts';
import type { Task } from '../store/tasks.ts';
import { size } from '../worker/messages.ts';
import type { Evidence } from './evidence.ts';
import { shown } from './render-worker.ts';
import { indented, taskJson } from './task-view.ts';

/** Times are ISO 8601 in UTC; `verified` is null where there is nothing to verify. */
export function statusJson(task: Task, evidence: Evidence): Record<string, unknown> {
  return {
    ...taskJson(task),
    verified: evidence.verified,
    problems: evidence.problems,
    result_ref: evidence.resultRef,
    summary: summaryOf(task),
    parent_id: task.parentId,
    submitted_by: task.meta.submittedBy ?? null,
    envelope: task.meta.envelope ?? null,
  };
}

/** The same whatever the store and the queue. */
export function statusLines(task: Task, evidence: Evidence): string[] {
  const { envelope } = task.meta;
  const from = envelope === undefined ? '' : ` from ${envelope.from}`;
  const lines = [
    `${task.id}  ${task.state}${verdict(evidence)}`,
    `  ${shown(task.title, 200)}`,
    `  for ${task.role}${from}, ${priorityOf(task.priority)}`,
  ];
  const said = summaryOf(task);
  if (said !== null) lines.push(...indented(said.slice(0, 4000)).map((line) => line.slice(2)));
  if (task.state === 'input_required') lines.push(`  → agentq answer ${task.id} "…"`);
  if (task.state === 'completed' && evidence.resultRef !== null) lines.push(`  ${evidence.resultRef}`);
  return lines;
}

export function verdict({ verified, problems }: Evidence): string {
  if (verified === true) return '  verified';
  if (verified === false) return `  UNVERIFIED: ${shown(problems.join('; '), 1000)}`;
  return problems.length === 0 ? '' : `  not verified now: ${shown(problems.join('; '), 1000)}`;
}

export function summaryOf(task: Task): string | null {
  return (task.state === 'completed' ? task.meta.result?.summary : undefined) ?? task.note;
}

export function evidenceJson(task: Task, evidence: Evidence): Record<string, unknown> {
  return {
    id: task.id,
    state: task.state,
    verified: evidence.verified,
    problems: evidence.problems,
    checked: evidence.checked,
  };
}

export function evidenceLines(task: Task, evidence: Evidence): string[] {
  return [
    `${task.id}  ${task.state}${verdict({ ...evidence, problems: [] })}`,
    ...evidence.checked.map((file) => fileLine(file)),
    ...evidence.problems.map((problem) => `  ✘ ${shown(problem, 1000)}`),
  ];
}

export function fileLine(file: Pick<ManifestFile, 'ref' | 'size' | 'sha256'> & { name?: string }): string {
  const name = file.name === undefined ? '' : `  (${shown(file.name, 200)})`;
  return `  ${file.ref}  ${size(file.size)}  sha256 ${file.sha256}${name}`;
}
