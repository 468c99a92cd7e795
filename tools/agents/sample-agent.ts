/**
 * The program behind the sample agent: reads a task on standard input and makes a short draft by filling in a form.
 * No AI is used, and everything it writes says so. Words in the task steer it:
 *   `[decide]` or "needs a decision"   asks a question first, finishes when it is answered
 *   `[fail once]`                      fails in a way that time cures, then succeeds
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Outcome } from './outcome.ts';
import { oneLine, printable } from './printable.ts';

const notice = 'This is the sample agent: no AI was used, this text is a filled-in form.';
const pauseMs = 300;

const task = printable(await text(process.stdin));
const folder = process.env['AGENT_OUTPUT_DIR'];
const mark = createHash('sha256')
  .update(process.env['AGENT_TASK_ID'] ?? '')
  .digest('hex')
  .slice(0, 8);
const attempt = Number(process.env['AGENT_ATTEMPT'] ?? '1');

await step('Read the task');
if (task.includes('[fail once]') && attempt === 1) {
  process.stderr.write('The sample agent was asked to fail once; the next attempt will succeed.\n');
  process.exit(75);
}
const answer = answerIn(task);
say(await (answer === undefined ? begin() : goOn(answer)));

async function begin(): Promise<Outcome> {
  const title = titleOf(task);
  const file = save(`${slug(title)}-${mark}.md`, draft(title));
  await step(file ? `Write ${file.name}` : 'Write the answer');
  await step('Check the draft');
  const asks = /\[decide\]|needs a decision/iu.test(task);
  return asks ? question(title, file?.path) : finished(`Drafted “${title}”.`, file?.path);
}

/** The draft that is there is continued. */
async function goOn(said: string): Promise<Outcome> {
  const title = titleOf(task);
  const name = `${slug(title)}-${mark}.md`;
  const path = folder && join(folder, name);
  const before = path && existsSync(path) ? readFileSync(path, 'utf8') : draft(title);
  const file = save(name, `${before}\n## After your comment\n\n> ${said}\n\nTaken into account.\n`);
  await step(file ? `Edit ${file.name}` : 'Take the comment into account');
  return finished(`Took your comment into account: “${said}”.`, file?.path);
}

/** What the person said, where the prompt says that they did: it stands between two equal lines of `=`. */
function answerIn(prompt: string): string | undefined {
  const lead = prompt.search(/^The person has (?:answered|commented)/mu);
  if (lead < 0) return undefined;
  const said = /^(={5,})\n([\s\S]*?)\n\1$/mu.exec(prompt.slice(lead))?.[2];
  return said === undefined ? undefined : oneLine(said, 200);
}

function question(title: string, path: string | undefined): Outcome {
  return {
    status: 'needs_input',
    summary: `A draft of “${title}” is ready, but a decision is needed. ${notice}`,
    artifacts: path === undefined ? [] : [path],
    proposal: 'Publish the draft as it is.',
    evidence: 'The draft follows the task word for word; nothing was looked up.',
    reason: 'The task says that a person must decide.',
    decision: 'Keep the draft as it is, or make it shorter?',
  };
}

function finished(what: string, path: string | undefined): Outcome {
  return { status: 'done', summary: `${what} ${notice}`, artifacts: path === undefined ? [] : [path] };
}

function draft(title: string): string {
  const words = task.split(/\s+/u).filter(Boolean).length;
  return `# ${title}\n\n${notice}\n\nAn agent that uses AI would write the draft here. It was given ${words} words to go by.\n`;
}

function save(name: string, content: string): { name: string; path: string } | undefined {
  if (folder === undefined) return undefined;
  mkdirSync(folder, { recursive: true });
  const path = join(folder, name);
  writeFileSync(path, content);
  return { name, path };
}

/** The first heading (the worker puts the task's title there), else a `Title:` line, else the first line with words. */
function titleOf(prompt: string): string {
  const named = /^\s*(?:[-*]\s*)?(?:\*\*)?(?:task|title)(?:\*\*)?\s*:\s*(?:\*\*)?\s*(.+)$/imu.exec(
    prompt,
  )?.[1];
  const heading = /^#+\s+(.+)$/mu.exec(prompt)?.[1];
  const first = prompt.split('\n').find((line) => /\p{L}/u.test(line));
  return oneLine(heading ?? named ?? first ?? 'Untitled', 120);
}

function slug(title: string): string {
  const plain = title.normalize('NFKD').toLowerCase();
  return (
    plain
      .replace(/[^a-z0-9]+/gu, '-')
      .replace(/^-+|-+$/gu, '')
      .slice(0, 50) || 'draft'
  );
}

async function step(words: string): Promise<void> {
  process.stdout.write(`${JSON.stringify({ step: words })}\n`);
  await sleep(pauseMs);
}

function say(outcome: Outcome): void {
  process.stdout.write(`${JSON.stringify(outcome)}\n`);
}
