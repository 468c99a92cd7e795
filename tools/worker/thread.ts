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

/**
 * `comments` are the human's unused ones, oldest first. `askedAt` is when our last comment was posted, in the queue's own
 * time: only what came after it can decide what it asked.
 */
export function readComments(
  task: Task,
  comments: readonly Comment[],
  rounds: number,
  askedAt: number | undefined,
): Reading {
  if (comments.length === 0) return { kind: 'nothing' };
  const asked = task.meta.asked ?? [];
  const after = askedAt === undefined ? [] : comments.filter((comment) => comment.postedAt >= askedAt);
  const verdict = asked.length > 0 ? decisionIn(after) : undefined;
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

interface Verdict {
  decision: 'approve' | 'reject';
  text: string;
}

/**
 * `approve` alone on the first line decides; what stands below it is told to the agent. "Approve, but…" approves nothing:
 * a condition cannot be checked, so it is an answer like any other. Of several verdicts one `reject` is enough.
 */
function decisionIn(comments: readonly Comment[]): Verdict | undefined {
  const verdicts = comments.flatMap((comment): Verdict[] => {
    const [first = '', ...rest] = comment.text.trim().split('\n');
    const refusal = /^reject(?:ed)?\b[\s.,:;!–-]*(.*)$/iu.exec(first.trim());
    if (refusal) return [{ decision: 'reject', text: [refusal[1], ...rest].join('\n').trim() }];
    if (!/^(?:✅\s*)?approved?\s*[.!]*$/iu.test(first.trim())) return [];
    return [{ decision: 'approve', text: rest.join('\n').trim() }];
  });
  return verdicts.find((verdict) => verdict.decision === 'reject') ?? verdicts[0];
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
