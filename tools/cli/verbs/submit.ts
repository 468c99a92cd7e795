/** `agentq submit`: a task for a role, into the local queue. With a key, submitting twice is one task. */
import { createHash, randomUUID } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { basename } from 'node:path';
import { AppError, messageOf } from '../../errors.ts';
import { localQueueName } from '../../queues/local.ts';
import { parseDuration } from '../../roles/duration.ts';
import { openRoles } from '../../roles/watch-roles.ts';
import type { Role } from '../../roles/role.ts';
import type { Task } from '../../store/tasks.ts';
import { contentHash, freshTask } from '../../worker/enqueue.ts';
import { print, printJson, withStore, type Output } from '../session.ts';
import { taskJson } from '../task-view.ts';

export interface SubmitOptions extends Output {
  to: string;
  file?: string;
  instructions?: string;
  priority: string;
  key?: string;
  ttl?: string;
  budget?: string;
}

const maxContext = 1_000_000;

export async function submit(title: string | undefined, options: SubmitOptions): Promise<void> {
  await withStore({ create: true }, async (session) => {
    const role = roleNamed(session.settings, options.to);
    const context = options.file === undefined ? undefined : readContext(options.file);
    const text = titleOf(title, options, context?.text);
    const description = [options.instructions, context?.text]
      .filter((part) => part !== undefined)
      .join('\n\n');
    const ttlMs = durationOf(options.ttl);
    const id = `task-${randomUUID()}`;
    const task = freshTask(
      {
        id,
        queue: localQueueName,
        nativeId: id,
        role,
        title: text,
        description,
        priority: priorityOf(options.priority),
        // What was submitted first comes first.
        position: session.now,
        deadlineAt: ttlMs === undefined ? undefined : session.now + ttlMs,
        submitKey: options.key,
        meta: {
          submittedBy: `${userInfo().username} (agentq)`,
          ...(context ? { context: { name: context.name, sha256: context.sha256 } } : {}),
          ...(options.budget === undefined ? {} : { budgetUsd: dollarsOf(options.budget) }),
        },
      },
      session.now,
    );
    const known = await session.store.transaction(async ({ tasks }) => {
      const earlier = options.key === undefined ? undefined : await tasks.bySubmitKey(options.key);
      if (earlier) return earlier;
      await tasks.insert(task, session.now);
      return undefined;
    });
    if (known) assertSame(known, task, options.key ?? '');
    session.store.ring();
    answer(known ?? task, known !== undefined, options);
  });
}

export function roleNamed(settings: { root: string; workspace: string }, name: string): Role {
  const roles = openRoles(settings);
  const role = roles.current().find((known) => known.name === name);
  if (role) return role;
  const problem = roles.problems().find((each) => each.message.includes(`${name}.md`));
  if (problem) throw problem;
  throw new AppError('NO_ROLE', `expected the name of a role, got: "${name}"`, {
    hints: [
      `roles: ${
        roles
          .current()
          .map((known) => known.name)
          .join(', ') || 'none'
      }`,
      'roles are the files in .claude/agents/',
    ],
  });
}

function assertSame(known: Task, wanted: Task, key: string): void {
  const same =
    known.contentHash === contentHash(wanted.title, wanted.description) && known.role === wanted.role;
  if (same) return;
  throw new AppError(
    'CONFLICT',
    `the key "${key}" already belongs to ${known.id}, which has another content`,
    {
      hints: [`agentq show ${known.id}`, 'use another key for another task'],
    },
  );
}

function answer(task: Task, deduplicated: boolean, options: Output): void {
  if (options.json) printJson({ ...taskJson(task), deduplicated });
  else if (options.quiet) print(task.id);
  else
    print(
      deduplicated
        ? `${task.id}  known already under this key, ${task.state}`
        : `${task.id}  queued for ${task.role}`,
    );
}

function readContext(path: string): { name: string; text: string; sha256: string } {
  try {
    if (!statSync(path).isFile()) throw new Error('it is not a file');
    const bytes = readFileSync(path);
    if (bytes.length > maxContext)
      throw new Error(`it has ${bytes.length} bytes, at most ${maxContext} are taken`);
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return { name: basename(path), text, sha256: createHash('sha256').update(bytes).digest('hex') };
  } catch (error) {
    throw new AppError('BAD_INPUT', `the context file cannot be used: ${path} (${messageOf(error)})`, {
      hints: ['give --file a text file in UTF-8'],
    });
  }
}

/** The title, or what stands in for one: the first line of the instructions or of the file. */
function titleOf(title: string | undefined, options: SubmitOptions, context: string | undefined): string {
  const text = (title ?? options.instructions ?? context ?? '')
    .split('\n')
    .map((line) => line.replace(/^#+\s*/, '').trim())
    .find((line) => line !== '');
  if (text !== undefined) return text.slice(0, 500);
  throw new AppError('BAD_USAGE', 'expected a title, --instructions or a --file that is not empty', {
    hints: ['agentq submit "Why queues beat chat" --to linkedin-writer'],
  });
}

function priorityOf(text: string): number {
  const match = /^p([1-4])$/.exec(text);
  if (match) return Number(match[1]);
  throw new AppError('BAD_USAGE', `expected --priority p1, p2, p3 or p4, got: "${text}"`, {
    hints: ['p1 is the most urgent'],
  });
}

function durationOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = parseDuration(text);
  if (ms !== undefined && ms > 0) return ms;
  throw new AppError('BAD_USAGE', `expected --ttl like 90s, 15m or 24h, got: "${text}"`);
}

function dollarsOf(text: string): number {
  const usd = Number(text);
  if (usd > 0) return usd;
  throw new AppError('BAD_USAGE', `expected --budget in US dollars, got: "${text}"`);
}
