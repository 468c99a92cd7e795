/**
 * One task from comment to label through the worker, with the real `claude` and a scripted API, beside a bare
 * `claude -p` of the same prompt: the difference is what the worker adds.
 */
import { execa } from 'execa';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setup } from '../claude/install.ts';
import { startMessagesApi, type Step } from '../../tools/agents/scripted-api.ts';
import { startTodoistServer } from '../fakes/todoist-server.ts';
import { eventWhere, median, say, startWorker, temporaryFolders } from './worker-program.ts';

const rounds = 5;

function script(file: string): Step[] {
  return [
    { tool: 'Write', input: { file_path: file, content: '# A draft\n\nWith words.\n' } },
    { outcome: { status: 'done', summary: 'Wrote the draft.', artifacts: [file] } },
  ];
}

export async function claudeOverhead(): Promise<void> {
  setup();
  const bare: number[] = [];
  const worker: number[] = [];
  const parts: { start: number; end: number }[] = [];
  for (let round = 0; round < rounds; round += 1) {
    bare.push(await runBare());
    const one = await runWorker();
    worker.push(one.totalMs);
    parts.push(one);
  }
  const added = median(worker) - median(bare);
  say(`one task with the real claude, ${rounds} rounds each, medians`);
  say(`  bare claude -p, same prompt and work      ${median(bare).toFixed(0)} ms`);
  say(`  worker, task in Todoist → label in Todoist ${median(worker).toFixed(0)} ms`);
  say(
    `  the worker adds                            ${added.toFixed(0)} ms (${((100 * added) / median(bare)).toFixed(0)} %)`,
  );
  say(
    `    seen and claimed → agent started         ${median(parts.map(({ start }) => start)).toFixed(0)} ms`,
  );
  say(`    agent ended → label set                  ${median(parts.map(({ end }) => end)).toFixed(0)} ms`);
}

function credentials(url: string): Record<string, string> {
  return {
    ANTHROPIC_BASE_URL: url,
    ANTHROPIC_API_KEY: 'bench',
    HOME: mkdtempSync(join(tmpdir(), 'claude-home-')),
  };
}

async function runBare(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'claude-bare-'));
  await using api = await startMessagesApi(script(join(folder, 'draft.md')));
  const schema =
    '{"type":"object","properties":{"status":{"type":"string"},"summary":{"type":"string"},"artifacts":{"type":"array","items":{"type":"string"}}}}';
  const args = [
    '-p',
    '--output-format',
    'stream-json',
    '--verbose',
    '--allowedTools',
    'Read,Write,Glob,Grep',
    '--json-schema',
    schema,
  ];
  const env = {
    ...credentials(api.url),
    DISABLE_TELEMETRY: '1',
    DISABLE_ERROR_REPORTING: '1',
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    DISABLE_AUTOUPDATER: '1',
  };
  const start = performance.now();
  await execa(process.env['CLAUDE_BIN'] ?? 'claude', args, {
    cwd: folder,
    env,
    input: 'Write a draft about queues.',
  });
  return performance.now() - start;
}

async function runWorker(): Promise<{ totalMs: number; start: number; end: number }> {
  const server = await startTodoistServer();
  const { id } = server.addProject('LinkedIn Writer');
  const folders = temporaryFolders();
  await using api = await startMessagesApi(script(join(folders.AGENT_WORKSPACE, 'linkedin', 'draft.md')));
  const worker = startWorker(['--watch', '--project', 'LinkedIn Writer', '--interval', '1'], {
    ...folders,
    ...credentials(api.url),
    CLAUDE_BIN: process.env['CLAUDE_BIN'] ?? 'claude',
    TODOIST_API_TOKEN: server.token,
    TODOIST_API_URL: server.url,
  });
  try {
    await eventWhere(worker.events, (event) => event['type'] === 'worker_started');
    server.addTask({ projectId: id, content: 'Write a draft about queues.' });
    // From when the poll has seen it: how long a poll takes to come is the interval's affair, not the worker's.
    const queued = await eventWhere(worker.events, (event) => event['type'] === 'task_queued');
    const started = await eventWhere(worker.events, (event) => event['type'] === 'attempt_started');
    const ended = await eventWhere(worker.events, (event) => event['type'] === 'attempt_ended');
    const label = await eventWhere(
      worker.events,
      (event) => event['type'] === 'report_sent' && event['kind'] === 'label',
    );
    if (ended['state'] !== 'completed')
      throw new Error(`expected the task to be completed, got: ${JSON.stringify(ended)}`);
    return { totalMs: at(label) - at(queued), start: at(started) - at(queued), end: at(label) - at(ended) };
  } finally {
    await worker.stop();
    await server.shutdown();
  }
}

function at(event: Record<string, unknown>): number {
  return Number(event['at']);
}
