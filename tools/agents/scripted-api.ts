/**
 * A Messages API on loopback that says what a script says: one step a request, the last one again and again. With it
 * the real agent program runs without an account and without spending, for doctor (is it refused what it must not
 * reach?) and for the tests. Every request is recorded, so that one can say what the agent was told.
 */
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { once } from 'node:events';
import { json } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { isObject } from './json.ts';

export interface ToolCall {
  tool: string;
  input: unknown;
}

export type Step =
  | { text: string }
  | ToolCall
  | { tools: ToolCall[] }
  /** The structured outcome, given the way Claude Code asks for it. */
  | { outcome: unknown }
  | { error: number; type?: string; message?: string; headers?: Record<string, string> }
  /** Nothing comes back, not even a header. */
  | { hang: true }
  /** The stream begins and then stays silent. */
  | { stall: true }
  /** The stream begins and then only says that it is still there, five times a second. */
  | { pings: true }
  /** `text` comes word by word, `gapMs` apart. */
  | { text: string; gapMs: number }
  | { refusal: true };

export interface RecordedRequest {
  method: string;
  path: string;
  headers: IncomingMessage['headers'];
  body: Record<string, unknown>;
}

export interface MessagesApi extends AsyncDisposable {
  url: string;
  /** Every request, in order. */
  requests: RecordedRequest[];
  /** The bodies of the POSTs to /v1/messages as one JSON text, to search in. */
  transcript(): string;
  /** Replaces the rest of the script. */
  script(steps: Step[]): void;
  /** Resolves when the n-th request (1-based) has arrived. */
  received(count: number): Promise<void>;
}

type Block = { type: 'text'; text: string } | { type: 'tool_use'; id: string; name: string; input: unknown };

export async function startMessagesApi(initial: Step[]): Promise<MessagesApi> {
  let steps = initial;
  let next = 0;
  const requests: RecordedRequest[] = [];
  const waiting: { count: number; resolve: () => void }[] = [];
  let served = 0;
  const server = createServer((request, response) => {
    void (async () => {
      const body = await readBody(request);
      requests.push({ method: request.method!, path: request.url!, headers: request.headers, body });
      for (const wait of waiting) if (requests.length >= wait.count) wait.resolve();
      if (!request.url!.startsWith('/v1/messages') || request.method !== 'POST') return notFound(response);
      if (request.url!.includes('count_tokens')) return sendJson(response, 200, { input_tokens: 1000 });
      const step = steps[Math.min(next, steps.length - 1)];
      next += 1;
      served += 1;
      play(step ?? { text: 'The script is empty.' }, served, body, response);
    })();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('expected the server to have a port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    requests,
    transcript: () => JSON.stringify(requests.map((request) => request.body)),
    script: (replacement) => {
      steps = replacement;
      next = 0;
    },
    received: (count) =>
      new Promise((resolve) => (requests.length >= count ? resolve() : waiting.push({ count, resolve }))),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function play(step: Step, number: number, body: Record<string, unknown>, response: ServerResponse): void {
  if ('hang' in step) return;
  if ('error' in step) return sendError(step, response);
  const blocks = blocksOf(step, number);
  const message = {
    id: `msg_${String(number).padStart(22, '0')}`,
    type: 'message',
    role: 'assistant',
    model: body['model'],
    content: blocks,
    stop_reason: stopReason(step, blocks),
    stop_sequence: null,
    usage: {
      input_tokens: 1000,
      output_tokens: 100,
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: 0,
    },
  };
  if (body['stream'] !== true) return sendJson(response, 200, message);
  response.writeHead(200, { 'content-type': 'text/event-stream', 'request-id': `req_fake_${number}` });
  event(response, 'message_start', { message: { ...message, content: [], stop_reason: null } });
  if ('stall' in step) return;
  if ('pings' in step) {
    const timer = setInterval(() => event(response, 'ping', {}), 200);
    response.on('close', () => clearInterval(timer));
    return;
  }
  void finish(response, blocks, message.stop_reason, 'gapMs' in step ? step.gapMs : 0);
}

async function finish(
  response: ServerResponse,
  blocks: Block[],
  reason: string,
  gapMs: number,
): Promise<void> {
  for (const [index, block] of blocks.entries()) await streamBlock(response, block, index, gapMs);
  event(response, 'message_delta', {
    delta: { stop_reason: reason, stop_sequence: null },
    usage: { output_tokens: 100 },
  });
  event(response, 'message_stop', {});
  response.end();
}

function blocksOf(step: Step, number: number): Block[] {
  if ('text' in step) return [{ type: 'text', text: step.text }];
  const calls = 'tools' in step ? [...step.tools] : 'tool' in step ? [step] : [];
  if ('outcome' in step) calls.push({ tool: 'StructuredOutput', input: step.outcome });
  return calls.map(({ tool, input }, index) => ({
    type: 'tool_use',
    id: `toolu_${String(number * 100 + index).padStart(22, '0')}`,
    name: tool,
    input,
  }));
}

function stopReason(step: Step, blocks: Block[]): string {
  if ('refusal' in step) return 'refusal';
  return blocks.some((block) => block.type === 'tool_use') ? 'tool_use' : 'end_turn';
}

async function streamBlock(
  response: ServerResponse,
  block: Block,
  index: number,
  gapMs: number,
): Promise<void> {
  const isText = block.type === 'text';
  event(response, 'content_block_start', {
    index,
    content_block: isText ? { type: 'text', text: '' } : { ...block, input: {} },
  });
  for (const delta of deltasOf(block, gapMs > 0)) {
    event(response, 'content_block_delta', { index, delta });
    if (gapMs > 0) await sleep(gapMs);
  }
  event(response, 'content_block_stop', { index });
}

function deltasOf(block: Block, byWord: boolean): object[] {
  if (block.type === 'tool_use')
    return [{ type: 'input_json_delta', partial_json: JSON.stringify(block.input) }];
  const parts = byWord ? block.text.split(/(?<= )/u) : [block.text];
  return parts.map((text) => ({ type: 'text_delta', text }));
}

function event(response: ServerResponse, type: string, data: object): void {
  response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`);
}

const errorTypes: Record<number, string> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  500: 'api_error',
  529: 'overloaded_error',
};

function sendError(
  step: { error: number; type?: string; message?: string; headers?: Record<string, string> },
  response: ServerResponse,
): void {
  const {
    error: status,
    type = errorTypes[status] ?? 'api_error',
    message = `scripted ${status}`,
    headers = {},
  } = step;
  sendJson(response, status, { type: 'error', error: { type, message } }, headers);
}

function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

function notFound(response: ServerResponse): void {
  sendJson(response, 404, { type: 'error', error: { type: 'not_found_error', message: 'not here' } });
}

async function readBody(request: IncomingMessage): Promise<Record<string, unknown>> {
  try {
    const body = await json(request);
    return isObject(body) ? body : {};
  } catch {
    return {}; // HEAD, or no JSON
  }
}
