/**
 * The envelope: the small JSON message by which a task and its completion travel between machines. The schemas here
 * are the only source: types, checks and the published JSON Schema (`agentq init --schema`) come from them. Unknown
 * fields are kept. References are relative to the artifact root, so an envelope names no machine.
 */
import * as z from 'zod';
import { AppError } from '../errors.ts';
import { priorities } from './priority.ts';

/** Bytes of the whole message as JSON in UTF-8. */
export const maxEnvelope = 64 * 1024;

/** Names of roles and coordinators; they become parts of routing keys. */
const name = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/, 'lower-case letters, digits and hyphens');
const taskId = z
  .string()
  .regex(/^[A-Za-z0-9](?:[A-Za-z0-9._:-]{0,126}[A-Za-z0-9])?$/, 'letters, digits and . _ : - inside');
/** A file below the artifact root: no scheme, no machine, no way out. */
const ref = z
  .string()
  .max(400)
  .regex(
    /^(?!.*(?:^|\/)\.{1,2}(?:\/|$))[A-Za-z0-9._][A-Za-z0-9._-]*(?:\/[A-Za-z0-9._-]+)*$/,
    'a path below the artifact root, such as tasks/task-1.md',
  );
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, '64 hex digits');
const time = z.iso.datetime({ offset: true });
const line = z.string().max(500);

export const formats = ['markdown', 'text', 'json'] as const;
export type ResultFormat = (typeof formats)[number];

export const expectedOutputSchema = z.looseObject({
  format: z.enum(formats).default('markdown'),
  /** Names: each is met by a file of that name, or by a section with that heading in the result. */
  artifacts: z.array(z.string().min(1).max(100)).max(50).default([]),
});
export type ExpectedOutput = z.infer<typeof expectedOutputSchema>;

export const taskSchema = z.looseObject({
  schema: z.literal('agentq/task/1').default('agentq/task/1'),
  task_id: taskId,
  from: name,
  to: name,
  type: line.min(1).default('task'),
  title: line.optional(),
  priority: z.enum(priorities).default('normal'),
  /** Seconds from `created_at` in which the result is of use. */
  ttl_seconds: z.int().min(1).max(31_536_000).optional(),
  /** Routing key of the completion. */
  reply_to: z
    .string()
    .regex(/^results\.[a-z0-9-]{1,64}$/, 'results.<name of the coordinator>')
    .optional(),
  context_ref: ref.optional(),
  /** Where the file behind `context_ref` comes from. */
  context_provenance: z.looseObject({ by: line, at: time, sha256 }).optional(),
  instructions: z.string().default(''),
  expected_output: expectedOutputSchema.optional(),
  idempotency_key: z.string().min(1).max(200).optional(),
  parent_id: taskId.optional(),
  /** How many tasks asked for each other before this one. */
  depth: z.int().min(0).max(100).optional(),
  budget_usd: z.number().positive().optional(),
  /** How often it was put back after it had ended: more than before means "again", the same means "the same message". */
  redrive: z.int().min(0).optional(),
  created_at: time,
});
export type TaskEnvelope = z.infer<typeof taskSchema>;

export const completionStatuses = ['completed', 'failed', 'cancelled', 'input_required'] as const;

export const completionSchema = z.looseObject({
  schema: z.literal('agentq/completion/1').default('agentq/completion/1'),
  task_id: taskId,
  from: name,
  to: name,
  status: z.enum(completionStatuses),
  result_ref: ref.optional(),
  /** Of `artifacts/<id>/manifest.json`: what the result must still be when it is read. */
  manifest_sha256: sha256.optional(),
  summary: z.string(),
  attempt: z.int().min(0).optional(),
  /** Of the task's envelope. */
  redrive: z.int().min(0).optional(),
  created_at: time,
});
export type CompletionEnvelope = z.infer<typeof completionSchema>;

/** Sent to all workers of a broker. */
export const controlSchema = z.looseObject({
  schema: z.literal('agentq/control/1').default('agentq/control/1'),
  action: z.enum(['cancel']),
  task_id: taskId,
  reason: z.string().max(2000).default(''),
  created_at: time,
});
export type ControlEnvelope = z.infer<typeof controlSchema>;

/** JSON Schema (draft 2020-12) of both messages, for programs in other languages. */
export function publishedSchemas(): { task: unknown; completion: unknown } {
  return {
    task: z.toJSONSchema(taskSchema, { io: 'input' }),
    completion: z.toJSONSchema(completionSchema, { io: 'input' }),
  };
}

export const parseTask = (bytes: Uint8Array): TaskEnvelope => parse(taskSchema, 'task', bytes);
export const parseCompletion = (bytes: Uint8Array): CompletionEnvelope =>
  parse(completionSchema, 'completion', bytes);
export const parseControl = (bytes: Uint8Array): ControlEnvelope => parse(controlSchema, 'control', bytes);

/** The message as it travels. Throws BAD_INPUT where it is too large or does not fit its schema. */
export function encodeTask(envelope: TaskEnvelope): Buffer {
  const bytes = Buffer.from(JSON.stringify(envelope));
  parse(taskSchema, 'task', bytes);
  return bytes;
}

export function encodeCompletion(envelope: CompletionEnvelope): Buffer {
  const bytes = Buffer.from(JSON.stringify(envelope));
  parse(completionSchema, 'completion', bytes);
  return bytes;
}

/** Throws BAD_INPUT naming the first field that is wrong. */
function parse<T>(schema: z.ZodType<T>, what: string, bytes: Uint8Array): T {
  if (bytes.length > maxEnvelope)
    throw new AppError(
      'BAD_INPUT',
      `expected a ${what} message of at most 64 KiB, got: ${bytes.length} bytes`,
      {
        hints: ['put long texts into a file and name it in context_ref: agentq submit --file'],
      },
    );
  const message = parseJson(what, bytes);
  if (isDeeper(message, maxDepth))
    throw new AppError('BAD_INPUT', `the ${what} message is malformed: nested more than ${maxDepth} deep`);
  const result = schema.safeParse(message);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const field = issue?.path.map(String).join('.') || 'the message';
  throw new AppError(
    'BAD_INPUT',
    `the ${what} message is malformed: ${field}: ${issue?.message ?? 'not valid'}`,
    {
      hints: ['agentq init --schema   (prints what a message must look like)'],
    },
  );
}

/** What is kept is written again, and what is nested too deep cannot be. */
const maxDepth = 100;

function isDeeper(value: unknown, max: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return max === 0 || Object.values(value).some((inner) => isDeeper(inner, max - 1));
}

function parseJson(what: string, bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new AppError('BAD_INPUT', `the ${what} message is malformed: it is not JSON in UTF-8`);
  }
}
