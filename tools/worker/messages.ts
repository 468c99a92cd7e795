/**
 * Everything the worker says to a person, in one place: short, plain, and always with what can be done now. Pure.
 * What comes from an agent is data: control characters are taken out, and the whole is cut to what fits.
 */
import { printable } from '../agents/printable.ts';
import type { Denial, Failure, Outcome } from '../agents/outcome.ts';
import type { Artifact } from '../store/attempts.ts';

/** What Todoist takes in one comment (help page, documentation, and observed). */
export const maxComment = 15_000;

export function workingOnIt(input: { attempt: number; step?: string; note?: string }): string {
  const lines = [input.attempt === 1 ? '🔧 Working on it.' : `🔧 Working on it, attempt ${input.attempt}.`];
  if (input.note !== undefined) lines.push(input.note);
  if (input.step !== undefined) lines.push(`Latest step: ${said(input.step, 500)}`);
  return lines.join('\n');
}

export interface Ending {
  durationMs: number;
  costUsd: number;
  artifacts: readonly Artifact[];
  /** Text of the draft, as far as it could be read. */
  draft: string | undefined;
  denials: readonly Denial[];
}

export function done(outcome: Outcome, ending: Ending): string {
  return assemble(
    [`✅ ${said(outcome.summary, longest.summary)}`],
    ending,
    'Review it, then close the task. To change something, comment what. To start over, take the label `agent-done` off.',
  );
}

export function decisionNeeded(
  input: { title: string; outcome: Partial<Outcome>; why: string; ask: string },
  ending: Ending,
): string {
  const { outcome } = input;
  const parts = [`🙋 ${said(input.title, longest.title)}`];
  if (outcome.proposal) parts.push(`**Proposed**\n${said(outcome.proposal, longest.proposal)}`);
  if (outcome.evidence) parts.push(`**Evidence**\n${said(outcome.evidence, longest.evidence)}`);
  parts.push(`**Why it needs you**\n${said(outcome.reason ?? input.why, longest.reason)}`);
  parts.push(`**To decide**\n${said(outcome.decision ?? input.ask, longest.decision)}`);
  return assemble(
    parts,
    ending,
    'Answer in a comment and the work goes on from here. Closing the task cancels it.',
  );
}

