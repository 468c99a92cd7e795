/**
 * Writes as sync commands, which are idempotent: the server "will not execute a command that has same UUID as a
 * previously executed command" (https://developer.todoist.com/api/v1/#tag/Sync/Overview/Command-UUID), and answers a
 * replay with the same temp_id_mapping. They are plain JSON, stored before they are sent. Pure.
 */
import { createHash } from 'node:crypto';
import type { SyncError } from '@doist/todoist-api-typescript';
import { AppError } from '../../errors.ts';
import type { Report } from '../queue.ts';
import { failureFrom, type TodoistFailure } from './failures.ts';
import { isRecord } from './raw.ts';

export type Command =
  | { type: 'note_add'; uuid: string; tempId: string; args: { itemId: string; content: string } }
  | { type: 'note_update'; uuid: string; args: { id: string; content: string } }
  /** `base`: the labels the new list was made from; kept with the command, not sent. */
  | { type: 'item_update'; uuid: string; args: { id: string; labels: string[] }; base: string[] };

export function noteAdd(report: Report, text: string): Command {
  const args = { itemId: report.nativeTaskId, content: fitting(text) };
  return { type: 'note_add', uuid: report.uuid, tempId: derivedUuid(report.uuid), args };
}

export function noteUpdate(nativeId: string, text: string, uuid: string): Command {
  return { type: 'note_update', uuid, args: { id: nativeId, content: fitting(text) } };
}

export function itemUpdate(
  nativeId: string,
  change: { base: string[]; labels: string[]; uuid: string },
): Command {
  const { base, labels, uuid } = change;
  return { type: 'item_update', uuid, args: { id: nativeId, labels }, base };
}

/** Is it a stored command of ours, of this type? */
export function isCommand<T extends Command['type']>(
  stored: unknown,
  type: T,
): stored is Extract<Command, { type: T }> {
  if (!isRecord(stored) || stored['type'] !== type) return false;
  return typeof stored['uuid'] === 'string' && isRecord(stored['args']);
}

export function assertCommand(stored: unknown): Command {
  if (isCommand(stored, 'note_add') || isCommand(stored, 'item_update') || isCommand(stored, 'note_update'))
    return stored;
  throw new AppError(
    'QUEUE_REJECTED',
    `expected a Todoist command, got: ${JSON.stringify(stored)?.slice(0, 80)}`,
  );
}

/** A command that failed inside an answer of 200: the same meanings as an answer with that status. */
export function commandFailure(command: Command, error: SyncError, now: number): TodoistFailure {
  const body = JSON.stringify({
    error: error.error,
    error_code: error.errorCode,
    error_tag: error.errorTag,
    // The SDK turns the keys of an answer into camel case.
    error_extra: { retry_after: error.errorExtra['retryAfter'] },
  });
  return failureFrom({ request: command.type, status: error.httpCode, body }, now);
}

/**
 * The longest comment (https://www.todoist.com/help/articles/usage-limits-in-todoist-e5rcSY). Counted in UTF-16
 * units, of which there are never fewer than characters, so that it fits however the server counts.
 */
export const maxCommentLength = 15_000;
const cutNote = '\n\n_… cut here: Todoist takes 15,000 characters in one comment._';

/** The text, or as much of it as fits, saying so. A short last line is kept: it may be a signature. */
export function fitting(text: string): string {
  if (text.length <= maxCommentLength) return text;
  const lastBreak = text.lastIndexOf('\n');
  const ending = lastBreak >= 0 && text.length - lastBreak <= 200 ? `\n${text.slice(lastBreak)}` : '';
  const head = text.slice(0, maxCommentLength - cutNote.length - ending.length);
  return head.replace(/[\ud800-\udbff]$/, '') + cutNote + ending;
}

/** Always the same second uuid for a uuid: the temp id must be the same in a replay. */
function derivedUuid(uuid: string): string {
  const hex = createHash('sha256').update(`temp_id ${uuid}`).digest('hex');
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `4${hex.slice(13, 16)}`,
    `8${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-');
}
