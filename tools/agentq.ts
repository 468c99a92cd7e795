/** Program: submit, inspect, answer. Each verb loads what it needs, so that looking something up is instant. */
import { Command } from 'commander';
import { AppError } from './errors.ts';
import { refuseAgents } from './cli/agents-may.ts';
import { quietOutput, runProgram } from './cli/failure.ts';
import { version } from './cli/version.ts';
import type { ResultOptions } from './cli/verbs/delegate.ts';
import type { DoctorOptions } from './cli/verbs/doctor.ts';
import type { InitOptions } from './cli/verbs/init.ts';
import type { OnceOptions } from './cli/verbs/once.ts';
import type { ListOptions } from './cli/verbs/inspect.ts';
import type {
  ClaimOptions,
  CompleteOptions,
  FailOptions,
  HeartbeatOptions,
} from './cli/verbs/shell-worker.ts';
import type { SubmitOptions } from './cli/verbs/submit.ts';
import type { EventsOptions } from './cli/verbs/watch-events.ts';
import type { Output } from './cli/session.ts';

const examples = `
Examples:
  agentq submit "Why queues beat chat" --to linkedin-writer --file notes.md
  agentq result task-1f3c --wait 10m
  agentq inbox                      what waits for your decision
  agentq answer task-1f3c "yes, but without the price"
  agentq show todoist:6X7rM8997g3RQmvh --json

Exit codes: 0 done, 1 error, 2 wrong usage, 3 no such task, 10 not yet, 11 failed or cancelled,
  12 waits for a person, 13 unverified, 14 not yours any more, 75 try again later`;

function build(): Command {
  const program = new Command('agentq')
    .configureOutput(quietOutput)
    .version(version)
    .description('Submit tasks to agents, look at them, answer them.')
    .addHelpText('after', examples)
    .configureHelp({ showGlobalOptions: true })
    .enablePositionalOptions()
    .exitOverride()
    .hook('preAction', (_, action) => refuseAgents(topVerb(action)));
  reading(program);
  delegating(program);
  writing(program);
  working(program);
  operating(program);
  return program;
}

/** Of `dlq redrive` it is `dlq`. */
function topVerb(command: Command): string {
  return command.parent?.parent ? topVerb(command.parent) : command.name();
}

function verb(program: Command, usage: string, about: string): Command {
  return program
    .command(usage)
    .description(about)
    .option('--json', 'JSON on standard output', false)
    .option('-q, --quiet', 'ids alone', false)
    .exitOverride();
}

function reading(program: Command): void {
  verb(program, 'list', 'tasks, last changed first')
    .option('--state <state...>', 'only these states')
    .option('--role <name>', 'only this role')
    .option('--from <name>', 'only what this role or coordinator has delegated')
    .option('--parent <id>', 'only what this task has delegated')
    .option('--limit <n>', 'at most this many', '50')
    .action(async (options: ListOptions) => (await import('./cli/verbs/inspect.ts')).list(options));
  verb(program, 'show <id>', 'one task: state, attempts, events, artifacts, thread').action(
    async (id: string, options: Output) => (await import('./cli/verbs/inspect.ts')).show(id, options),
  );
  verb(program, 'inbox', 'what waits for a person, oldest first').action(async (options: Output) =>
    (await import('./cli/verbs/inspect.ts')).inbox(options),
  );
}

