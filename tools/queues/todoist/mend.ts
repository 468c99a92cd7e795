/**
 * Makes answers acceptable to the SDK before it parses them. The SDK parses all or nothing: one object that does not
 * fit rejects a whole delta, and since the sync token then never advances, blocks the poller for ever. So each object
 * is judged by itself: what we use must be right, what we do not use is filled in, and what does not fit is taken out
 * and reported. Pure.
 */
import { TodoistFailure } from './failures.ts';
import { mendComment, mendItem, mendProject, type Judged, type Unreadable } from './mend-objects.ts';
import { isRecord, type Raw, stringOr } from './raw.ts';

/** `request` is "METHOD path", the path relative to /api/v1/. Throws QUEUE_UNAVAILABLE when nothing can be saved. */
export function mendAnswer(request: string, answer: unknown, onUnreadable: (problem: string) => void): Raw {
  if (!isRecord(answer)) throw unfit(request, 'an object', answer);
  const path = request.slice(request.indexOf(' ') + 1);
  if (path === 'sync') return mendSync(request, answer);
  if (path === 'projects') return mendPage(request, answer, mendProject, onUnreadable);
  if (path === 'comments') return mendPage(request, answer, mendComment, onUnreadable);
  if (/^tasks\/[^/]+$/.test(path)) return mendTask(request, answer);
  return answer;
}

/** Lists that the SDK hands through untouched, because it lets unknown top-level keys of a sync answer pass. */
function mendSync(request: string, answer: Raw): Raw {
  const items = sorted(list(request, answer, 'items'), mendItem);
  const notes = sorted(list(request, answer, 'notes'), mendComment);
  return {
    ...(typeof answer['sync_token'] === 'string' ? { sync_token: answer['sync_token'] } : {}),
    full_sync: answer['full_sync'] === true,
    sync_status: mendStatus(answer['sync_status']),
    temp_id_mapping: stringsOf(answer['temp_id_mapping']),
    items: items.fit,
    notes: notes.fit,
    deleted_items: items.deleted,
    deleted_notes: notes.deleted,
    unreadable_items: items.unreadable,
    unreadable_notes: notes.unreadable,
    incomplete_item_ids: list(request, answer, 'incomplete_item_ids').map(String),
  };
}

function sorted(
  raws: unknown[],
  judge: (raw: unknown) => Judged,
): { fit: Raw[]; deleted: string[]; unreadable: Unreadable[] } {
  const judged = raws.map(judge);
  return {
    fit: judged.flatMap((one) => ('fit' in one ? [one.fit] : [])),
    deleted: judged.flatMap((one) => ('deleted' in one ? [one.deleted] : [])),
    unreadable: judged.flatMap((one) => ('problem' in one ? [one] : [])),
  };
}

function mendPage(
  request: string,
  answer: Raw,
  judge: (raw: unknown) => Judged,
  onUnreadable: (problem: string) => void,
): Raw {
  if (!Array.isArray(answer['results'])) throw unfit(request, 'a list `results`', answer['results']);
  const { fit, unreadable } = sorted(answer['results'], judge);
  for (const { nativeId, problem } of unreadable)
    onUnreadable(`${nativeId ?? 'no id'} in ${request}: ${problem}`);
  return { results: fit, next_cursor: stringOr(answer['next_cursor'], null) };
}

function mendTask(request: string, answer: Raw): Raw {
  const judged = mendItem(answer);
  if ('fit' in judged) return judged.fit;
  if ('deleted' in judged)
    throw new TodoistFailure('QUEUE_REJECTED', `the task of ${request} is deleted`, { kind: 'missing' });
  throw new TodoistFailure('QUEUE_UNAVAILABLE', `the answer to ${request} does not fit: ${judged.problem}`, {
    kind: 'unreadable',
  });
}

/** Per command "ok" or an error object; live ones have been seen without `error` and `error_extra`. */
function mendStatus(raw: unknown): Raw {
  if (!isRecord(raw)) return {};
  return Object.fromEntries(
    Object.entries(raw).map(([uuid, status]) => [uuid, status === 'ok' ? 'ok' : mendError(status)]),
  );
}

function mendError(raw: unknown): Raw {
  const error = isRecord(raw) ? raw : {};
  return {
    error: stringOr(error['error'], ''),
    error_code: typeof error['error_code'] === 'number' ? error['error_code'] : 0,
    error_extra: isRecord(error['error_extra']) ? error['error_extra'] : {},
    error_tag: stringOr(error['error_tag'], ''),
    // An error without a status says nothing about the effect: that is what 500 says too.
    http_code: typeof error['http_code'] === 'number' ? error['http_code'] : 500,
  };
}

function stringsOf(raw: unknown): Raw {
  return isRecord(raw)
    ? Object.fromEntries(Object.entries(raw).filter(([, value]) => typeof value === 'string'))
    : {};
}

function list(request: string, answer: Raw, key: string): unknown[] {
  const value = answer[key] ?? [];
  if (!Array.isArray(value)) throw unfit(request, `a list \`${key}\``, value);
  return value;
}

function unfit(request: string, expected: string, got: unknown): TodoistFailure {
  const text = JSON.stringify(got)?.slice(0, 40) ?? 'nothing';
  return new TodoistFailure(
    'QUEUE_UNAVAILABLE',
    `expected ${expected} in the answer to ${request}, got: ${text}`,
  );
}
