/**
 * `agentq submit`: a task for a role. It is in the store before the command ends; where a broker is used it is handed
 * over at once, or by the next command that reaches the broker. With a key, submitting twice is one task.
 */
import { readFileSync, statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { attemptMarker } from '../../agents/agent.ts';
import { AppError, isRetryable, messageOf } from '../../errors.ts';
import { localQueueName } from '../../queues/local.ts';
import { brokerQueueName } from '../../queues/queue.ts';
import { openRoles } from '../../roles/watch-roles.ts';
import type { Role } from '../../roles/role.ts';
import { withBroker, type Task } from '../../store/tasks.ts';
import { delegatedTask, maxDepth } from '../../delegation/delegated.ts';
import { acceptedBy, accepts } from '../../delegation/may-start.ts';
import { sendTask } from '../../delegation/put-back.ts';
import { compose, type Asker, type Wanted } from '../compose.ts';
import { refuseSecrets } from '../secrets.ts';
import { print, printJson, withStore, type Output, type Session } from '../session.ts';
import { shown } from '../render-worker.ts';
import { taskJson } from '../task-view.ts';

export interface SubmitOptions extends Output, Wanted {
  from?: string;
  file?: string;
}

const maxContext = 1_000_000;
const maxMessage = 64 * 1024;

export async function submit(title: string | undefined, options: SubmitOptions): Promise<void> {
  await withStore({ create: true }, async (session) => {
    const { settings, store, now } = session;
    const context = options.file === undefined ? undefined : readContext(options.file);
    if (![title, options.instructions, context?.text].some((text) => text?.trim()))
      throw new AppError('BAD_USAGE', 'expected a title, --instructions or a --file that is not empty', {
        hints: ['agentq submit "Why queues beat chat" --to linkedin-writer'],
      });
    const asker = await askerOf(session, options.from);
    const role = roleFor(session, options.to);
    if (role !== undefined && !accepts(role, asker.from))
      throw new AppError(
        'BAD_INPUT',
        `${role.name} takes no tasks from ${asker.from}, only from ${acceptedBy(role)}`,
        { hints: [`accepts_from in ${role.file} says who may delegate to it`] },
      );
    const envelope = compose({ title, options, asker, now });
    refuseSecrets(JSON.stringify(envelope), settings.env, 'the task');
    if (context) {
      refuseSecrets(context.text, settings.env, `the file ${options.file}`);
      const { storeContext } = await import('../../artifacts/submit-context.ts');
      const kept = await storeContext(await session.artifacts(), envelope.task_id, context.bytes);
      envelope.context_ref = kept.ref;
      envelope.context_provenance = { by: submitter(asker), at: envelope.created_at, sha256: kept.sha256 };
    }
    const size = Buffer.byteLength(JSON.stringify(envelope));
    if (size > maxMessage)
      throw new AppError(
        'BAD_INPUT',
        `expected a message of at most 64 KiB, got: ${size} bytes in instructions`,
        {
          hints: ['write the details into a file: --file tasks/details.md'],
        },
      );
    const task = delegatedTask(
      {
        envelope,
        context: context?.text,
        queue: settings.amqpUrl === undefined ? localQueueName : brokerQueueName,
        role: role ?? { name: options.to, deadlineMs: undefined },
        availableAt: settings.amqpUrl === undefined ? 0 : withBroker,
        submittedBy: submitter(asker),
        submitKey: keyOf(asker.from, options.key),
      },
      now,
    );
    const known = await insert(session, task);
    if (known) assertSame(known, task, options.key ?? '');
    store.ring();
    await handOver(session, (known ?? task).id);
    await assertTaken(session, (known ?? task).id);
    answer(known ?? task, known !== undefined, options);
  });
}

/** A key is its coordinator's own: two that choose the same one mean two tasks. */
function keyOf(from: string, key: string | undefined): string | undefined {
  return key === undefined || from === 'coordinator' ? key : `${from}/${key}`;
}

/** An agent asks in its role's name, for the task it works on; nobody else can. */
async function askerOf(session: Session, wanted: string | undefined): Promise<Asker> {
  if (process.env[attemptMarker] === undefined) {
    if (wanted === undefined || /^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/.test(wanted))
      return { from: wanted ?? 'coordinator', parentId: undefined, depth: 0 };
    throw new AppError(
      'BAD_USAGE',
      `expected --from to be lower-case letters, digits and hyphens, got: "${wanted}"`,
    );
  }
  const id = process.env['AGENT_TASK_ID'] ?? '';
  const parent = await session.store.read(({ tasks }) => tasks.get(id));
  if (!parent)
    throw new AppError('NOT_FOUND', `expected the task that this agent works on, got: "${id}"`, {
      hints: [
        'DATABASE_URL, AMQP_URL and AGENT_ARTIFACTS must stand in .env: agents do not get the environment',
      ],
    });
  if (wanted !== undefined && wanted !== parent.role)
    throw new AppError('BAD_USAGE', `an agent delegates as ${parent.role}, got: --from ${wanted}`);
  const depth = (parent.meta.depth ?? 0) + 1;
  if (depth > maxDepth)
    throw new AppError('CONFLICT', `this task is already ${maxDepth} delegations deep; do the work here`);
  return { from: parent.role, parentId: parent.id, depth };
}

function submitter(asker: Asker): string {
  return asker.parentId === undefined
    ? `${userInfo().username} (agentq)`
    : `${asker.from} (${asker.parentId})`;
}

/** Where a broker is used, the role may be known on other machines alone. */
function roleFor(session: Session, name: string): Role | undefined {
  try {
    return roleNamed(session.settings, name);
  } catch (error) {
    if (session.settings.amqpUrl !== undefined && /^[a-z0-9][a-z0-9-]{0,62}$/.test(name)) return undefined;
    throw error;
  }
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

/** Yields the task that has the key already. */
async function insert({ store, now }: Session, task: Task): Promise<Task | undefined> {
  return store.transaction(async (tables) => {
    const { tasks, settings } = tables;
    const earlier =
      task.submitKey === null
        ? undefined
        : ((await tasks.bySubmitKey(task.submitKey)) ?? (await tasks.get(task.id)));
    if (earlier) return earlier;
    await tasks.insert(task, now);
    const { envelope } = task.meta;
    if (task.queue !== brokerQueueName || envelope === undefined) return undefined;
    const known = JSON.parse((await settings.get('coordinators')) ?? '[]') as string[];
    if (!known.includes(envelope.from))
      await settings.set('coordinators', JSON.stringify([...known, envelope.from]));
    await sendTask(tables, task, envelope, now);
    return undefined;
  });
}

/** A broker that is away takes it later, whatever was said; it is in the store. */
export async function handOver(session: Session, id?: string): Promise<void> {
  try {
    await session.sync();
  } catch (error) {
    if (isRetryable(error)) {
      const why = shown(messageOf(error), 500);
      process.stderr.write(`! the broker has not got it yet (${why}); the next agentq hands it over\n`);
      return;
    }
    if (!(error instanceof AppError)) throw error;
    const kept = `${id ?? 'it'} is stored: do not say it again, the next agentq hands it over when this is mended`;
    throw new AppError(error.code, error.message, { hints: [...error.hints, kept], cause: error });
  }
}

/** The broker may have refused it for good. */
async function assertTaken({ store, settings }: Session, id: string): Promise<void> {
  if (settings.amqpUrl === undefined) return;
  const task = await store.read(({ tasks }) => tasks.get(id));
  if (task?.state !== 'failed' || task.failureKind !== 'setup') return;
  throw new AppError('QUEUE_REJECTED', task.note ?? 'the broker has refused it', {
    hints: [
      'agentq init   (declares the queues of all roles and coordinators)',
      `agentq redrive ${id}   (then)`,
    ],
  });
}

function assertSame(known: Task, wanted: Task, key: string): void {
  if (known.contentHash === wanted.contentHash && known.role === wanted.role) return;
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

function readContext(path: string): { text: string; bytes: Buffer } {
  try {
    if (!statSync(path).isFile()) throw new Error('it is not a file');
    const bytes = readFileSync(path);
    if (bytes.length > maxContext)
      throw new Error(`it has ${bytes.length} bytes, at most ${maxContext} are taken`);
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes), bytes };
  } catch (error) {
    throw new AppError('BAD_INPUT', `the context file cannot be used: ${path} (${messageOf(error)})`, {
      hints: ['give --file a text file in UTF-8'],
    });
  }
}
