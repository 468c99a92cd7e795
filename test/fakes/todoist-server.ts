/**
 * Todoist's API v1 on a real port: an account with a human in front of it, Todoist's limits, and faults on demand.
 * Run by itself (`node test/fakes/todoist-server.ts --projects "LinkedIn Writer,Newsletter Editor"`) it prints one
 * JSON line with its port and token, and takes faults by `POST /control/fault`; `GET /control/calls` shows the traffic.
 */
import { EventEmitter, once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { parseArgs } from 'node:util';
import { type Fault, misbehave, type Reply, scriptFaults, seeded } from './faults.ts';
import { FakeAccount } from './todoist-account.ts';
import { limitsReached, Refusal, tooLarge, unauthorized } from './todoist-refusals.ts';
import { answerRest } from './todoist-rest.ts';
import { FakeSync, words } from './todoist-sync.ts';

export interface TodoistCall {
  method: string;
  /** After /api/v1/, without the query. */
  path: string;
  query: URLSearchParams;
  body: Record<string, unknown>;
  bytesIn: number;
  bytesOut: number;
  /** Of the answer; 0 when there was none. */
  status: number;
  /** Number of the connection it came by, from 1. */
  connection: number;
}

/** Requests in any 15 minutes. */
export interface TodoistLimits {
  partialSync: number;
  fullSync: number;
  rest: number;
}

export interface TodoistServerOptions {
  token?: string;
  port?: number;
  seed?: number;
  now?: () => number;
  limits?: Partial<TodoistLimits>;
}

const windowMs = 15 * 60_000;

export class TodoistServer extends FakeAccount {
  readonly token: string;
  readonly calls: TodoistCall[] = [];
  readonly #sync: FakeSync;
  readonly #faults;
  readonly #limits: TodoistLimits;
  readonly #clock: () => number;
  readonly #arrivals = new EventEmitter();
  readonly #mangled = new Map<string, (object: Record<string, unknown>) => unknown>();
  readonly #asked = { partialSync: [] as number[], fullSync: [] as number[], rest: [] as number[] };
  readonly #connections = new WeakMap<object, number>();
  readonly #server = createServer((request, response) => void this.#serve(request, response));
  #connectionCount = 0;
  #port = 0;

  constructor(options: TodoistServerOptions) {
    const clock = options.now ?? Date.now;
    super(clock, options.seed ?? 1);
    this.#clock = clock;
    this.token = options.token ?? '0123456789abcdef0123456789abcdef01234567';
    this.#sync = new FakeSync(this);
    this.#faults = scriptFaults<TodoistCall>(seeded((options.seed ?? 1) + 1));
    this.#limits = { partialSync: 1000, fullSync: 100, rest: 1000, ...options.limits };
    this.#server.on('connection', (socket) => this.#connections.set(socket, (this.#connectionCount += 1)));
  }

  get port(): number {
    return this.#port;
  }

  /** For the SDK's `baseUrl`. */
  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  fault(fault: Fault<TodoistCall>): void {
    this.#faults.add(fault);
  }

  clearFaults(): void {
    this.#faults.clear();
    this.#mangled.clear();
  }

  /** From now on this object is shown changed, in every answer that holds it. What is stored stays as it is. */
  mangle(id: string, change: (object: Record<string, unknown>) => unknown): void {
    this.#mangled.set(id, change);
  }

  /** As `mangle`: shown without these keys. */
  malform(id: string, ...without: string[]): void {
    this.mangle(id, (object) =>
      Object.fromEntries(Object.entries(object).filter(([key]) => !without.includes(key))),
    );
  }

  /** As `mangle`: shown as gone, with nothing but its id. */
  tombstone(id: string): void {
    this.mangle(id, () => ({ id, is_deleted: true }));
  }

  expireTokens(how: 'refuse' | 'full'): void {
    this.#sync.expireTokens(how);
  }

  lagNextFull(): void {
    this.#sync.lagNextFull();
  }

  omitNotes(taskId: string): void {
    this.#sync.omitNotes(taskId);
  }

  /** Resolves when the next request of this kind has arrived (pattern on "METHOD path"), answered or not. */
  async nextCall(match: RegExp): Promise<TodoistCall> {
    for (;;) {
      const [call] = (await once(this.#arrivals, 'call')) as [TodoistCall];
      if (match.test(`${call.method} ${call.path}`)) return call;
    }
  }

  async listen(port = 0): Promise<this> {
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
    const address = this.#server.address();
    this.#port = typeof address === 'object' && address ? address.port : 0;
    return this;
  }

  async shutdown(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://fake');
    const text = await bodyOf(request);
    const method = request.method ?? 'GET';
    if (url.pathname.startsWith('/control/')) return this.#control(url.pathname, text, response);
    const call: TodoistCall = {
      method,
      path: url.pathname.replace(/^\/api\/v1\//, ''),
      query: url.searchParams,
      body: parsed(text),
      bytesIn: Buffer.byteLength(text),
      bytesOut: 0,
      status: 0,
      connection: this.#connections.get(request.socket) ?? 0,
    };
    this.calls.push(call);
    const run = (): Reply => this.#shown(this.#answer(call, request.headers.authorization));
    const fault = this.#faults.pick(call);
    if (fault) call.status = misbehave(fault, run, response);
    else send(response, run(), call);
    this.#arrivals.emit('call', call);
  }

  #answer(call: TodoistCall, authorization: string | undefined): Reply {
    try {
      if (authorization !== `Bearer ${this.token}`) throw unauthorized();
      if (call.bytesIn > 1024 * 1024) throw tooLarge();
      this.#count(call);
      if (call.method === 'POST' && call.path === 'sync')
        return { status: 200, body: this.#sync.answer(call.body) };
      return answerRest(this, call);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return { status: error.status, body: error.body };
    }
  }

  #count({ path, body }: TodoistCall): void {
    const reads = Array.isArray(body['resource_types']);
    const full = reads && this.#sync.isFull(words(body['sync_token'], '*'));
    const kind = path !== 'sync' ? 'rest' : full ? 'fullSync' : 'partialSync';
    const now = this.#clock();
    const recent = this.#asked[kind].filter((at) => at > now - windowMs);
    this.#asked[kind] = recent;
    const [first] = recent;
    if (recent.length >= this.#limits[kind] && first !== undefined)
      throw limitsReached(Math.ceil((first + windowMs - now) / 1000));
    recent.push(now);
  }

  /** The answer as it looks with mangled objects in it. */
  #shown(reply: Reply): Reply {
    if (this.#mangled.size === 0) return reply;
    const show = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(show);
      if (typeof value !== 'object' || value === null) return value;
      const object = value as Record<string, unknown>;
      return this.#mangled.get(words(object['id']))?.({ ...object }) ?? mapValues(object, show);
    };
    return { ...reply, body: show(reply.body) };
  }

  #control(path: string, text: string, response: ServerResponse): void {
    if (path === '/control/fault') {
      const { match, ...fault } = parsed(text) as unknown as Fault<TodoistCall> & { match?: string };
      this.fault(match === undefined ? fault : { ...fault, match: new RegExp(match) });
    }
    send(response, path === '/control/calls' ? { status: 200, body: this.calls } : { status: 204 });
  }
}

export function startTodoistServer(options: TodoistServerOptions = {}): Promise<TodoistServer> {
  return new TodoistServer(options).listen(options.port);
}

function send(response: ServerResponse, reply: Reply, call?: TodoistCall): void {
  const text = reply.body === undefined ? '' : JSON.stringify(reply.body);
  if (call) Object.assign(call, { status: reply.status, bytesOut: Buffer.byteLength(text) });
  const seconds = (reply.body as Partial<Refusal['body']> | undefined)?.error_extra?.['retry_after'];
  const headers = reply.status === 429 ? { 'retry-after': String(seconds) } : {};
  response.writeHead(reply.status, {
    ...(text === '' ? {} : { 'content-type': 'application/json' }),
    ...headers,
    ...reply.headers,
  });
  response.end(text);
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  request.setEncoding('utf8');
  let text = '';
  for await (const part of request) text += String(part);
  return text;
}

function parsed(text: string): Record<string, unknown> {
  return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
}

function mapValues(
  object: Record<string, unknown>,
  change: (value: unknown) => unknown,
): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]));
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { projects: { type: 'string' }, port: { type: 'string' }, token: { type: 'string' } },
  });
  const server = await startTodoistServer({
    ...(values.port === undefined ? {} : { port: Number(values.port) }),
    ...(values.token === undefined ? {} : { token: values.token }),
  });
  const projects = (values.projects ?? '')
    .split(',')
    .filter(Boolean)
    .map((name) => server.addProject(name.trim()));
  const shown = projects.map(({ id, name }) => ({ id, name }));
  process.stdout.write(`${JSON.stringify({ port: server.port, token: server.token, projects: shown })}\n`);
}
