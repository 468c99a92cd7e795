/**
 * An office for one test: a Todoist with a person in front of it, role files, a store and a workspace in a temporary
 * folder, and workers on them: the real loop in this process (with a clock that can be moved on), or the real
 * programs. When the test is over nothing may be left running.
 */
import { execa } from 'execa';
import { randomUUID } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, onTestFinished } from 'vitest';
import { workerMarker, type Agent, type AgentEvent, type AgentRequest } from '../../tools/agents/agent.ts';
import type { AgentResult } from '../../tools/agents/agent.ts';
import { createCommandAgent } from '../../tools/agents/command.ts';
import { startGuard } from '../../tools/agents/guard.ts';
import type { Denial, Failure, Outcome } from '../../tools/agents/outcome.ts';
import { killMarked, markedProcesses } from '../../tools/agents/processes.ts';
import { openLocalQueue } from '../../tools/queues/local.ts';
import { openArtifacts } from '../../tools/artifacts/open-artifacts.ts';
import { openTodoistQueue } from '../../tools/queues/todoist/todoist.ts';
import { openRoles } from '../../tools/roles/watch-roles.ts';
import { createDatabase, type TestDatabase } from '../store/postgres-server.ts';
import { openStore, type Store } from '../../tools/store/store.ts';
import type { Task } from '../../tools/store/tasks.ts';
import { work } from '../../tools/worker/loop.ts';
import { withoutSignature } from '../../tools/worker/thread.ts';
import type { NewWorkerEvent } from '../../tools/worker/worker-event.ts';
import type { Worker, WorkerOptions } from '../../tools/worker/worker.ts';
import { openWorkspace } from '../../tools/workspaces/workspace.ts';
import { startTodoistServer, type TodoistServer } from '../fakes/todoist-server.ts';

const project = dirname(dirname(import.meta.dirname));
const scripted = join(project, 'test', 'fixtures', 'agents', 'scripted.ts');
const patienceMs = 15_000;

/** One employee with a desk, who delivers files. */
export const writer = { 'linkedin-writer': ['project: LinkedIn Writer', 'output: workspace/linkedin'] };
/** The same without an output folder: what it says is enough. */
export const talker = { 'linkedin-writer': ['project: LinkedIn Writer'] };

export interface OfficeOptions {
  /** Role name → the lines of its `worker:` block. Their projects are made in Todoist. */
  roles?: Record<string, string[]>;
}

// One folder for all tests of a file, one after another: Node's compile cache goes by path.
const root = realpathSync(mkdtempSync(join(tmpdir(), 'office-')));
const installed = ['tools', 'node_modules', 'package.json'];
afterAll(() => rmSync(root, { recursive: true, force: true, maxRetries: 3 }));

type NewTask = Parameters<TodoistServer['addTask']>[0];

export interface StartOptions extends Partial<WorkerOptions> {
  agent?: Agent;
  mode?: 'once' | 'watch';
  /** Another store: a folder's name. */
  dataDir?: string;
  /** Epoch ms; default: now. */
  startedAt?: number;
  /** Only these roles. */
  serves?: string[];
  /** Its failure is part of the test. */
  mayFail?: boolean;
}

export interface RunNote {
  what: 'start' | 'end';
  taskId: string;
  attempt: number;
  title: string;
  pid: number;
  prompt: string;
}

export class Office {
  readonly root = root;
  readonly workspace = join(this.root, 'workspace');
  /** What the scripted agent notes, and the files it waits for. */
  readonly notes = join(this.root, 'notes');
  readonly todoist: TodoistServer;
  readonly clock: Clock;
  readonly #workers: StartedWorker[] = [];
  readonly #programs: Program[] = [];
  readonly #stores = new Map<string, Store>();
  #database: TestDatabase | undefined;
  /** Of the store that programs use. */
  #url: string | undefined;
  readonly #schemas = new Map<string, Promise<string>>();

  constructor(todoist: TodoistServer, clock: Clock, roles: Record<string, string[]>) {
    this.todoist = todoist;
    this.clock = clock;
    mkdirSync(this.notes);
    for (const [name, lines] of Object.entries(roles)) this.role(name, lines);
    const names = Object.values(roles).flatMap((lines) => lines.flatMap(projectNamed));
    for (const name of new Set(names)) todoist.addProject(name);
  }

  // What a person does.

  /** Adds a task to the first project, or to the one named. Yields its id. */
  add(content: string, more: Partial<NewTask> & { project?: string } = {}): string {
    const { project: name, ...rest } = more;
    return this.todoist.addTask({ projectId: this.project(name), content, ...rest }).id;
  }

  comment(task: string, text: string): string {
    // Nobody writes two comments in one millisecond.
    this.clock.advance(1);
    return this.todoist.comment(task, text).id;
  }

