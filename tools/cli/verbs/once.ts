/**
 * `agentq once KEY -- command …`: runs a command that cannot be undone at most once. The key is taken before the
 * command starts; a repeated call prints the first result. Exit codes: the command's own; 1 with CONFLICT when the
 * key belongs to another command or its outcome is unknown.
 */
import { execa } from 'execa';
import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { bootId, isAlive, processStartTime } from '../../agents/processes.ts';
import { AppError } from '../../errors.ts';
import type { Action, NewAction } from '../../store/actions.ts';
import { printJson, withStore, type Session } from '../session.ts';
import { iso } from '../task-view.ts';

const maxOutput = 1_000_000;

export interface OnceOptions {
  json: boolean;
  forget: boolean;
  /** The program to start, where it is not found by the command's own name. */
  file?: string;
}

export async function once(key: string, command: readonly string[], options: OnceOptions): Promise<void> {
  if (key.trim() === '' || key.length > 200)
    throw new AppError('BAD_USAGE', 'expected a key of 1 to 200 characters, e.g. the task id and the act', {
      hints: ['agentq once "task-1f3c:send-newsletter" -- ./send.sh'],
    });
  await withStore({ create: true }, async (session) => {
    if (options.forget) return forget(session, key);
    const [file, ...args] = command;
    if (file === undefined)
      throw new AppError('BAD_USAGE', 'expected a command after --', {
        hints: [`agentq once ${key} -- ./send.sh`],
      });
    const action = newAction(key, [file, ...args], session.now);
    const earlier = await session.store.transaction(({ actions }) => actions.take(action));
    if (earlier) return repeat(session, earlier, action, options);
    const result = await execa(options.file ?? file, args, {
      stdin: 'inherit',
      reject: false,
      stripFinalNewline: false,
      maxBuffer: maxOutput,
    });
    const end = {
      endedAt: Date.now(),
      exitCode: result.exitCode ?? null,
      stdout: result.stdout,
      // A command that never started did nothing; that too is a result, and it is kept.
      stderr: result.stderr || (result.exitCode === undefined ? (result.shortMessage ?? '') : ''),
    };
    await session.store.transaction(({ actions }) => actions.finish(key, end));
    answer({ ...action, state: 'done', ...end }, false, options);
    return undefined;
  });
}

function newAction(key: string, argv: string[], startedAt: number): NewAction {
  return {
    key,
    taskId: process.env['AGENT_TASK_ID'] ?? null,
    argv,
    argvHash: createHash('sha256').update(JSON.stringify(argv)).digest('hex'),
    host: hostname(),
    bootId: bootId(),
    pid: process.pid,
    pidStart: processStartTime(process.pid) ?? '',
    startedAt,
  };
}

async function repeat(
  session: Session,
  earlier: Action,
  wanted: NewAction,
  options: OnceOptions,
): Promise<void> {
  if (earlier.argvHash !== wanted.argvHash)
    throw new AppError(
      'CONFLICT',
      `the key "${wanted.key}" was taken for another command: ${earlier.argv.join(' ').slice(0, 200)}`,
      {
        hints: ['use another key for another act'],
      },
    );
  const ended = await awaitEnd(session, earlier);
  if (ended.state === 'done') return answer(ended, true, options);
  throw new AppError(
    'CONFLICT',
    `unknown: "${wanted.key}" was started at ${iso(earlier.startedAt)}, and its process died before it could say how it ended`,
    {
      hints: [
        'find out whether it was done; do not repeat it blindly',
        `if it was not done: agentq once "${wanted.key}" --forget   (for people only), then call it again`,
      ],
    },
  );
}

/** While the first caller is still at work, its result is waited for. */
async function awaitEnd(session: Session, action: Action): Promise<Action> {
  let current = action;
  while (current.state === 'started' && takerLives(current)) {
    await delay(200);
    current = (await session.store.read(({ actions }) => actions.get(action.key))) ?? current;
  }
  if (current.state === 'started')
    current = (await session.store.read(({ actions }) => actions.get(action.key))) ?? current;
  return current;
}

function takerLives(action: Action): boolean {
  if (action.host !== hostname()) return Date.now() - action.startedAt < 10 * 60_000;
  return action.bootId === bootId() && isAlive(action.pid, action.pidStart);
}

function answer(action: Action, repeated: boolean, options: OnceOptions): void {
  if (options.json) {
    printJson({
      key: action.key,
      repeated,
      exit_code: action.exitCode,
      stdout: action.stdout,
      stderr: action.stderr,
    });
  } else {
    process.stdout.write(action.stdout ?? '');
    process.stderr.write(action.stderr ?? '');
    if (repeated) process.stderr.write(`(already done at ${iso(action.endedAt)}; not run again)\n`);
  }
  process.exitCode = action.exitCode ?? 1;
}

async function forget(session: Session, key: string): Promise<void> {
  if (process.env['AGENT_ATTEMPT_ID'] !== undefined)
    throw new AppError('BAD_USAGE', 'agentq once --forget is for people; an agent cannot use it');
  const found = await session.store.transaction(async ({ actions }) => {
    const action = await actions.get(key);
    if (action?.state === 'done')
      throw new AppError(
        'CONFLICT',
        `"${key}" was done at ${iso(action.endedAt)}; what was done is not forgotten`,
      );
    return actions.forget(key);
  });
  if (!found) throw new AppError('NOT_FOUND', `expected a key of the ledger, got: "${key}"`);
  process.stdout.write(`${key}  free again\n`);
}
