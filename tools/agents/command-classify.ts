/** From a command's lines and its end to a verdict. Pure; the protocol is described in command.ts. */
import { endFailure } from './ended.ts';
import { parseObject } from './json.ts';
import { parseOutcome } from './outcome.ts';
import type { Failure, Outcome } from './outcome.ts';
import { oneLine, printable } from './printable.ts';
import type { Ended } from './process.ts';

const summaryLines = 10;
const summaryLineLength = 500;
const temporaryFailure = 75;

/** Keeps the last line whole and the last ten in short. */
export class CommandOutput {
  last = '';
  #tail: string[] = [];

  /** The text of the step, if the line announces one. */
  read(line: string): string | undefined {
    if (line.trim() === '') return undefined;
    const step = line.length < 16_384 ? parseObject(line)?.['step'] : undefined;
    if (typeof step === 'string') return oneLine(step);
    this.last = line;
    this.#tail.push(printable(line.slice(0, summaryLineLength)));
    if (this.#tail.length > summaryLines) this.#tail.shift();
    return undefined;
  }

  get summary(): string {
    return this.#tail.join('\n').trim();
  }
}

export function classifyCommand(
  program: string,
  ended: Ended,
  output: CommandOutput,
  timeoutIsDeadline: boolean,
): { outcome: Outcome } | { failure: Failure } {
  const failure = endFailure(ended, timeoutIsDeadline) ?? exitFailure(program, ended);
  if (failure) return { failure };
  const claim = parseObject(output.last);
  if (claim && 'status' in claim) {
    const outcome = parseOutcome(claim);
    return typeof outcome === 'string' ? badOutcome(outcome) : { outcome };
  }
  // A cut outcome must not pass for a summary: the agent meant to say more than "done".
  if (!claim && /^\s*\{\s*"status"/u.test(output.last)) return badOutcome('its last line is broken JSON');
  const summary = output.summary || `${program} ended without output.`;
  return { outcome: { status: 'done', summary, artifacts: [] } };
}

function exitFailure(program: string, { exit: { code }, stderrTail }: Ended): Failure | undefined {
  if (code === 0) return undefined;
  const said = stderrTail === '' ? '' : `: ${oneLine(stderrTail.slice(-500), 500)}`;
  const message = `${program} ended with exit code ${code}${said}`;
  if (code === temporaryFailure) return { kind: 'transient', code: 'exit_75', message };
  if (code === 126 || code === 127) return { kind: 'setup', code: `exit_${code}`, message };
  return { kind: 'agent', code: `exit_${code}`, message };
}

function badOutcome(problem: string): { failure: Failure } {
  return {
    failure: {
      kind: 'agent',
      code: 'bad_outcome',
      message: `The agent's answer cannot be used: ${problem}.`,
    },
  };
}