/** For whoever has delegated a task. */
function delegating(program: Command): void {
  verb(program, 'status <id>', 'one task: its state, and whether its result is what was delivered').action(
    async (id: string, options: Output) => (await import('./cli/verbs/delegate.ts')).status(id, options),
  );
  verb(program, 'result <id>', 'the result of a completed task, once it is verified')
    .option('--wait <duration>', 'until it has ended, e.g. 10m')
    .option('--unverified', 'print it even where it is not what was delivered', false)
    .action(async (id: string, options: ResultOptions) =>
      (await import('./cli/verbs/delegate.ts')).result(id, options),
    );
  verb(program, 'verify <id>', 'check every file of a completed task').action(
    async (id: string, options: Output) => (await import('./cli/verbs/delegate.ts')).verify(id, options),
  );
  verb(program, 'artifacts <id>', 'the files that a task has delivered')
    .option('--save <folder>', 'copy them there')
    .action(async (id: string, options: Output & { save?: string }) =>
      (await import('./cli/verbs/delegate.ts')).artifacts(id, options),
    );
  verb(program, 'events <id>', 'the history of a task')
    .option('--follow', 'and what comes, until it rests', false)
    .action(async (id: string, options: EventsOptions) =>
      (await import('./cli/verbs/watch-events.ts')).events(id, options),
    );
}

/** For workers in a shell: agents and programs that the worker did not start. */
function working(program: Command): void {
  const ours = "only if this is still the task's attempt";
  verb(program, 'claim', 'take the next task of a role, to do it from this shell')
    .requiredOption('--as <role>', 'name of the role')
    .option('--wait <duration>', 'until there is one, e.g. 10m')
    .option('--lease <duration>', 'how long it is yours without a heartbeat', '15m')
    .action(async (options: ClaimOptions) => (await import('./cli/verbs/shell-worker.ts')).claim(options));
  verb(program, 'heartbeat <id>', 'keep a claimed task; says when it is not yours any more')
    .option('--attempt <id>', ours)
    .option('--lease <duration>', 'how long it is yours without another', '15m')
    .action(async (id: string, options: HeartbeatOptions) =>
      (await import('./cli/verbs/shell-worker.ts')).heartbeat(id, options),
    );
  verb(program, 'complete <id>', 'deliver the result of a task')
    .requiredOption('--from <role>', 'name of the role that did it')
    .requiredOption('--result-file <path>', 'the result')
    .requiredOption('--summary <text>', 'what was done, in a sentence or two')
    .option('--artifact <path...>', 'further files to deliver')
    .option('--attempt <id>', ours)
    .action(async (id: string, options: CompleteOptions) =>
      (await import('./cli/verbs/shell-worker.ts')).complete(id, options),
    );
  verb(program, 'fail <id>', 'say that a task cannot be done')
    .requiredOption('--from <role>', 'name of the role that tried')
    .requiredOption('--reason <text>', 'why')
    .option('--attempt <id>', ours)
    .action(async (id: string, options: FailOptions) =>
      (await import('./cli/verbs/shell-worker.ts')).fail(id, options),
    );
}

function operating(program: Command): void {
  verb(program, 'init', 'make the store, and the queues of a broker; say what is there')
    .option('--schema', 'print the JSON Schemas of the messages instead', false)
    .option('--from <name...>', 'coordinators that will want their results')
    .action(async (options: InitOptions) => (await import('./cli/verbs/init.ts')).init(options));
  verb(program, 'workers', 'who works on this store').action(async (options: Output) =>
    (await import('./cli/verbs/workers.ts')).workers(options),
  );
  program
    .command('stats')
    .description('what waits, runs, is stuck, has failed, missed its deadline, and what it cost')
    .option('--json', 'JSON on standard output', false)
    .option('--prometheus', 'the Prometheus text format', false)
    .exitOverride()
    .action(async (options: { json: boolean; prometheus: boolean }) =>
      (await import('./cli/verbs/operate.ts')).stats(options),
    );
  verb(program, 'why <id>', 'one sentence: why is it not running?').action(
    async (id: string, options: Output) => (await import('./cli/verbs/operate.ts')).why(id, options),
  );
  deadLetters(program);
  program
    .command('once <key> [command...]')
    .description('run a command that cannot be undone at most once: agentq once KEY -- command …')
    .option('--json', 'JSON on standard output', false)
    .option('--forget', 'free a key whose outcome is unknown, after you have looked', false)
    .exitOverride()
    .action(async (key: string, command: string[], options: OnceOptions) =>
      (await import('./cli/verbs/once.ts')).once(key, command, options),
    );
  program
    .command('doctor')
    .description('is everything there that the worker needs?')
    .option('--json', 'JSON on standard output', false)
    .option('--repair', 'mend a damaged store; the damaged file is kept', false)
    .exitOverride()
    .action(async (options: DoctorOptions) => (await import('./cli/verbs/doctor.ts')).doctor(options));
}

