/**
 * The program behind the sample agent: reads a task on standard input and makes a short draft by filling in a form.
 * No AI is used, and everything it writes says so. Words in the task steer it:
 *   `[decide]` or "needs a decision"   asks a question first, finishes when it is answered
 *   `[fail once]`                      fails in a way that time cures, then succeeds
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Outcome } from './outcome.ts';
import { oneLine, printable } from './printable.ts';

const notice = 'This is the sample agent: no AI was used, this text is a filled-in form.';
const pauseMs = 300;

const task = printable(await text(process.stdin));
const folder = process.env['AGENT_OUTPUT_DIR'];
const session = (process.env['AGENT_SESSION_ID'] ?? 'no-session').slice(0, 8);
const isResumed = process.env['AGENT_RESUME'] === '1';
const attempt = Number(process.env['AGENT_ATTEMPT'] ?? '1');

await step('Read the task');
if (task.includes('[fail once]') && attempt === 1) {
  process.stderr.write('The sample agent was asked to fail once; the next attempt will succeed.\n');
  process.exit(75);
}
say(await (isResumed ? goOn() : begin()));

async function begin(): Promise<Outcome> {
  const title = titleOf(task);
  const file = save(`${slug(title)}-${session}.md`, draft(title));
  await step(file ? `Write ${file.name}` : 'Write the answer');
  await step('Check the draft');
  const asks = /\[decide\]|needs a decision/iu.test(task);
  return asks ? question(title, file?.path) : finished(`Drafted “${title}”.`, file?.path);
}

/** The prompt is the human's answer now; the draft of the same session is continued. */
async function goOn(): Promise<Outcome> {
  const answer = oneLine(task, 500);
  const name = folder && readdirSync(folder).find((entry) => entry.endsWith(`-${session}.md`));
  const before = folder && name ? readFileSync(join(folder, name), 'utf8') : `# Answer\n\n${notice}\n`;
  const file = save(
    name || `answer-${session}.md`,
    `${before}\n## After your answer\n\n> ${answer}\n\nTaken into account.\n`,
  );
  await step(file ? `Edit ${file.name}` : 'Take the answer into account');
  return finished(`Took your answer into account: “${oneLine(answer, 200)}”.`, file?.path);
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

/** The line the worker calls the title, else the first heading, else the first line with words. */
function titleOf(prompt: string): string {
  const named = /^\s*(?:[-*]\s*)?(?:\*\*)?(?:task|title)(?:\*\*)?\s*:\s*(?:\*\*)?\s*(.+)$/imu.exec(
    prompt,
  )?.[1];
  const heading = /^#+\s+(.+)$/mu.exec(prompt)?.[1];
  const first = prompt.split('\n').find((line) => /\p{L}/u.test(line));
  return oneLine(named ?? heading ?? first ?? 'Untitled', 120);
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
