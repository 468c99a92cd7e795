/**
 * A Todoist on loopback: HTTP around `todoist-state.ts`, with the rate limits, the answers and the faults of the real
 * one. The real SDK talks to it. Run by itself it prints one line of JSON with its address.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text as readText } from 'node:stream/consumers';
import { Faults, type Fault } from './faults.ts';
import { commandError, isCommandError, limits, TodoistState, type Item, type Note, type RawCommand } from './todoist-state.ts';

export interface Call {
  method: string;
  path: string;
  body: string;
  status: number;
  bytes: number;
  at: number;
}

export interface TodoistServerOptions {
  token?: string;
  seed?: number;
  /** Requests per 15 minutes; Todoist's are 1000 and 100. */
  partialSyncs?: number;
  fullSyncs?: number;
  port?: number;
}

type SyncTrouble = { kind: 'unknown-token' } | { kind: 'forced-full' } | { kind: 'extra'; items?: unknown[]; notes?: unknown[] };

export class TodoistServer {
  readonly state = new TodoistState();
  readonly faults: Faults;
  readonly calls: Call[] = [];
  readonly token: string;
  #server: Server;
  #options: TodoistServerOptions;
  #partial: number[] = [];
  #full: number[] = [];
  #syncTrouble: SyncTrouble[] = [];

  private constructor(options: TodoistServerOptions) {
    this.#options = options;
    this.token = options.token ?? 'test-token';
    this.faults = new Faults(options.seed);
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch(() => response.destroy());
    });
  }

  static async start(options: TodoistServerOptions = {}): Promise<TodoistServer> {
    const server = new TodoistServer(options);
    await new Promise<void>((resolve) => server.#server.listen(options.port ?? 0, '127.0.0.1', resolve));
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  // What a person does in the app.

  addTask(projectId: string, content: string, more: Partial<Item> = {}): Item {
    return this.state.addItem({ project_id: projectId, content, ...more });
  }

  comment(itemId: string, text: string, attachment?: string): Note {
    return this.state.addNote(itemId, text, attachment ?? null);
  }

  addLabel(itemId: string, label: string): void {
    const item = this.state.mustItem(itemId);
    this.state.update(itemId, { labels: [...item.labels, label] });
  }

  removeLabel(itemId: string, label: string): void {
    const item = this.state.mustItem(itemId);
    this.state.update(itemId, { labels: item.labels.filter((each) => each !== label) });
  }

  comments(itemId: string): string[] {
    return [...this.state.notes.values()].filter((note) => note.item_id === itemId && !note.is_deleted).map((note) => note.content);
  }

  labels(itemId: string): string[] {
    return this.state.items.get(itemId)?.labels ?? [];
  }

  fault(fault: Fault): void {
    this.faults.add(fault);
  }

  /** Trouble in the next sync read. */
  syncTrouble(trouble: SyncTrouble): void {
    this.#syncTrouble.push(trouble);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readText(request);
    const url = new URL(request.url ?? '/', 'http://localhost');
    const call: Call = { method: request.method ?? 'GET', path: url.pathname + url.search, body, status: 0, bytes: 0, at: Date.now() };
    this.calls.push(call);
    const fault = this.faults.next(call);
    if (fault && this.#before(fault, response, call)) return;
    let status = 200;
    let answer: unknown;
    try {
      if (request.headers.authorization !== `Bearer ${this.token}`) throw commandError(401, 'UNAUTHORIZED', 401, 'Unauthorized');
      if (Buffer.byteLength(body) > 1024 * 1024) throw commandError(413, 'TOO_LARGE', 413, 'Request too large');
      answer = this.#route(call.method, url, body);
    } catch (error) {
      if (!isCommandError(error)) throw error;
      status = error.http_code;
      answer = { ...error };
      if (status === 429) response.setHeader('Retry-After', String(error.error_extra['retry_after'] ?? 30));
    }
    const text = answer === undefined ? '' : JSON.stringify(answer);
    call.status = status;
    call.bytes = Buffer.byteLength(text);
    if (fault && (await this.#after(fault, response, text))) return;
    response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) });
    response.end(text);
  }

  /** Trouble in which nothing was done. */
  #before(fault: Fault, response: ServerResponse, call: Call): boolean {
    switch (fault.kind) {
      case 'rate-limit': {
        const retry_after = fault.retryAfter ?? 1;
        call.status = 429;
        response.writeHead(429, { 'Content-Type': 'application/json', 'Retry-After': String(retry_after) });
        response.end(JSON.stringify({ error: 'Too many requests. Limits reached. Try again later', error_code: 35, error_extra: { retry_after }, error_tag: 'LIMITS_REACHED', http_code: 429 }));
        return true;
      }
      case 'server-error':
        call.status = 503;
        response.writeHead(503, { 'Content-Type': 'text/html' });
        response.end('<html>Service Unavailable</html>');
        return true;
      case 'html':
        call.status = 200;
        response.writeHead(200, { 'Content-Type': 'text/html' });
        response.end('<!doctype html><html>Sign in to this network</html>');
        return true;
      case 'reset':
        response.socket?.resetAndDestroy();
        return true;
      case 'stall':
        return true;
      case 'cut':
        response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': '1000' });
        response.write('{"items":[');
        setImmediate(() => response.destroy());
        return true;
      default:
        return false;
    }
  }

  /** Trouble after the deed was done. */
  async #after(fault: Fault, response: ServerResponse, text: string): Promise<boolean> {
    switch (fault.kind) {
      case 'commit-then-drop':
        response.socket?.destroy();
        return true;
      case 'commit-then-cut':
        response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) });
        response.write(text.slice(0, Math.floor(text.length / 2)));
        setImmediate(() => response.destroy());
        return true;
      case 'slow-body':
        response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) });
        response.write(text.slice(0, 1));
        await new Promise((resolve) => setTimeout(resolve, fault.delayMs ?? 300).unref());
        response.end(text.slice(1));
        return true;
      default:
        return false;
    }
  }

  #route(method: string, url: URL, body: string): unknown {
    const [, api, version, resource, id, action] = url.pathname.split('/');
    if (api !== 'api' || version !== 'v1') throw commandError(404, 'NOT_FOUND', 404, 'Not found');
    const query = url.searchParams;
    if (method === 'POST' && resource === 'sync') return this.#sync(JSON.parse(body) as Record<string, unknown>);
    if (method === 'GET' && resource === 'projects')
      return page([...this.state.projects.values()].map(projectJson), query);
    if (method === 'GET' && resource === 'comments') {
      const item = this.state.mustItem(query.get('task_id'));
      return page([...this.state.notes.values()].filter((note) => note.item_id === item.id && !note.is_deleted), query);
    }
    if (method === 'GET' && resource === 'tasks' && id !== undefined) return this.state.mustItem(id);
    if (method === 'GET' && resource === 'tasks')
      return page(this.state.active().items.filter((item) => !query.has('project_id') || item.project_id === query.get('project_id')), query);
    if (method === 'POST' && resource === 'tasks' && action === 'close') return void this.state.close(id);
    throw commandError(404, 'NOT_FOUND', 404, `Not found: ${method} ${url.pathname}`);
  }

  #sync(request: Record<string, unknown>): unknown {
    const commands = (request['commands'] ?? []) as RawCommand[];
    if (commands.length > limits.commands) throw commandError(33, 'MAX_COMMANDS_LIMIT_REACHED', 400, 'Too many commands');
    const token = request['sync_token'];
    const done = commands.length === 0 ? {} : this.state.run(commands);
    if (!Array.isArray(request['resource_types']) || request['resource_types'].length === 0) {
      this.#count(this.#partial, this.#options.partialSyncs ?? 1000);
      return { sync_token: String(this.state.version), full_sync: false, ...done };
    }
    const trouble = this.#syncTrouble.shift();
    const since = Number(token);
    if (trouble?.kind === 'unknown-token' || (token !== '*' && !Number.isInteger(since)))
      throw commandError(34, 'SYNC_TOKEN_INVALID', 400, 'Invalid sync token');
    const full = token === '*' || trouble?.kind === 'forced-full';
    this.#count(full ? this.#full : this.#partial, full ? (this.#options.fullSyncs ?? 100) : (this.#options.partialSyncs ?? 1000));
    const found = full ? this.state.active() : this.state.changedSince(since);
    const extra = trouble?.kind === 'extra' ? trouble : {};
    return {
      sync_token: String(this.state.version),
      full_sync: full,
      ...(full ? { full_sync_date_utc: new Date().toISOString() } : {}),
      items: [...found.items, ...(extra.items ?? [])],
      notes: [...found.notes, ...(extra.notes ?? [])],
      incomplete_item_ids: [],
      temp_id_mapping: {},
      ...done,
    };
  }

  #count(times: number[], most: number): void {
    const now = Date.now();
    while (times.length > 0 && (times[0] ?? 0) < now - 15 * 60_000) times.shift();
    if (times.length >= most) {
      const retry_after = Math.ceil(((times[0] ?? now) + 15 * 60_000 - now) / 1000);
      throw Object.assign(commandError(35, 'LIMITS_REACHED', 429, 'Too many requests. Limits reached. Try again later'), {
        error_extra: { retry_after },
      });
    }
    times.push(now);
  }
}

