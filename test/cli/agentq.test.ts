/** The verbs of agentq, each as the process that a person or an agent starts. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { finished, asks, type Office, openOffice, portAgent, talker } from '../worker/harness.ts';

interface Shown {
  id: string;
  state: string;
  note: string | null;
  attempts: { result: string | null; artifacts: { path: string; size: number; sha256: string }[] }[];
  events: { type: string }[];
  thread: { from: string; text: string }[];
  [key: string]: unknown;
}

async function json<T = Shown>(office: Office, ...args: string[]): Promise<T> {
  const { exitCode, stdout, stderr } = await office.agentq([...args, '--json']);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  return JSON.parse(stdout) as T;
}

async function submit(office: Office, title: string, ...more: string[]): Promise<string> {
  return (await json(office, 'submit', title, '--to', 'linkedin-writer', ...more)).id;
}

async function stateOf(office: Office, id: string): Promise<string | undefined> {
  const store = await office.store();
  return (await store.read(({ tasks }) => tasks.get(id)))?.state;
}

describe('agentq submit', () => {
  it('puts a task into the local queue, with its context, and shows it', async () => {
    const office = await openOffice();
    writeFileSync(join(office.root, 'notes.md'), '# Notes\nQueues are calm.\n');
    const submitted = await json(
      office,
      'submit',
      'A post',
      '--to',
      'linkedin-writer',
      '--file',
      'notes.md',
      '--priority',
      'p2',
    );
    expect(submitted).toMatchObject({
      id: expect.stringMatching(/^task-[0-9a-f-]{36}$/) as unknown,
      state: 'queued',
      queue: 'local',
      role: 'linkedin-writer',
      priority: 'p2',
      description: '# Notes\nQueues are calm.\n',
      deduplicated: false,
    });
    const { tasks } = await json<{ tasks: Shown[] }>(office, 'list');
    expect(tasks.map(({ id }) => id)).toEqual([submitted.id]);
    expect((await office.agentq(['list', '--state', 'completed'])).stdout).toBe('no tasks');
    expect((await office.agentq(['list', '-q', '--role', 'linkedin-writer'])).stdout).toBe(submitted.id);
    // The beginning of an id will do.
    expect(await json(office, 'show', submitted.id.slice(0, 12))).toMatchObject({
      id: submitted.id,
      attempts: [],
    });
    expect((await json<{ why: string }>(office, 'why', submitted.id)).why).toMatch(
      /^No running worker serves/,
    );
  });

  it('with the same key is one task, and the same key for something else an error', async () => {
    const office = await openOffice();
    const args = ['submit', 'A post', '--to', 'linkedin-writer', '--key', 'monday', '--json'];
    const answers = await Promise.all([office.agentq(args), office.agentq(args)]);
    const [first, second] = answers.map(({ stdout }) => JSON.parse(stdout) as Shown);
    expect(first?.id).toBe(second?.id);
    expect([first?.['deduplicated'], second?.['deduplicated']]).toEqual(
      expect.arrayContaining([true, false]),
    );
    const other = await office.agentq(['submit', 'Another post', ...args.slice(2)]);
    expect(other).toMatchObject({ exitCode: 1, stdout: '' });
    expect(JSON.parse(other.stderr)).toMatchObject({
      error: { code: 'CONFLICT', message: expect.stringContaining(first?.id ?? '?') as unknown },
    });
    expect((await json<{ tasks: Shown[] }>(office, 'list')).tasks).toHaveLength(1);
  });

  it.each([
    [['submit', 'A post'], 'required option'],
    [['submit', '--to', 'linkedin-writer'], 'expected a title'],
    [['submit', 'A post', '--to', 'linkedin-writer', '--priority', 'p9'], 'expected --priority urgent'],
    [['submit', 'A post', '--to', 'linkedin-writer', '--ttl', 'soon'], 'expected --ttl'],
    [['submit', 'A post', '--to', 'linkedin-writer', '--budget', '-1'], 'expected --budget'],
    [['list', '--state', 'asleep'], 'expected --state'],
    [['list', '--limit', 'many'], 'expected --limit'],
    [['list', '--colour'], 'unknown option'],
    [['frobnicate'], 'unknown command'],
    [[], 'expected a verb'],
  ])('%j is wrong usage', async (args, message) => {
    const office = await openOffice();
    const { exitCode, stdout, stderr } = await office.agentq(args);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toContain(message);
  });

  it('names what there is when the role or the file does not exist', async () => {
    const office = await openOffice();
    const role = await office.agentq(['submit', 'A post', '--to', 'plumber']);
    expect(role.exitCode).toBe(1);
    expect(role.stderr).toContain('expected the name of a role, got: "plumber"');
    expect(role.stderr).toContain('linkedin-writer');
    const file = await office.agentq(['submit', 'A post', '--to', 'linkedin-writer', '--file', 'none.md']);
    expect(file.exitCode).toBe(1);
    expect(file.stderr).toContain('none.md');
  });
});

describe('agentq show', () => {
  it('has attempts, events, artifacts and the thread of what was done', async () => {
    const office = await openOffice();
    const id = await submit(office, 'A post');
    expect((await office.workerProgram(['--queue', 'local']).ended).exitCode).toBe(0);
    const shown = await json(office, 'show', id);
    expect(shown.state).toBe('completed');
    expect(shown.attempts).toMatchObject([
      {
        result: 'done',
        artifacts: [
          { path: 'linkedin/a-post.md', sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as unknown },
        ],
      },
    ]);
    expect(shown.events.map(({ type }) => type)).toEqual(
      expect.arrayContaining(['queued', 'running', 'step', 'completed']),
    );
    expect(shown.thread.map(({ text }) => text.split('\n')[0])).toEqual([
      '🔧 Working on it.',
      '✅ Wrote “A post”.',
    ]);
    const { stdout } = await office.agentq(['show', id]);
    for (const part of ['A post', 'completed', 'linkedin/a-post.md', '✅ Wrote “A post”.'])
      expect(stdout).toContain(part);
  });

  it.each(['show', 'why', 'cancel', 'redrive'])('%s of a task that is not there says so', async (verb) => {
    const office = await openOffice();
    await submit(office, 'A post');
    const { exitCode, stderr } = await office.agentq([verb, 'task-none']);
    expect(exitCode).toBe(3);
    expect(stderr).toMatch(/^Error: NOT_FOUND\nexpected the id of a task, got: "task-none"\n/);
  });
});

describe('agentq inbox and answer', () => {
  it('list what waits for a person over all queues, oldest first, and answer it', async () => {
    const office = await openOffice({ roles: talker });
    const local = await submit(office, 'A local post');
    const agent = portAgent(({ request }) =>
      request.prompt.includes('has answered') ? finished() : asks(`How long, ${request.taskId}?`),
    );
    office.start({ agent });
    await office.until('the question', async () => (await stateOf(office, local)) === 'input_required');
    const task = office.add('A post from the phone');
    await office.untilLabel(task, 'agent-review');
    const { tasks } = await json<{ tasks: (Shown & { question: string })[] }>(office, 'inbox');
    expect(tasks.map(({ id }) => id)).toEqual([local, `todoist:${task}`]);
    expect(tasks[0]?.question).toContain(`**To decide**\nHow long, ${local}?`);
    expect((await office.agentq(['inbox'])).stdout).toContain(`→ agentq answer ${local} "…"`);

    for (const id of [local, `todoist:${task}`])
      expect(await json(office, 'answer', id, 'A hundred words')).toMatchObject({ result: 'answered' });
    await office.untilLabel(task, 'agent-done');
    await office.until('the local one', async () => (await stateOf(office, local)) === 'completed');
    // The phone shows it as well.
    expect(office.said(task)).toContain('💬 Answered with agentq: A hundred words');
    await office.polls();
    expect(agent.requests).toHaveLength(4);
    expect((await office.agentq(['inbox'])).stdout).toBe('nothing waits for you');
    // The thread of a local task has both sides.
    const { thread } = await json(office, 'show', local);
    expect(thread.map(({ from }) => from)).toEqual(['worker', 'worker', 'person', 'worker', 'worker']);
  });

  it('refuse an answer to what asks nothing', async () => {
    const office = await openOffice();
    const id = await submit(office, 'A post');
    const { exitCode, stderr } = await office.agentq(['answer', id, 'yes', '--json']);
    expect(exitCode).toBe(1);
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'CONFLICT' } });
    expect((await office.agentq(['answer', id, ' '])).exitCode).toBe(2);
  });
});

describe('agentq cancel', () => {
  it('ends the running agent, and says so in the task', async () => {
    const office = await openOffice();
    const task = office.add('A post [wait ever]');
    const worker = office.workerProgram();
    await office.until('the agent to run', () => office.runs().length === 1);
    const pid = office.runs()[0]?.pid ?? 0;
    await json(office, 'cancel', `todoist:${task}`, '--reason', 'not needed any more');
    await office.until('the agent to be gone', () => !isAlive(pid));
    await office.until('a comment about it', () => office.said(task).length === 2);
    expect(office.last(task)).toBe('■ Cancelled: not needed any more');
    expect(await json(office, 'show', task)).toMatchObject({
      state: 'cancelled',
      note: 'not needed any more',
      attempts: [{ result: 'cancelled' }],
    });
    expect((await office.agentq(['cancel', task])).stdout).toContain('not changed: it had already ended');
    expect(office.labels(task)).toEqual([]);
    worker.kill('SIGTERM');
    expect((await worker.ended).exitCode).toBe(0);
    expect(office.runs()).toHaveLength(1);
  });
});

describe('agentq redrive and dlq', () => {
  it('show dead letters with their reasons, and run them again', async () => {
    const office = await openOffice();
    const once = ['--queue', 'local', '--max-attempts', '1'];
    const id = await submit(office, 'A post [exit 3]');
    expect((await office.agentq(['dlq'])).stdout).toBe('no dead letters');
    expect((await office.workerProgram(once).ended).exitCode).toBe(0);
    const { stdout } = await office.agentq(['dlq', 'list']);
    expect(stdout).toContain(id);
    expect(stdout).toMatch(/agent: .*exit code 3: scripted to end with 3/);
    expect(await json(office, 'dlq', 'show', id)).toMatchObject({ state: 'failed', failure_kind: 'agent' });

    const text = 'Only the headline.';
    expect(await json(office, 'dlq', 'redrive', id, '--edit', text)).toMatchObject({
      state: 'queued',
      description: text,
    });
    const again = await office.agentq(['redrive', id]);
    expect(again.exitCode).toBe(1);
    expect(again.stderr).toContain('it runs anyway');
    expect((await office.workerProgram(once).ended).exitCode).toBe(0);
    expect(office.noted().filter(({ what }) => what === 'start')).toHaveLength(2);
    expect(office.noted().at(-1)?.prompt).toContain(text);

    const refusal = await office.agentq(['dlq', 'purge']);
    expect(refusal.exitCode).toBe(2);
    expect(await json(office, 'dlq', 'purge', '--yes')).toEqual({ purged: [id] });
    expect((await office.agentq(['dlq'])).stdout).toBe('no dead letters');
    expect(await stateOf(office, id)).toBe('cancelled');
  });
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
