/**
 * The settings: what `.env` and the environment say, read once and passed on by value. `.env` is never loaded into
 * our own environment, so nothing that we start can inherit a token by accident.
 */
import { parse } from 'dotenv';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { AppError, messageOf } from '../errors.ts';
import { parseDuration } from '../roles/duration.ts';

/** The folder that holds package.json, `.claude/` and `workspace/`. */
export const projectRoot = dirname(dirname(import.meta.dirname));

export interface Settings {
  root: string;
  dataDir: string;
  workspace: string;
  todoistToken: string | undefined;
  todoistUrl: string | undefined;
  claudeBin: string | undefined;
  /** `postgres://…`: the store is there, and not in `dataDir`. */
  databaseUrl: string | undefined;
  /** `amqp://…`: delegated tasks go through this broker. */
  amqpUrl: string | undefined;
  /** The broker's exchange and queues are named so, or begin so. */
  amqpPrefix: string;
  /** After how long the broker takes back what is not acknowledged, ms. */
  amqpAckTimeoutMs: number;
  /** Where contexts, results and artifacts lie: an absolute folder or `s3://bucket/prefix?endpoint=…&region=…`. */
  artifacts: string;
  /** Everything, for the agent's allow-list to pick from. */
  env: NodeJS.ProcessEnv;
}

/** The environment wins over `.env`; an empty value counts as absent. */
export function readSettings(root = projectRoot, environment: NodeJS.ProcessEnv = process.env): Settings {
  const env: NodeJS.ProcessEnv = { ...readEnvFile(join(root, '.env')) };
  for (const [name, value] of Object.entries(environment))
    if (value !== undefined && value !== '') env[name] = value;
  const pick = (name: string): string | undefined => (env[name]?.trim() ? env[name].trim() : undefined);
  return {
    root,
    dataDir: resolve(root, pick('AGENT_DATA_DIR') ?? '.data'),
    workspace: resolve(root, pick('AGENT_WORKSPACE') ?? 'workspace'),
    todoistToken: pick('TODOIST_API_TOKEN'),
    todoistUrl: urlOf('TODOIST_API_URL', pick('TODOIST_API_URL'), ['http', 'https']),
    claudeBin: pick('CLAUDE_BIN'),
    databaseUrl: urlOf('DATABASE_URL', pick('DATABASE_URL'), ['postgres', 'postgresql']),
    amqpUrl: urlOf('AMQP_URL', pick('AMQP_URL'), ['amqp', 'amqps']),
    amqpPrefix: pick('AMQP_PREFIX') ?? 'agentq',
    amqpAckTimeoutMs: durationOf('AMQP_ACK_TIMEOUT', pick('AMQP_ACK_TIMEOUT')) ?? 30 * 60_000,
    artifacts: artifactRoot(root, pick('AGENT_ARTIFACTS'), pick('AGENT_WORKSPACE')),
    env,
  };
}

function readEnvFile(file: string): Record<string, string> {
  if (!existsSync(file)) return {};
  try {
    return parse(readFileSync(file));
  } catch (error) {
    throw new AppError('BAD_INPUT', `.env cannot be read: ${messageOf(error)}`, {
      hints: ['check its rights'],
      cause: error,
    });
  }
}

function durationOf(name: string, value: string | undefined): number | undefined {
  const ms = value === undefined ? undefined : parseDuration(value);
  if (value === undefined || (ms !== undefined && ms > 0)) return ms;
  throw new AppError('BAD_INPUT', `expected ${name} like 90s, 15m or 2h, got: "${value}"`, {
    hints: [`correct ${name} in .env, or take it out`],
  });
}

function artifactRoot(root: string, value: string | undefined, workspace: string | undefined): string {
  if (value === undefined) return resolve(root, workspace ?? 'workspace');
  return value.includes('://') ? (urlOf('AGENT_ARTIFACTS', value, ['s3']) ?? value) : resolve(root, value);
}

/** What may hold a password is not repeated in the message. */
function urlOf(name: string, value: string | undefined, schemes: readonly string[]): string | undefined {
  if (value === undefined) return undefined;
  const scheme = URL.canParse(value) ? new URL(value).protocol.slice(0, -1) : undefined;
  if (scheme !== undefined && schemes.includes(scheme)) return value;
  const got = scheme === undefined ? 'what is no address' : `${scheme}:`;
  throw new AppError(
    'BAD_INPUT',
    `expected ${name} to begin with ${schemes.join(':// or ')}://, got: ${got}`,
    {
      hints: [
        `correct ${name} in .env, or take it out`,
        ...(scheme === undefined
          ? ['in user and password write @ : / ? # and % as %40 %3A %2F %3F %23 and %25']
          : []),
      ],
    },
  );
}