function page<T>(all: T[], query: URLSearchParams): { results: T[]; next_cursor: string | null } {
  const limit = Number(query.get('limit') ?? 50);
  if (limit > 200) throw commandError(19, 'INVALID_ARGUMENT_VALUE', 400, 'limit is too large');
  const from = Number(query.get('cursor') ?? 0);
  const results = all.slice(from, from + limit);
  return { results, next_cursor: from + limit < all.length ? String(from + limit) : null };
}

function projectJson({ id, name }: { id: string; name: string }): Record<string, unknown> {
  return {
    id,
    name,
    can_assign_tasks: false,
    child_order: 1,
    color: 'charcoal',
    creator_uid: '1',
    created_at: '2026-01-01T00:00:00Z',
    is_archived: false,
    is_deleted: false,
    is_favorite: false,
    is_frozen: false,
    updated_at: '2026-01-01T00:00:00Z',
    view_style: 'list',
    default_order: 0,
    description: '',
    public_key: '',
    access: null,
    role: '',
    parent_id: null,
    inbox_project: false,
    is_collapsed: false,
    is_shared: false,
  };
}

if (import.meta.main) {
  const server = await TodoistServer.start();
  const names = process.argv.slice(2);
  const projects = Object.fromEntries(names.map((name) => [name, server.state.addProject(name)]));
  process.stdout.write(`${JSON.stringify({ url: server.url, token: server.token, projects })}\n`);
}
