/** Tasks that go through the real RabbitMQ between machines that share nothing but it and the artifact root. */
import { connect } from 'amqplib';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openStore } from '../../tools/store/store.ts';
import { amqpUrl, brokerIsThere, openSite, type Site } from './site.ts';

const writer = { writer: ['output: workspace/drafts', 'lane: normal'] };
const there = await brokerIsThere();

const publish = (site: Site, message: unknown, key = 'task.writer'): Promise<void> =>
  publishAll(site, [message], key);

async function publishAll(site: Site, messages: unknown[], key: string): Promise<void> {
  const connection = await connect(amqpUrl);
  const channel = await connection.createConfirmChannel();
  for (const message of messages) {
    const body = typeof message === 'string' ? message : JSON.stringify(message);
    channel.publish(site.prefix, key, Buffer.from(body), { persistent: true });
  }
  await channel.waitForConfirms();
  await connection.close();
}

function envelope(id: string, more: object = {}): object {
  return {
    task_id: id,
    from: 'coordinator',
    to: 'writer',
    title: 'A post',
    reply_to: 'results.coordinator',
    created_at: new Date().toISOString(),
    ...more,
  };
}

describe.skipIf(!there)('a task through the broker', () => {
  it('is done on another machine, and its result is verified here', async () => {
    const site = await openSite(writer);
    const file = join(site.office.root, 'context.md');
    writeFileSync(file, 'Everything that is known.\n');
    const id = await site.submit('asker', ['A post', '--to', 'writer', '--file', file, '--expect', 'a post']);
    site.worker('machine-1');
    const result = await site.agentq('asker', ['result', id, '--wait', '20s']);
    expect(result).toMatchObject({ exitCode: 0 });
    expect(await site.json('asker', ['status', id])).toMatchObject({ state: 'completed', verified: true });
    expect(site.runs(id)).toBe(1);
    const [run] = site.office.noted();
    expect(run?.prompt).toContain('Everything that is known.');
    expect(run?.prompt).toMatch(
      /^Context: tasks\/task-\S+\.md, by \S+ \(agentq\), \S+, sha256 [0-9a-f]{64}$/m,
    );
  });

  it('that comes twice is run once', async () => {
    const site = await openSite(writer);
    for (let copy = 0; copy < 3; copy += 1) await publish(site, envelope('task-twice'));
    await publish(site, envelope('task-last', { title: 'The last', priority: 'low' }), 'task.writer.low');
    site.worker('machine-1');
    await site.office.until('the last one to run', () => site.runs('task-last') === 1);
    await site.office.until(
      'all to end',
      () => site.office.noted().filter(({ what }) => what === 'end').length === 2,
    );
    expect(site.runs('task-twice')).toBe(1);
  });

  it('goes on with another machine when its own is lost', async () => {
    const site = await openSite(writer);
    const id = await site.submit('asker', ['A post [wait go]', '--to', 'writer']);
    const first = site.worker('machine-1');
    await site.office.until('the first run', () => site.runs(id) === 1);
    first.kill('SIGKILL');
    await first.ended;
    site.worker('machine-2');
    await site.office.until('the second run', () => site.runs(id) === 2);
    site.office.release('go');
    expect(await site.agentq('asker', ['result', id, '--wait', '20s'])).toMatchObject({ exitCode: 0 });
  });

  it('is answered from its result when it was done before', async () => {
    const site = await openSite(writer);
    const id = await site.submit('asker', ['A post', '--to', 'writer', '--key', 'k']);
    site.worker('machine-1');
    expect(await site.agentq('asker', ['result', id, '--wait', '20s'])).toMatchObject({ exitCode: 0 });
    // The asker has lost its store, and asks again; the machine that did it is gone as well.
    site.worker('machine-2');
    expect(await site.submit('new-asker', ['A post', '--to', 'writer', '--key', 'k'])).toBe(id);
    expect(await site.agentq('new-asker', ['result', id, '--wait', '20s'])).toMatchObject({ exitCode: 0 });
    expect(site.runs(id)).toBe(1);
  });

  it('is dropped everywhere when it is cancelled', async () => {
    const site = await openSite(writer);
    const running = await site.submit('asker', ['A post [wait never]', '--to', 'writer']);
    const worker = site.worker('machine-1');
    await site.office.until('it to run', () => site.runs(running) === 1);
    expect(await site.agentq('asker', ['cancel', running])).toMatchObject({ exitCode: 0 });
    await site.office.until('the worker to drop it', () => worker.output().includes('task_cancelled'));
    const pid = site.office.noted()[0]?.pid ?? 0;
    await site.office.until('its agent to be gone', () => !isThere(pid));
    expect((await site.agentq('asker', ['result', running])).exitCode).toBe(11);
  });

  it('that was cancelled before anybody took it is not begun', async () => {
    const site = await openSite(writer);
    const id = await site.submit('asker', ['A post', '--to', 'writer']);
    expect(await site.agentq('asker', ['cancel', id])).toMatchObject({ exitCode: 0 });
    site.worker('machine-1');
    const other = await site.submit('asker', ['Another', '--to', 'writer']);
    expect(await site.agentq('asker', ['result', other, '--wait', '20s'])).toMatchObject({ exitCode: 0 });
    expect(site.runs(id)).toBe(0);
  });

  it('that failed is put back by its asker, and runs again', async () => {
    const site = await openSite(writer);
    const id = await site.submit('asker', ['A post [give up]', '--to', 'writer']);
    site.worker('machine-1');
    expect(await site.agentq('asker', ['result', id, '--wait', '20s'])).toMatchObject({ exitCode: 11 });
    expect((await site.agentq('asker', ['dlq'])).stdout).toContain(id);
    expect(await site.agentq('asker', ['redrive', id])).toMatchObject({ exitCode: 0 });
    await site.office.until('the second run', () => site.runs(id) === 2);
    expect(await site.agentq('asker', ['result', id, '--wait', '20s'])).toMatchObject({ exitCode: 11 });
  });

  it('is refused when its context is not what was submitted', async () => {
    const site = await openSite(writer);
    const file = join(site.office.root, 'context.md');
    writeFileSync(file, 'As it was.\n');
    const id = await site.submit('asker', ['A post', '--to', 'writer', '--file', file]);
    writeFileSync(join(site.office.root, 'shared', 'tasks', `${id}.md`), 'As it is now.\n');
    site.worker('machine-1');
    expect(await site.agentq('asker', ['result', id, '--wait', '20s'])).toMatchObject({ exitCode: 11 });
    expect((await site.agentq('asker', ['status', id])).stdout).toContain('context');
    expect(site.runs(id)).toBe(0);
  });

  it('that nobody may ask for is refused', async () => {
    const site = await openSite({ writer: ['accepts_from: [editor]', 'output: workspace/drafts'] });
    await publish(site, envelope('task-stranger'));
    const worker = site.worker('machine-1');
    await site.office.until(
      'the refusal',
      async () => (await site.state('machine-1', 'task-stranger')) === 'failed',
    );
    expect((await site.agentq('machine-1', ['status', 'task-stranger'])).stdout).toContain(
      'takes no tasks from coordinator',
    );
    expect(site.runs('task-stranger')).toBe(0);
    expect(worker.output()).not.toContain('attempt_started');
  });

  it('that is malformed becomes a dead letter with its reason, and holds nobody up', async () => {
    const site = await openSite(writer);
    await publish(site, '{"task_id": "task-bad", "to"');
    await publish(site, envelope('task-bad-too', { priority: 'very' }));
    await publish(site, envelope('task-good'));
    site.worker('machine-1');
    await site.office.until('the good one', async () => site.runs('task-good') === 1);
    const { stdout } = await site.agentq('asker', ['dlq']);
    expect(stdout).toContain('it is not JSON');
    expect(stdout).toContain('priority');
  });

  it('keeps fields that we do not know, and tells what became of it to whoever asked', async () => {
    const site = await openSite(writer);
    await publish(
      site,
      envelope('task-foreign', { colour: 'blue', from: 'elsewhere', reply_to: 'results.coordinator' }),
    );
    site.worker('machine-1');
    await site.office.until('its end', async () => site.office.noted().some(({ what }) => what === 'end'));
    const completion = await nextCompletion(site);
    expect(completion).toMatchObject({
      task_id: 'task-foreign',
      from: 'writer',
      to: 'elsewhere',
      status: 'completed',
      result_ref: 'results/task-foreign.md',
      summary: 'Wrote “A post”.',
    });
    const shown = await site.json('machine-1', ['show', 'task-foreign']);
    expect(JSON.stringify(shown)).toContain('"colour":"blue"');
  });

  it('is not begun when its time has passed', async () => {
    const site = await openSite(writer);
    const past = new Date(Date.now() - 60_000).toISOString();
    await publish(site, envelope('task-late', { created_at: past, ttl_seconds: 30 }));
    site.worker('machine-1');
    await site.office.until('its end', async () => (await site.state('machine-1', 'task-late')) === 'failed');
    expect(site.runs('task-late')).toBe(0);
    expect(await nextCompletion(site)).toMatchObject({ task_id: 'task-late', status: 'failed' });
  });

  it('for a role that no broker knows is refused at once, and can be put back', async () => {
    const site = await openSite(writer);
    const refused = await site.agentq('asker', ['submit', 'A post', '--to', 'painter']);
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toMatch(/^Error: QUEUE_REJECTED\n[^]*agentq init/);
    const [, id = ''] = /redrive (\S+)/.exec(refused.stderr) ?? [];
    expect(await site.state('asker', id)).toBe('failed');
  });

  it('stays with the broker while the artifact root is away', async () => {
    const site = await openSite(writer);
    const root = join(site.office.root, 'shared');
    mkdirSync(root, { recursive: true });
    const worker = site.worker('machine-1');
    await site.office.until('the worker', () => worker.output().includes('worker_started'));
    renameSync(root, `${root}-away`);
    const away = { AGENT_ARTIFACTS: `${root}-away` };
    const { stdout } = await site.agentq('asker', ['submit', 'A post', '--to', 'writer', '-q'], away);
    await site.office.until('the worker to say so', () => worker.output().includes('queue_down'));
    expect(site.office.noted()).toEqual([]);
    renameSync(`${root}-away`, root);
    const result = await site.agentq('asker', ['result', stdout.trim(), '--wait', '25s']);
    expect(result).toMatchObject({ exitCode: 0 });
  });

  it('hears of its end behind many that are told to somebody else', async () => {
    const site = await openSite(writer);
    const id = await site.submit('asker', ['A post', '--to', 'writer']);
    const end = { from: 'writer', to: 'coordinator', status: 'failed', created_at: new Date().toISOString() };
    const ids = [...Array.from({ length: 250 }, (_, number) => `task-else-${number}`), id];
    const ends = ids.map((task) => ({ ...end, task_id: task, summary: `It is ${task}.` }));
    await publishAll(site, ends, 'results.coordinator');
    const { stdout } = await site.agentq('asker', ['status', id]);
    expect(stdout).toContain(`It is ${id}.`);
    const other = await site.agentq('asker', ['list', '-q']);
    expect(other.stdout.trim()).toBe(id);
  });

  it('is in the store where the broker lets nobody in, and goes out once it does', async () => {
    const site = await openSite(writer);
    const wrong = new URL(amqpUrl);
    wrong.password = 'not-the-password';
    const refused = await site.agentq('asker', ['submit', 'A post', '--to', 'writer'], {
      AMQP_URL: wrong.href,
    });
    expect(refused.exitCode).toBe(1);
    const [, id = ''] = /^- (task-\S+) is stored: do not say it again/m.exec(refused.stderr) ?? [];
    expect(refused.stderr).not.toContain('not-the-password');
    site.worker('machine-1');
    expect(await site.agentq('asker', ['result', id, '--wait', '20s'])).toMatchObject({ exitCode: 0 });
  });

  it('that nobody has told of is given up by its asker when its time is long over', async () => {
    const site = await openSite(writer);
    const id = await site.submit('asker', ['A post', '--to', 'writer', '--ttl', '1h']);
    const store = await openStore(join(site.office.root, 'asker'));
    await store.transaction(({ tasks }) =>
      tasks.patch(id, { deadlineAt: Date.now() - 3_600_000 }, Date.now()),
    );
    await store.close();
    const result = await site.agentq('asker', ['result', id]);
    expect(result).toMatchObject({ exitCode: 11 });
    expect(result.stderr).toContain('that has passed');
    // What is told late counts all the same.
    site.worker('machine-1');
    await site.office.until('its result', async () => (await site.state('asker', id)) === 'completed');
  });

  it('waits in the store while the broker is away', async () => {
    const site = await openSite(writer);
    const away = { AMQP_URL: 'amqp://guest:guest@127.0.0.1:1' };
    const { exitCode, stdout, stderr } = await site.agentq(
      'asker',
      ['submit', 'A post', '--to', 'writer', '-q'],
      away,
    );
    expect(exitCode).toBe(0);
    expect(stderr).toContain('the broker has not got it yet');
    site.worker('machine-1');
    expect(await site.agentq('asker', ['result', stdout.trim(), '--wait', '20s'])).toMatchObject({
      exitCode: 0,
    });
  });
});

async function nextCompletion(site: Site): Promise<unknown> {
  const connection = await connect(amqpUrl);
  const channel = await connection.createChannel();
  try {
    for (;;) {
      const message = await channel.get(`${site.prefix}.results.coordinator`, { noAck: true });
      if (message) return JSON.parse(message.content.toString());
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  } finally {
    await connection.close();
  }
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
