/** Program: submit, inspect, answer. Each verb loads what it needs, so that looking something up is instant. */
import { Command } from 'commander';
import { AppError } from './errors.ts';
import { quietOutput, runProgram } from './cli/failure.ts';
import { version } from './cli/version.ts';
import type { DoctorOptions } from './cli/verbs/doctor.ts';
import type { OnceOptions } from './cli/verbs/once.ts';
import type { ListOptions } from './cli/verbs/inspect.ts';
import type { SubmitOptions } from './cli/verbs/submit.ts';
import type { Output } from './cli/session.ts';

const examples = `
Examples:
  agentq submit "Why queues beat chat" --to linkedin-writer --file notes.md
  agentq inbox                      what waits for your decision
  agentq answer task-1f3c "yes, but without the price"
  agentq show todoist:6X7rM8997g3RQmvh --json`;

function build(): Command {
  const program = new Command('agentq')
    .configureOutput(quietOutput)
    .version(version)
    .description('Submit tasks to agents, look at them, answer them.')
    .addHelpText('after', examples)
    .configureHelp({ showGlobalOptions: true })
    .enablePositionalOptions()
    .exitOverride();
  reading(program);
  writing(program);
  operating(program);
  return program;
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
    .option('--limit <n>', 'at most this many', '50')
    .action(async (options: ListOptions) => (await import('./cli/verbs/inspect.ts')).list(options));
  verb(program, 'show <id>', 'one task: state, attempts, events, artifacts, thread').action(
    async (id: string, options: Output) => (await import('./cli/verbs/inspect.ts')).show(id, options),
  );
  verb(program, 'inbox', 'what waits for a person, oldest first').action(async (options: Output) =>
    (await import('./cli/verbs/inspect.ts')).inbox(options),
  );
}

function operating(program: Command): void {
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
    .option('--file <path>', 'context: a text file')
    .option('--instructions <text>', 'what to do, where the title is not enough')
    .option('--priority <p1..p4>', 'p1 is the most urgent', 'p4')
    .option('--ttl <duration>', 'latest useful completion, e.g. 2h')
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
