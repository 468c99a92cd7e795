/**
 * The settings: what `.env` and the environment say, read once and passed on by value. `.env` is never loaded into
 * our own environment, so nothing that we start can inherit a token by accident.
 */
import { parse } from 'dotenv';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { AppError, messageOf } from '../errors.ts';

/** The folder that holds package.json, `.claude/` and `workspace/`. */
export const projectRoot = dirname(dirname(import.meta.dirname));

export interface Settings {
  root: string;
  dataDir: string;
  workspace: string;
  todoistToken: string | undefined;
  todoistUrl: string | undefined;
  claudeBin: string | undefined;
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
    todoistUrl: urlOf('TODOIST_API_URL', pick('TODOIST_API_URL')),
    claudeBin: pick('CLAUDE_BIN'),
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

function urlOf(name: string, value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  if (URL.canParse(value) && /^https?:/.test(value)) return value;
  throw new AppError('BAD_INPUT', `expected ${name} to be a web address, got: "${value}"`, {
    hints: [`correct ${name} in .env, or take it out`],
  });
}
