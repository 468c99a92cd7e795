/**
 * `agentq status`, `result`, `verify` and `artifacts`: what became of a task that was delegated. `completed` alone proves
 * nothing: the files are read again and compared with what was delivered.
 */
import { createHash } from 'node:crypto';
import { printable } from '../../agents/printable.ts';
import { AppError } from '../../errors.ts';
import type { Task } from '../../store/tasks.ts';
import { durationFlag } from '../duration-flag.ts';
import { evidenceNow, evidenceOf, type Evidence } from '../evidence.ts';
import {
  evidenceJson,
  evidenceLines,
  fileLine,
  statusJson,
  statusLines,
  summaryOf,
} from '../evidence-view.ts';
import { exitCodes } from '../exit-codes.ts';
import { shown } from '../render-worker.ts';
import { findTask, print, printJson, type Output, type Session } from '../session.ts';
import { withNews } from '../with-news.ts';
import { waitFor } from '../wait-for.ts';

/** Bytes of a result that is printed. */
const maxPrinted = 16 * 1024 * 1024;

export async function status(ref: string, options: Output): Promise<void> {
  await withNews(async (session) => {
    const task = await findTask(session, ref);
    if (options.quiet) return print(task.id);
    const evidence = await evidenceNow(session, task);
    if (options.json) printJson(statusJson(task, evidence));
    else print(statusLines(task, evidence));
  });
}

export interface ResultOptions extends Output {
  wait?: string;
  unverified: boolean;
}

export async function result(ref: string, options: ResultOptions): Promise<void> {
  const forMs = options.wait === undefined ? 0 : durationFlag('--wait', options.wait);
  await withNews(async (session) => {
    const { id } = await findTask(session, ref);
    const task = await waitFor(session, { forMs }, async () => {
      const current = await session.store.read(({ tasks }) => tasks.get(id));
      return current && exitCodeFor(current) !== exitCodes.notYet ? current : undefined;
    });
    if (task?.state === 'completed') await printResult(session, task, options);
    else await sayWhy(task ?? (await findTask(session, id)), options);
  });
}

/** Also the exit codes of `verify`, where nothing was completed. */
function exitCodeFor(task: Task): number {
  switch (task.state) {
    case 'completed':
      return exitCodes.ok;
    case 'failed':
    case 'cancelled':
      return exitCodes.failed;
    case 'input_required':
      return exitCodes.waitsForPerson;
    case 'queued':
    case 'running':
    case 'waiting':
      return exitCodes.notYet;
  }
}

/** There is no result: how the task stands goes to standard error, or as JSON to standard output. */
async function sayWhy(task: Task, options: Output): Promise<void> {
  process.exitCode = exitCodeFor(task);
  if (options.json)
    return printJson({
      id: task.id,
      state: task.state,
      verified: null,
      problems: [],
      result_ref: null,
      summary: summaryOf(task),
      result: null,
    });
  if (options.quiet) return undefined;
  const note = task.note === null ? '' : `: ${shown(task.note, 1000)}`;
  process.stderr.write(`${task.id}  ${task.state}${note}\n`);
  return undefined;
}

async function printResult(session: Session, task: Task, options: ResultOptions): Promise<void> {
  const evidence = await evidenceOf(session, task);
  if (evidence.verified === false && !options.unverified) throw unverified(task, evidence);
  if (options.quiet) return print(task.id);
  const text = await textOf(session, task, evidence, options.unverified);
  if (options.json)
    return printJson({
      id: task.id,
      state: task.state,
      verified: evidence.verified,
      problems: evidence.problems,
      result_ref: evidence.resultRef,
      summary: summaryOf(task),
      result: text,
    });
  const clean = printable(text);
  process.stdout.write(clean.endsWith('\n') ? clean : `${clean}\n`);
  return undefined;
}

function unverified(task: Task, { problems }: Evidence): AppError {
  return new AppError(
    'UNVERIFIED',
    `the result of ${task.id} is not what was delivered: ${problems.join('; ')}`,
    {
      hints: [`agentq verify ${task.id}`, 'add --unverified to read what is there all the same'],
    },
  );
}

/** What a task from a to-do list has to say is its summary. */
async function textOf(session: Session, task: Task, evidence: Evidence, anyway: boolean): Promise<string> {
  if (evidence.resultRef === null) return summaryOf(task) ?? '';
  const bytes = await (await session.artifacts()).read(evidence.resultRef, maxPrinted);
  const sha256 = bytes && createHash('sha256').update(bytes).digest('hex');
  // It may have been changed since it was verified, a moment ago.
  if (bytes && (anyway || sha256 === evidence.resultSha256)) return bytes.toString('utf8');
  throw new AppError('UNVERIFIED', `${evidence.resultRef} ${bytes ? 'has changed' : 'does not exist'}`);
}

export async function verify(ref: string, options: Output): Promise<void> {
  await withNews(async (session) => {
    const task = await findTask(session, ref);
    const evidence = await evidenceOf(session, task);
    if (evidence.verified !== true)
      process.exitCode = task.state === 'completed' ? exitCodes.unverified : exitCodeFor(task);
    if (options.json) printJson(evidenceJson(task, evidence));
    else if (options.quiet) print(task.id);
    else print(evidenceLines(task, evidence));
  });
}

export async function artifacts(ref: string, options: Output & { save?: string }): Promise<void> {
  await withNews(async (session) => {
    const task = await findTask(session, ref);
    const evidence = await evidenceOf(session, task);
    if (evidence.verified === false) throw unverified(task, evidence);
    const [, found] = evidence.checked;
    const saved =
      options.save === undefined
        ? []
        : await (await import('../save-artifacts.ts')).saveArtifacts(session, task, evidence, options.save);
    if (options.json)
      return printJson({
        id: task.id,
        state: task.state,
        result: found ?? null,
        files: evidence.files,
        saved,
      });
    if (options.quiet) return print(task.id);
    if (found === undefined) return print('no artifacts');
    return print([
      fileLine(found),
      ...evidence.files.map((file) => fileLine(file)),
      ...saved.map((path) => `  → ${shown(path, 400)}`),
    ]);
  });
}