export function blocked(rules: readonly string[], failure: Failure, ending: Ending): string {
  const calls = rules.map((rule) => `- \`${clean(rule).replaceAll('`', "'")}\``).join('\n');
  return assemble(
    [
      '🙋 I could not finish without something I am not allowed to do.',
      `**Wanted to run**\n${cut(calls, longest.calls)}`,
      `**Why it needs you**\n${said(failure.message, longest.reason)}`,
      '**To decide**\nMay it run exactly this, for this task alone?',
    ],
    { ...ending, denials: [] },
    'Comment `approve` or `reject`, the word alone on its line; anything else is passed on as an answer.',
  );
}

/** A task of a role whose doings cannot be undone asks before it begins. */
export function mayItStart(failure: Failure, ending: Ending): string {
  return assemble(
    [
      '🙋 May I begin?',
      said(failure.message, longest.reason),
      '**To decide**\nThe approval counts for this task as it reads now.',
    ],
    { ...ending, denials: [] },
    'Comment `approve` or `reject`, the word alone on its line.',
  );
}

export function failed(
  input: { failure: Failure; attempts: number; history: readonly string[] },
  ending: Ending,
): string {
  const parts = [`❌ This did not work. ${said(input.failure.message, longest.summary)}`];
  if (input.failure.kind === 'deadline') parts[0] = `⏰ ${said(input.failure.message, longest.summary)}`;
  if (input.history.length > 1)
    parts.push(
      cut(
        `**What was tried**\n${input.history.map((line, index) => `${index + 1}. ${said(line, 500)}`).join('\n')}`,
        longest.history,
      ),
    );
  return assemble(
    parts,
    ending,
    'Nothing more happens by itself. Comment what should be different, or take the label `agent-failed` off, and it runs again.',
  );
}

export function willRetry(failure: Failure, attempt: number, attempts: number, when: string): string {
  return `Attempt ${attempt} of ${attempts} did not work: ${said(failure.message, longest.summary)}\nThe next one starts ${when}.`;
}

export function paused(failure: Failure, until: string | undefined): string {
  const wait = until ?? 'as soon as that is mended';
  return failure.kind === 'usage_limit'
    ? `⏸ The agent's account has reached its limit. ${said(failure.message, longest.summary)}\nThis task, and all others that wait, go on ${wait}. No attempt was used up.`
    : `⏸ The agent cannot start: ${said(failure.message, longest.summary)}\nWork goes on by itself ${wait}. No attempt was used up.`;
}

export function daySpent(role: string): string {
  return `⏸ Today's budget of ${role} is spent. This task, and all others that wait for ${role}, go on tomorrow, or as soon as \`daily_budget\` is raised.`;
}

export function roundsUsedUp(rounds: number): string {
  return `This task has had its ${rounds} rounds. Please add a new task for further changes, or take its label off to start over.`;
}

export function textChanged(): string {
  return 'The task was edited after I asked, so this approval does not count. Take the label off to start over with the new text, or put the old text back and comment `approve` again.';
}

/**
 * The longest each part may be: what is long must never push out what is needed, the decision and what can be done.
 * The parts of any one comment come to at most half of it; the rest is the draft's.
 */
const longest = {
  title: 500,
  summary: 2500,
  proposal: 3000,
  evidence: 1000,
  reason: 1000,
  decision: 1000,
  calls: 5000,
  history: 4000,
  files: 2500,
  refused: 1200,
};

/** Without control characters, nor halves of characters, which a queue would refuse together with the comment. */
function clean(text: string): string {
  return printable(text).toWellFormed();
}

/** What somebody else said, fit to be shown. */
function said(text: string, max: number): string {
  return cut(clean(text), max);
}

function assemble(parts: string[], ending: Ending, next: string): string {
  const tail: string[] = [];
  if (ending.artifacts.length > 0) {
    const files = ending.artifacts.slice(0, 20).map((file) => `- ${clean(file.path)} (${size(file.size)})`);
    tail.push(cut(`**Files**\n${files.join('\n')}`, longest.files));
  }
  if (ending.denials.length > 0) {
    const refused = ending.denials.slice(0, 10).map((denial) => `- ${said(ruleOf(denial), 200)}`);
    tail.push(cut(`**Refused**\n${refused.join('\n')}`, longest.refused));
  }
  const cost = ending.costUsd > 0 ? `, $${ending.costUsd.toFixed(2)}` : '';
  tail.push(`${duration(ending.durationMs)}${cost}`, next);
  const head = parts.join('\n\n');
  const foot = tail.join('\n\n');
  const room = maxComment - head.length - foot.length - 400;
  const draft =
    ending.draft === undefined || room < 200 ? [] : ['---', cut(clean(ending.draft).trim(), room), '---'];
  return [head, ...draft, foot].join('\n\n');
}

/** Cuts at a line where it can, and says so. */
export function cut(text: string, max: number): string {
  if (text.length <= max) return text;
  const kept = text.slice(0, max - 60);
  const line = kept.lastIndexOf('\n');
  const end = line > max / 2 ? line : kept.length;
  return `${kept.slice(0, end).replace(/[\ud800-\udbff]$/, '')}\n… (cut here; the whole is in the file)`;
}

/** A refused call in permission-rule syntax: exact for a shell command, by path for a file tool. */
export function ruleOf(denial: Denial): string {
  const input =
    typeof denial.input === 'object' && denial.input !== null
      ? (denial.input as Record<string, unknown>)
      : {};
  const argument = input['command'] ?? input['file_path'] ?? input['path'] ?? input['url'] ?? input['query'];
  return typeof argument === 'string' ? `${denial.tool}(${argument})` : denial.tool;
}

export function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} bytes`;
  if (bytes < 1_000_000) return `${(bytes / 1000).toFixed(1)} kB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min${rest(seconds % 60, 's')}`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h${rest(minutes % 60, 'min')}` : `${Math.floor(hours / 24)} days`;
}

function rest(amount: number, unit: string): string {
  return amount === 0 ? '' : ` ${amount} ${unit}`;
}

export function clock(at: number, now: number): string {
  const wait = at - now;
  if (wait < 60_000) return 'in a moment';
  return `in ${duration(wait)} (${new Date(at).toLocaleString('en-GB', { dateStyle: 'short', timeStyle: 'short' })})`;
}
