/**
 * Reads Claude Code's stream-json, one line at a time, into what a verdict needs and what is worth showing. Pure: the
 * state goes in and comes out; unknown lines and fields change nothing.
 */
import { basename, dirname, isAbsolute, relative } from 'node:path';
import type { AgentEvent } from './agent.ts';
import { attemptCost } from './claude-cost.ts';
import { isObject, numberOf, objectsOf, parseObject, stringOf } from './json.ts';
import type { JsonObject } from './json.ts';
import type { Denial } from './outcome.ts';
import { oneLine } from './printable.ts';

export interface ClaudeStream {
  /** The session exists: it can be resumed. */
  started: boolean;
  /** Ids of tool calls without a result yet. */
  openTools: readonly string[];
  /** The last `result` line; a run may print several and the last one counts. */
  result: JsonObject | undefined;
  /** Something happened after the last result: it is not the end. */
  isBusy: boolean;
  /** Refused calls of all result lines, by tool call id. */
  denials: ReadonlyMap<string, Denial>;
  /** Retries it made by itself. */
  retries: number;
  /** Retries in a row because it was not let in. */
  authRetries: number;
  /** `error` of the last synthetic assistant line, e.g. `rate_limit`. */
  assistantError: string | undefined;
  /** When the account works again, epoch ms. */
  resetAt: number | undefined;
}

export const emptyStream: ClaudeStream = {
  started: false,
  openTools: [],
  result: undefined,
  isBusy: false,
  denials: new Map(),
  retries: 0,
  authRetries: 0,
  assistantError: undefined,
  resetAt: undefined,
};

export interface StreamContext {
  /** Only shortens paths for people. */
  cwd: string;
  /** What the session had cost before, US dollars. */
  sessionCostUsd: number;
}

interface Read {
  state: ClaudeStream;
  events: AgentEvent[];
}

export function readClaudeLine(state: ClaudeStream, line: string, context: StreamContext): Read {
  const entry = parseObject(line);
  switch (entry?.['type']) {
    case 'system':
      return readSystem(state, entry);
    case 'assistant':
      return readAssistant(state, entry, context.cwd);
    case 'user':
      return { state: { ...state, openTools: closeTools(state.openTools, entry) }, events: [] };
    case 'rate_limit_event':
      return { state: { ...state, resetAt: resetOf(entry['rate_limit_info']) ?? state.resetAt }, events: [] };
    case 'result':
      return readResult(state, entry, context.sessionCostUsd);
    default:
      return { state, events: [] };
  }
}

function readSystem(state: ClaudeStream, entry: JsonObject): Read {
  if (entry['subtype'] === 'init') return { state: { ...state, started: true }, events: [] };
  if (entry['subtype'] !== 'api_retry') return { state, events: [] };
  const isAuth = entry['error'] === 'authentication_failed' || entry['error_status'] === 401;
  const why = stringOf(entry['error']) ?? 'error';
  const status = numberOf(entry['error_status']);
  const text = oneLine(`The API answered ${status === undefined ? why : `${status} (${why})`}, trying again`);
  return {
    state: { ...state, retries: state.retries + 1, authRetries: isAuth ? state.authRetries + 1 : 0 },
    events: [{ type: 'retrying', text }],
  };
}

function readAssistant(state: ClaudeStream, entry: JsonObject, cwd: string): Read {
  const error = stringOf(entry['error']);
  if (error !== undefined) {
    const parameters = isObject(entry['api_error_params']) ? entry['api_error_params'] : {};
    const resetAt = resetOf(parameters['rate_limit_info']) ?? state.resetAt;
    return { state: { ...state, assistantError: error, resetAt, isBusy: true }, events: [] };
  }
  const message = isObject(entry['message']) ? entry['message'] : {};
  const blocks = objectsOf(message['content']);
  const calls = blocks.filter((block) => block['type'] === 'tool_use');
  const openTools = [...state.openTools, ...calls.map((call) => stringOf(call['id']) ?? 'unknown')];
  return {
    state: { ...state, openTools, isBusy: true, authRetries: 0, assistantError: undefined },
    events: blocks.flatMap((block) => stepOf(block, cwd)),
  };
}

function closeTools(open: readonly string[], entry: JsonObject): readonly string[] {
  const message = isObject(entry['message']) ? entry['message'] : {};
  const closed = new Set(objectsOf(message['content']).map((block) => block['tool_use_id']));
  return open.filter((id) => !closed.has(id));
}

function readResult(state: ClaudeStream, entry: JsonObject, sessionCostUsd: number): Read {
  const denials = new Map(state.denials);
  for (const denial of objectsOf(entry['permission_denials'])) {
    const id = stringOf(denial['tool_use_id']) ?? `#${denials.size}`;
    denials.set(id, {
      tool: stringOf(denial['tool_name']) ?? 'unknown',
      input: bounded(denial['tool_input']),
    });
  }
  const usd = numberOf(entry['total_cost_usd']);
  return {
    state: { ...state, result: entry, isBusy: false, openTools: [], denials },
    events: usd === undefined ? [] : [{ type: 'cost', usd: attemptCost(usd, sessionCostUsd) }],
  };
}

/** At most 4 KiB of JSON. */
function bounded(input: unknown): unknown {
  const text = JSON.stringify(input) ?? 'null';
  return text.length <= 4096 ? input : { cut: `${text.slice(0, 4000)}…` };
}

/** `resetsAt` is in seconds. */
function resetOf(info: unknown): number | undefined {
  if (!isObject(info) || info['status'] !== 'rejected') return undefined;
  const seconds = numberOf(info['resetsAt']);
  return seconds === undefined ? undefined : seconds * 1000;
}

function stepOf(block: JsonObject, cwd: string): AgentEvent[] {
  if (block['type'] === 'text') {
    const text = oneLine(stringOf(block['text']) ?? '');
    return text === '' ? [] : [{ type: 'step', text }];
  }
  const tool = stringOf(block['name']);
  // The outcome is told as the outcome.
  if (block['type'] !== 'tool_use' || tool === undefined || tool === 'StructuredOutput') return [];
  const input = isObject(block['input']) ? block['input'] : {};
  return [{ type: 'step', tool, text: oneLine(`${tool} ${objectOf(input, cwd)}`.trim()) }];
}

/** What a tool call is about, as a person would put it. */
function objectOf(input: JsonObject, cwd: string): string {
  const path = stringOf(input['file_path']) ?? stringOf(input['notebook_path']);
  if (path !== undefined) return shortPath(path, cwd);
  const about =
    input['command'] ??
    input['pattern'] ??
    input['url'] ??
    input['query'] ??
    input['description'] ??
    input['path'];
  return stringOf(about) ?? '';
}

/** With the name of the working directory in front: `linkedin/why-queues.md`. Outside of it: the whole path. */
function shortPath(path: string, cwd: string): string {
  if (!isAbsolute(path)) return `${basename(cwd)}/${path}`;
  const short = relative(dirname(cwd), path);
  return short.startsWith('..') ? path : short;
}