async function listDeadLetters(options: Output): Promise<void> {
  await (await import('./cli/verbs/operate.ts')).dlq(options);
}

function deadLetters(program: Command): void {
  // `dlq` itself takes --json; what stands after a verb of its own belongs to that verb.
  const dlq = program
    .command('dlq')
    .description('dead letters: tasks that failed for good')
    .enablePositionalOptions()
    .exitOverride();
  dlq
    .option('--json', 'JSON on standard output', false)
    .option('-q, --quiet', 'ids alone', false)
    .action(listDeadLetters);
  verb(dlq, 'list', 'all of them').action(listDeadLetters);
  verb(dlq, 'show <id>', 'one, with the reasons of all attempts').action(
    async (id: string, options: Output) => (await import('./cli/verbs/inspect.ts')).show(id, options),
  );
  verb(dlq, 'redrive <id>', 'run it again, from the beginning')
    .option('--edit <text>', 'with this description')
    .action(async (id: string, options: Output & { edit?: string }) =>
      (await import('./cli/verbs/decide.ts')).redrive(id, options),
    );
  verb(dlq, 'purge [id]', 'give them up')
    .option('--yes', 'really', false)
    .action(async (id: string | undefined, options: Output & { yes: boolean }) =>
      (await import('./cli/verbs/operate.ts')).purge(id, options),
    );
}

function writing(program: Command): void {
  verb(program, 'submit [title]', 'a new task for a role')
    .requiredOption('--to <role>', 'name of the role')
    .option('--from <name>', 'who delegates; an agent always does so in the name of its role')
    .option('--type <text>', 'what kind of task it is', 'task')
    .option('--file <path>', 'context: a text file')
    .option('--instructions <text>', 'what to do, where the title is not enough')
    .option('--expect <name...>', 'files or sections that the result must have')
    .option('--format <name>', 'of the result: markdown, text or json')
    .option('--priority <name>', 'urgent, high, normal or low; or p1 to p4', 'normal')
    .option('--ttl <duration>', 'how long the result is of use, e.g. 2h')
    .option('--budget <usd>', "overrides the role's budget for this task")
    .option('--key <key>', 'submitting twice with one key is one task')
    .action(async (title: string | undefined, options: SubmitOptions) =>
      (await import('./cli/verbs/submit.ts')).submit(title, options),
    );
  verb(program, 'answer <id> <text>', 'answer a question, ask for a change, `approve` or `reject`').action(
    async (id: string, text: string, options: Output) =>
      (await import('./cli/verbs/decide.ts')).answer(id, text, options),
  );
  verb(program, 'cancel <id>', 'stop a task; a running agent is ended')
    .option('--reason <text>', 'said in the task')
    .action(async (id: string, options: Output & { reason?: string }) =>
      (await import('./cli/verbs/decide.ts')).cancel(id, options),
    );
  verb(program, 'redrive <id>', 'run a task that has ended again, from the beginning')
    .option('--edit <text>', 'with this description')
    .action(async (id: string, options: Output & { edit?: string }) =>
      (await import('./cli/verbs/decide.ts')).redrive(id, options),
    );
}

const argv = process.argv.slice(2);
await runProgram(async () => {
  if (argv.length === 0) throw new AppError('BAD_USAGE', 'expected a verb', { hints: ['agentq --help'] });
  await build().parseAsync(argv, { from: 'user' });
}, argv.includes('--json'));
