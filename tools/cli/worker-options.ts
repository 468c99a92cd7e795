/** `agent-worker`'s flags, parsed into what the worker needs. Wrong usage throws BAD_USAGE (exit 2). */
import { Command, InvalidArgumentError, Option } from 'commander';
import { AppError } from '../errors.ts';
import { quietOutput } from './failure.ts';
import { version } from './version.ts';
import { lanes, type Lane } from '../roles/role.ts';
import { parseDuration } from '../roles/duration.ts';

export interface WorkerFlags {
  project: string[];
  watch: boolean;
  interval: number;
  queue: 'todoist' | 'local' | undefined;
  agent: 'claude' | 'command' | 'sample';
  model: string | undefined;
  timeout: number | undefined;
  concurrency: number | undefined;
  lanes: Record<Lane, number>;
  maxAttempts: number | undefined;
  dailyBudget: number | undefined;
  dryRun: boolean;
  verbose: boolean;
  json: boolean;
  /** What follows `--`, for `--agent command`. */
  command: string[];
}

const examples = `
Examples:
  agent-worker --project "LinkedIn Writer"            process what is ready, then exit
  agent-worker --watch                                serve every role's project until Ctrl-C
  agent-worker --dry-run                              show what would be run, change nothing
  agent-worker --queue local --agent command -- ./my-agent --fast`;

export function workerCommand(): Command {
  return new Command('agent-worker')
    .configureOutput(quietOutput)
    .version(version)
    .description('Takes tasks from your to-do list and has agents do them.')
    .option(
      '-p, --project <name>',
      "the project (or role) to serve; repeatable; default: every role's",
      collect,
      [],
    )
    .option('-w, --watch', 'keep polling until SIGINT or SIGTERM', false)
    .option('--interval <seconds>', 'time between two polls', atLeast(1), 10)
    .addOption(
      new Option('--queue <name>', 'where tasks come from; default: todoist when a token is set').choices([
        'todoist',
        'local',
      ]),
    )
    .addOption(
      new Option('--agent <name>', 'who does the work')
        .choices(['claude', 'command', 'sample'])
        .default('claude'),
    )
    .option('--model <name>', "overrides the roles' model")
    .option(
      '--timeout <duration>',
      "overrides the roles' total time of one attempt, e.g. 90s, 15m",
      durationOf,
    )
    .option('--concurrency <n>', 'agents at once in the normal lane (default: 2)', atLeast(1))
    .option('--lanes <slots>', 'agents at once by lane, e.g. fast=2,normal=2,heavy=1', lanesOf)
    .option('--max-attempts <n>', "overrides the roles' attempts", atLeast(1))
    .option('--daily-budget <usd>', 'US dollars this worker may spend a day', dollarsOf)
    .option('--dry-run', 'show what would be run, with which tools and prompt; write nothing', false)
    .option('-v, --verbose', "show the agents' steps", false)
    .option('--json', 'one JSON object per line', false)
    .argument('[command...]', 'with --agent command: the program and its arguments, after --')
    .addHelpText('after', examples)
    .exitOverride();
}

/** `argv` without the program. */
export function parseWorkerFlags(argv: readonly string[]): WorkerFlags {
  const command = workerCommand();
  command.parse([...argv], { from: 'user' });
  const given = command.opts<
    Omit<WorkerFlags, 'lanes' | 'command'> & { lanes?: Partial<Record<Lane, number>> }
  >();
  if (given.agent === 'command' && command.args.length === 0)
    throw usage(
      'expected the program after `--` with --agent command',
      'agent-worker --agent command -- ./my-agent',
    );
  if (given.agent !== 'command' && command.args.length > 0)
    throw usage(`unexpected argument: "${command.args[0]}"`, 'a project is named with --project "…"');
  const slots = { fast: 2, normal: given.concurrency ?? 2, heavy: 1, ...given.lanes };
  return { ...given, lanes: slots, command: command.args };
}

function usage(message: string, hint: string): AppError {
  return new AppError('BAD_USAGE', message, { hints: [hint, 'agent-worker --help'] });
}

function collect(value: string, before: string[]): string[] {
  return [...before, value];
}

function atLeast(least: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (!Number.isInteger(number) || number < least || number > 100_000)
      throw new InvalidArgumentError(`Expected a whole number from ${least}, got: "${value}".`);
    return number;
  };
}

function durationOf(value: string): number {
  const ms = parseDuration(value);
  if (ms === undefined || ms <= 0)
    throw new InvalidArgumentError(`Expected a duration like 90s, 15m or 2h, got: "${value}".`);
  return ms;
}

function dollarsOf(value: string): number {
  const usd = Number(value);
  if (!(usd > 0) || usd > 1e6)
    throw new InvalidArgumentError(`Expected an amount in US dollars, got: "${value}".`);
  return usd;
}

function lanesOf(value: string): Partial<Record<Lane, number>> {
  const slots: Partial<Record<Lane, number>> = {};
  for (const part of value.split(',')) {
    const [name, count] = part.split('=');
    const lane = lanes.find((known) => known === name?.trim());
    const number = Number(count);
    if (!lane || !Number.isInteger(number) || number < 0 || number > 100)
      throw new InvalidArgumentError(`Expected e.g. fast=2,normal=2,heavy=1, got: "${value}".`);
    slots[lane] = number;
  }
  return slots;
}