  project(name?: string): string {
    const found = this.todoist.projects().find((each) => name === undefined || each.name === name);
    if (!found) throw new Error(`expected a project named ${name}`);
    return found.id;
  }

  role(name: string, lines: string[]): void {
    const folder = join(this.root, '.claude', 'agents');
    mkdirSync(folder, { recursive: true });
    const block = ['worker:', ...lines.map((line) => `  ${line}`)];
    const head = ['---', `name: ${name}`, 'description: Writes.', ...block, '---', 'Write well.', ''];
    writeFileSync(join(folder, `${name}.md`), head.join('\n'));
  }

  // What a person sees.

  labels(task: string): string[] {
    return this.todoist.task(task).labels;
  }

  /** The worker's comments on a task, oldest first, without their signatures. */
  said(task: string): string[] {
    return this.todoist
      .comments(task)
      .filter(({ content }) => withoutSignature(content) !== content.trimEnd())
      .map(({ content }) => withoutSignature(content));
  }

  /** The last thing that was said. */
  last(task: string): string {
    return this.said(task).at(-1) ?? '';
  }

  // Workers.

  start(options: StartOptions = {}): StartedWorker {
    const started = new StartedWorker(this, options);
    this.#workers.push(started);
    return started;
  }

  /** The programs as they are, in a project of this office's own. */
  #install(): void {
    if (existsSync(join(this.root, 'tools'))) return;
    cpSync(join(project, 'tools'), join(this.root, 'tools'), { recursive: true });
    cpSync(join(project, 'package.json'), join(this.root, 'package.json'));
    symlinkSync(join(project, 'node_modules'), join(this.root, 'node_modules'));
  }

  program(name: 'agent-worker' | 'agentq', args: string[], env: Env = {}): Program {
    this.#install();
    const running = execa(process.execPath, [join(this.root, 'tools', 'bin', `${name}.mjs`), ...args], {
      cwd: this.root,
      stdin: 'ignore',
      reject: false,
      env: { ...this.environment(), ...env },
      extendEnv: false,
    });
    const ended = running.then(({ exitCode, stdout, stderr }) => ({ exitCode, stdout, stderr }));
    let output = '';
    running.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const kill = (signal: NodeJS.Signals): boolean => running.kill(signal);
    const program = { ended, kill, output: () => output };
    this.#programs.push(program);
    return program;
  }

  environment(): Record<string, string> {
    return {
      PATH: process.env['PATH'] ?? '',
      HOME: this.root,
      AGENT_PATIENCE: '0.02',
      TODOIST_API_TOKEN: this.todoist.token,
      TODOIST_API_URL: this.todoist.url,
      ...(this.#url === undefined ? {} : { DATABASE_URL: this.#url }),
      NODE_COMPILE_CACHE: join(tmpdir(), 'background-agents-test-cache'),
    };
  }

  /** The real worker on this office's Todoist, with the scripted agent. */
  workerProgram(flags: string[] = ['--watch', '--interval', '1'], env: Env = {}): Program {
    const agent = ['--agent', 'command', '--', process.execPath, scripted, this.notes];
    return this.program('agent-worker', ['--json', ...flags, ...agent], env);
  }

  /** A verb of agentq, to its end. */
  agentq(args: string[], env: Env = {}): Promise<Answer> {
    return this.program('agentq', args, env).ended;
  }

  /** The scripted fixture as an agent of the loop. */
  scripted(): Agent {
    return createCommandAgent({ argv: [process.execPath, scripted, this.notes], env: this.environment() });
  }

  /** Lets scripted agents that wait for this go on. */
  release(name: string): void {
    writeFileSync(join(this.notes, name), '');
  }

  /** Runs of the scripted agent that have started, of one task or of all. */
  runs(task?: string): RunNote[] {
    return this.noted().filter(
      ({ what, taskId }) => what === 'start' && (task === undefined || taskId === `todoist:${task}`),
    );
  }

  noted(): RunNote[] {
    const file = join(this.notes, 'runs.jsonl');
    if (!existsSync(file)) return [];
    const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line) as RunNote);
  }

  // The store, looked into.

  async store(dataDir = '.data'): Promise<Store> {
    const known =
      this.#stores.get(dataDir) ??
      (await openStore(join(this.root, dataDir), await this.databaseOf(dataDir)));
    this.#stores.set(dataDir, known);
    return known;
  }

  /** With TEST_STORE=postgres each data folder is a schema of a database of this office's own. */
  async databaseOf(dataDir: string): Promise<string | undefined> {
    const name = dataDir.replaceAll(/\W/g, '_');
    const known = this.#schemas.get(name) ?? this.#database?.schema(name);
    if (known) this.#schemas.set(name, known);
    return known;
  }

  async useDatabase(database: TestDatabase): Promise<void> {
    this.#database = database;
    this.#url = await this.databaseOf('.data');
  }

  async task(nativeId: string): Promise<Task | undefined> {
    const store = await this.store();
    return store.read(({ tasks }) => tasks.byNativeId('todoist', nativeId));
  }

  async state(nativeId: string): Promise<string | undefined> {
    return (await this.task(nativeId))?.state;
  }

  // Waiting.

  /** Resolves once `check` holds; fails with what it was waiting for. */
  async until(what: string | (() => string), check: () => unknown): Promise<void> {
    const end = performance.now() + patienceMs;
    while (!(await check())) {
      const ended = this.#workers.find(({ failure, mayFail }) => failure && !mayFail)?.failure;
      const awaited = typeof what === 'string' ? what : what();
      if (ended) throw new Error(`the worker ended while waiting: ${awaited}`, { cause: ended });
      if (performance.now() > end) throw new Error(`expected within ${patienceMs} ms: ${awaited}`);
      await sleep(10);
    }
  }

  /** The label is there, and it is the only one of ours. */
  async untilLabel(task: string, label: string): Promise<void> {
    const ours = (): string =>
      this.labels(task)
        .filter((each) => each.startsWith('agent-'))
        .join();
    await this.until(
      () => `the label ${label}, got: ${this.labels(task).join(', ')}`,
      () => ours() === label,
    );
  }

  /** Moves the clock on and has the workers look at it. */
  async advance(ms: number): Promise<void> {
    this.clock.advance(ms);
    (await this.store()).ring();
  }

  /** That many polls have come and been answered, and the loop has gone on after them: for what must not happen. */
  async polls(count = 2): Promise<void> {
    const reads = (): number => this.todoist.calls.filter(({ body }) => 'resource_types' in body).length;
    const before = reads();
    await this.until(`${count} more polls`, () => reads() > before + count);
  }

  async close(): Promise<void> {
    const left: number[] = [];
    for (const program of this.#programs) program.kill('SIGKILL');
    await Promise.all(this.#programs.map(({ ended }) => ended));
    for (const worker of this.#workers) left.push(...(await worker.end()));
    for (const store of this.#stores.values()) await store.close();
    await this.#database?.drop();
    await this.todoist.shutdown();
    for (const name of readdirSync(this.root))
      if (!installed.includes(name)) rmSync(join(this.root, name), { recursive: true, maxRetries: 3 });
    if (left.length > 0) throw new Error(`expected no process to be left running, got: ${left.join(', ')}`);
  }
}

type Env = Record<string, string>;

export interface Program {
  ended: Promise<Answer>;
  /** What it has printed so far. */
  output(): string;
  kill(signal: NodeJS.Signals): boolean;
}

export interface Answer {
  exitCode: number | undefined;
  stdout: string;
  stderr: string;
}

/** Opens an office for this test; it is closed when the test is over. */
export async function openOffice({ roles = writer }: OfficeOptions = {}): Promise<Office> {
  const clock = new Clock();
  const limits = { partialSync: 1e6, fullSync: 1e6, rest: 1e6 };
  const todoist = await startTodoistServer({ now: clock.now, limits });
  const office = new Office(todoist, clock, roles);
  if (process.env['TEST_STORE'] === 'postgres') await office.useDatabase(await createDatabase());
  onTestFinished(() => office.close());
  return office;
}

function projectNamed(line: string): string[] {
  const name = /^project: (.+)$/.exec(line)?.[1];
  return name === undefined ? [] : [name];
}

/** Runs on like any other, but can be moved on. */
export class Clock {
  #ahead = 0;
  readonly now = (): number => Date.now() + this.#ahead;

  advance(ms: number): void {
    this.#ahead += ms;
  }
}

/** The loop, in this process. */
export class StartedWorker {
  readonly events: NewWorkerEvent[] = [];
  readonly id = randomUUID();
  /** What ended it, if something did. */
  failure: Error | undefined;
  readonly mayFail: boolean;
  readonly done: Promise<void>;
  readonly #stop = new AbortController();
  readonly #stopNow = new AbortController();

  constructor(office: Office, options: StartOptions) {
    this.mayFail = options.mayFail ?? false;
    this.done = this.#run(office, options).catch((error: unknown) => {
      this.failure = error instanceof Error ? error : new Error('thrown', { cause: error });
    });
  }

  async #run(office: Office, options: StartOptions): Promise<void> {
    const {
      agent = office.scripted(),
      mode = 'watch',
      dataDir = '.data',
      serves,
      startedAt,
      ...rest
    } = options;
    const { now } = office.clock;
    const workspace = openWorkspace(office.workspace, join(office.root, dataDir));
    const store = await openStore(workspace.dataDir, await office.databaseOf(dataDir));
    const roles = openRoles({ root: office.root, workspace: office.workspace });
    const knownRoles = () => {
      roles.refresh();
      return roles.current();
    };
    const todoist = openTodoistQueue({
      token: office.todoist.token,
      baseUrl: office.todoist.url,
      clock: now,
      timeoutMs: 500,
    });
    const local = openLocalQueue();
    const worker: Worker = {
      id: this.id,
      startedAt: startedAt ?? now(),
      store,
      queues: new Map([todoist, local].map((queue) => [queue.name, queue])),
      agent,
      workspace,
      artifacts: () => openArtifacts(office.workspace, {}),
      knownRoles,
      roles: () => knownRoles().filter(({ name }) => serves?.includes(name) ?? true),
      options: { ...defaults, ...rest },
      now,
      random: () => 0.5,
      log: (event) => void this.events.push(event),
      running: new Map(),
    };
    try {
      await work(worker, { mode, stop: this.#stop.signal, stopNow: this.#stopNow.signal });
    } finally {
      await todoist.close();
      await store.close();
    }
  }

  /** As the first signal does. Resolves when it has ended; throws what ended it otherwise. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.done;
    if (this.failure !== undefined) throw this.failure;
  }

  /** The events of one kind. */
  of<T extends NewWorkerEvent['type']>(type: T): Extract<NewWorkerEvent, { type: T }>[] {
    return this.events.filter((event): event is Extract<NewWorkerEvent, { type: T }> => event.type === type);
  }

  /** As two signals do; yields the processes that were left. */
  async end(): Promise<number[]> {
    this.#stop.abort();
    this.#stopNow.abort();
    await this.done;
    const left = await markedProcesses(workerMarker, this.id);
    if (left.length > 0) await killMarked(workerMarker, this.id);
    await startGuard(this.id).stop();
    return left;
  }
}

const defaults: WorkerOptions = {
  lanes: { fast: 2, normal: 2, heavy: 1 },
  model: undefined,
  timeoutMs: undefined,
  maxAttempts: undefined,
  dailyBudgetUsd: undefined,
  pollIntervalMs: 40,
  leaseMs: 60_000,
  heartbeatMs: 10_000,
  patience: 0.02,
};

// An agent at the port, for what only another agent than a command can do: sessions, costs, refused calls.

export interface Attempt {
  request: AgentRequest;
  /** Aborted when the worker ends the agent. */
  signal: AbortSignal;
  emit: (event: AgentEvent) => void;
}

export interface PortAgent extends Agent {
  /** Of every run that has started. */
  requests: AgentRequest[];
  /** Runs under way. */
  running: Set<string>;
}

/** `play` is the agent's side of one run; when the worker ends the run first, it ends as an agent that was killed. */
export function portAgent(
  play: (attempt: Attempt) => Partial<AgentResult> | Promise<Partial<AgentResult>>,
  check: Agent['check'] = async () => ({ ok: true, detail: 'in the test', hints: [] }),
): PortAgent {
  const requests: AgentRequest[] = [];
  const running = new Set<string>();
  return {
    name: 'claude',
    supports: { resume: true, cost: true, grants: true },
    requests,
    running,
    check,
    describe: () => ({ file: 'in-test', args: [] }),
    async run(request, emit, signal) {
      requests.push(request);
      running.add(request.taskId);
      const killed = new Promise<Partial<AgentResult>>((resolve) => {
        if (signal.aborted) resolve(aborted);
        signal.addEventListener('abort', () => resolve(aborted));
      });
      const result = await Promise.race([Promise.resolve(play({ request, emit, signal })), killed]);
      running.delete(request.taskId);
      return { ...silent, ...result };
    },
  };
}

const silent = {
  costUsd: undefined,
  turns: 1,
  denials: [],
  sessionUsable: true,
  exit: { code: 0, signal: null },
} satisfies AgentResult;
const aborted: Partial<AgentResult> = {
  failure: { kind: 'transient', code: 'aborted', message: 'The agent was stopped by the worker.' },
};

export function finished(summary = 'Done.', more: Partial<AgentResult> = {}): Partial<AgentResult> {
  return { outcome: { status: 'done', summary, artifacts: [] }, ...more };
}

export function asks(decision: string, more: Partial<Outcome> = {}): Partial<AgentResult> {
  const outcome: Outcome = {
    status: 'needs_input',
    summary: 'I must know.',
    artifacts: [],
    decision,
    ...more,
  };
  return { outcome };
}

export function fails(failure: Failure, more: Partial<AgentResult> = {}): Partial<AgentResult> {
  return { failure, ...more };
}

export function refused(...denials: Denial[]): Partial<AgentResult> {
  const failure: Failure = { kind: 'policy', code: 'denied', message: 'It may not do that.' };
  return { failure, denials };
}

/** Something agents wait for until the test lets them go on. */
export function gate(): { passed: Promise<void>; open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { passed: promise, open: () => resolve() };
}
