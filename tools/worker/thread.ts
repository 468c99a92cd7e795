/**
 * What a human's comment means. Pure. A comment on a finished task continues it; `approve` and `reject` decide a
 * blocked action; a bare thank-you needs no new draft.
 */
import type { Comment } from '../store/mirror.ts';
import type { Task, Turn } from '../store/tasks.ts';

/**
 * Every comment of ours ends with this line: it tells us apart even after the store was lost, and one worker from
 * another. `since` is when the worker started, epoch ms.
 */
export function signature(storeId: string, since?: number): string {
  return since === undefined
    ? `\n\n_agent-worker ${storeId}_`
    : `\n\n_agent-worker ${storeId} · ${since.toString(36)}_`;
}

const signed = /\n_agent-worker ([0-9a-f]{8})(?: · ([0-9a-z]+))?_\s*$/;

export interface Signature {
  storeId: string;
  /** When the worker that wrote it had started; undefined: not said. */
  since: number | undefined;
}

/** Which worker wrote this, if one did. */
export function signedBy(text: string): Signature | undefined {
  const match = signed.exec(text);
  if (!match?.[1]) return undefined;
  return { storeId: match[1], since: match[2] === undefined ? undefined : Number.parseInt(match[2], 36) };
}

export function withoutSignature(text: string): string {
  return text.replace(signed, '').trimEnd();
}

export type Reading =
  | { kind: 'nothing' }
  | { kind: 'thanks' }
  /** The role's rounds are used up. */
  | { kind: 'too_many' }
  /** The task's text changed after the question was asked: the approval does not count. */
  | { kind: 'void' }
  | { kind: 'turn'; turn: Turn };

/** `comments` are the human's unused ones, oldest first. */
export function readComments(task: Task, comments: readonly Comment[], rounds: number): Reading {
  if (comments.length === 0) return { kind: 'nothing' };
  const asked = task.meta.asked ?? [];
  const verdict = asked.length > 0 ? decisionIn(comments) : undefined;
  if (verdict?.decision === 'approve' && task.meta.askedHash !== task.contentHash) return { kind: 'void' };
  if (verdict) return { kind: 'turn', turn: { kind: 'decision', rules: asked, ...verdict } };
  if (task.state !== 'input_required' && comments.every((comment) => isThanks(comment.text)))
    return { kind: 'thanks' };
  if ((task.meta.rounds ?? 0) >= rounds) return { kind: 'too_many' };
  const text = comments.map(spoken).join('\n\n');
  const from = task.state === 'input_required' ? 'answer' : 'follow_up';
  return { kind: 'turn', turn: { kind: 'message', from, text } };
}

function spoken(comment: Comment): string {
  return comment.attachment === null ? comment.text : `${comment.text}\n[attached: ${comment.attachment}]`;
}

/** The first comment that starts with the word decides; what follows it is told to the agent. */
function decisionIn(
  comments: readonly Comment[],
): { decision: 'approve' | 'reject'; text: string } | undefined {
  for (const comment of comments) {
    const match = /^\s*(approved?|reject(?:ed)?)\b[\s.,:;!–-]*([\s\S]*)$/i.exec(comment.text);
    if (!match?.[1]) continue;
    const decision = match[1].toLowerCase().startsWith('approve') ? 'approve' : 'reject';
    return { decision, text: (match[2] ?? '').trim() };
  }
  return undefined;
}

const thanks = new Set(
  (
    'thanks thank you thx ty cheers great good nice perfect excellent awesome lovely super wonderful amazing cool ok okay ' +
    'done love it this so much very a lot well job work looks that is works for me merci danke gracias grazie obrigado ' +
    'bedankt tack'
  ).split(' '),
);

/** Only words of praise, at most eight of them: anything longer may hold a wish. */
export function isThanks(text: string): boolean {
  const words = text.toLowerCase().match(/[\p{L}\p{N}']+/gu) ?? [];
  if (words.length === 0) return /\p{Extended_Pictographic}/u.test(text);
  if (text.includes('?') || words.length > 8) return false;
  const praise = words.some(
    (word) =>
      !['it', 'this', 'that', 'is', 'a', 'for', 'me', 'you', 'so', 'work', 'works', 'job', 'looks'].includes(
        word,
      ),
  );
  return praise && words.every((word) => thanks.has(word));
}
