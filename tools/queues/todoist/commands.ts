/**
 * Writes as Todoist sync commands. Pure. A command with a uuid that was executed before is not executed again
 * (documented, and observed: the same answer comes back), so a stored command may be sent as often as it takes.
 */
import { randomUUID } from 'node:crypto';
import { allAgentLabels, type AgentLabel, type Report } from '../queue.ts';

/** Todoist's limit of one comment. */
export const maxComment = 15_000;

export interface Command {
  type: 'note_add' | 'note_update' | 'item_update';
  uuid: string;
  tempId?: string;
  args: Record<string, unknown>;
  /** Labels the task had when the command was made; only for `item_update`. */
  base?: string[];
}

export function isCommand(value: unknown): value is Command {
  return typeof value === 'object' && value !== null && 'uuid' in value && 'type' in value && 'args' in value;
}

export function addNote(report: Report, text: string): Command {
  return {
    type: 'note_add',
    uuid: report.uuid,
    tempId: `tmp-${report.uuid}`,
    args: { itemId: report.nativeTaskId, content: fit(text) },
  };
}

export function updateNote(noteId: string, text: string): Command {
  return { type: 'note_update', uuid: randomUUID(), args: { id: noteId, content: fit(text) } };
}

/**
 * Cuts in the middle, so that the last lines (what can be done now, and our signature) survive. Todoist counts
 * characters; whether as code points or UTF-16 units is not documented, so the stricter is kept to.
 */
export function fit(text: string): string {
  if (text.length <= maxComment) return text;
  const note = '\n… (cut) …\n';
  const tail = text.slice(-2000).replace(/^[\udc00-\udfff]/, '');
  const head = text.slice(0, maxComment - tail.length - note.length).replace(/[\ud800-\udbff]$/, '');
  return head + note + tail;
}

/** Everything but our labels, and the one that is to be there. */
export function mergeLabels(fresh: readonly string[], target: AgentLabel | null): string[] {
  const others = fresh.filter((label) => !allAgentLabels.includes(label));
  return target === null ? others : [...others, target];
}

export type LabelWrite = { kind: 'done' } | { kind: 'write'; command: Command };

/**
 * The write for a label, from the labels as they are now. `previous` was sent and its answer lost: from the same base
 * it is simply sent again (executed before, it is ignored, and a human's edit since then survives); otherwise the
 * labels tell whether it was executed, and if not, a new command is made from them.
 */
export function writeLabels(report: Report, target: AgentLabel | null, fresh: readonly string[], previous: unknown): LabelWrite {
  const wanted = mergeLabels(fresh, target);
  if (sameLabels(fresh, wanted)) return { kind: 'done' };
  const sent = isCommand(previous) ? previous : undefined;
  if (sent && sameLabels(fresh, sent.base ?? [])) return { kind: 'write', command: sent };
  return {
    kind: 'write',
    command: {
      type: 'item_update',
      uuid: sent ? randomUUID() : report.uuid,
      args: { id: report.nativeTaskId, labels: wanted },
      base: [...fresh],
    },
  };
}

function sameLabels(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && [...a].sort().join('\n') === [...b].sort().join('\n');
}
