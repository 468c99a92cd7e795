/** `agentq submit`'s flags into an envelope. Pure but for the id; wrong flags throw BAD_USAGE. */
import { createHash, randomUUID } from 'node:crypto';
import { AppError } from '../errors.ts';
import type { ResultFormat, TaskEnvelope } from '../queues/envelope.ts';
import { priorities, priorityOf, type Priority } from '../queues/priority.ts';
import { parseDuration } from '../roles/duration.ts';

export interface Wanted {
  to: string;
  type: string;
  instructions?: string;
  priority: string;
  format?: string;
  expect?: string[];
  key?: string;
  ttl?: string;
  budget?: string;
}

/** Who delegates. */
export interface Asker {
  from: string;
  /** The task that its agent works on. */
  parentId: string | undefined;
  depth: number;
}

export interface Composition {
  title: string | undefined;
  options: Wanted;
  asker: Asker;
  now: number;
}

export function compose({ title, options, asker, now }: Composition): TaskEnvelope {
  const ttlMs = durationOf(options.ttl);
  assertLength('--type', options.type, 500);
  for (const name of options.expect ?? []) assertLength('--expect', name, 100);
  if ((options.expect ?? []).length > maxExpected)
    throw new AppError(
      'BAD_USAGE',
      `expected at most ${maxExpected} names after --expect, got: ${options.expect?.length}`,
    );
  return {
    schema: 'agentq/task/1',
    task_id: idFor(asker.from, options.key),
    from: asker.from,
    to: options.to,
    type: options.type,
    ...(title?.trim() ? { title: title.trim().slice(0, 500) } : {}),
    priority: priorityNamed(options.priority),
    ...(ttlMs === undefined ? {} : { ttl_seconds: Math.ceil(ttlMs / 1000) }),
    reply_to: `results.${asker.from}`,
    instructions: options.instructions ?? '',
    ...(options.format === undefined && options.expect === undefined
      ? {}
      : { expected_output: { format: formatOf(options.format), artifacts: options.expect ?? [] } }),
    ...(options.key === undefined ? {} : { idempotency_key: options.key }),
    ...(asker.parentId === undefined ? {} : { parent_id: asker.parentId, depth: asker.depth }),
    ...(options.budget === undefined ? {} : { budget_usd: dollarsOf(options.budget) }),
    created_at: new Date(now).toISOString(),
  };
}

const maxExpected = 50;
const maxTtlMs = 365 * 24 * 3_600_000;

/** Whoever takes the message would refuse it, where nobody sees that. */
function assertLength(flag: string, text: string, max: number): void {
  if (text.length >= 1 && text.length <= max) return;
  throw new AppError('BAD_USAGE', `expected ${flag} to have 1 to ${max} characters, got: ${text.length}`);
}

/** One key is one id, also for a coordinator that has lost its store. */
function idFor(from: string, key: string | undefined): string {
  if (key === undefined) return `task-${randomUUID()}`;
  if (key.trim() === '' || key.length > 200)
    throw new AppError('BAD_USAGE', `expected --key to have 1 to 200 characters, got: ${key.length}`);
  const hex = createHash('sha256').update(`${from}\n${key}`).digest('hex');
  return `task-${[hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-')}`;
}

function priorityNamed(text: string): Priority {
  const rank = /^p([1-4])$/.exec(text)?.[1];
  const name = rank === undefined ? priorities.find((known) => known === text) : priorityOf(Number(rank));
  if (name !== undefined) return name;
  throw new AppError(
    'BAD_USAGE',
    `expected --priority ${priorities.join(', ')} or p1 to p4, got: "${text}"`,
    {
      hints: ['p1 is urgent, p4 is low'],
    },
  );
}

function formatOf(text = 'markdown'): ResultFormat {
  const format = (['markdown', 'text', 'json'] as const).find((known) => known === text);
  if (format !== undefined) return format;
  throw new AppError('BAD_USAGE', `expected --format markdown, text or json, got: "${text}"`);
}

function durationOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = parseDuration(text);
  if (ms !== undefined && ms <= maxTtlMs) return ms;
  throw new AppError('BAD_USAGE', `expected --ttl like 90s, 15m or 24h, at most 365d, got: "${text}"`);
}

function dollarsOf(text: string): number {
  const usd = Number(text);
  if (usd > 0 && Number.isFinite(usd)) return usd;
  throw new AppError('BAD_USAGE', `expected --budget in US dollars, got: "${text}"`);
}
