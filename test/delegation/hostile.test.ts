/** Whatever another program publishes, and whatever lies below the artifact root: the workers go on, and say what was wrong. */
import { connect } from 'amqplib';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { amqpUrl, brokerIsThere, openSite, type Site } from './site.ts';

const writer = { writer: ['output: workspace/drafts', 'lane: normal'] };
const there = await brokerIsThere();

async function publish(site: Site, key: string, bodies: string[]): Promise<void> {
  const connection = await connect(amqpUrl);
  const channel = await connection.createConfirmChannel();
  for (const body of bodies) channel.publish(site.prefix, key, Buffer.from(body), { persistent: true });
  await channel.waitForConfirms();
  await connection.close();
}

function envelope(id: string, more: object = {}): string {
  return JSON.stringify({
    task_id: id,
    from: 'coordinator',
    to: 'writer',
    title: 'A post',
    reply_to: 'results.coordinator',
    created_at: new Date().toISOString(),
    ...more,
  });
}

const withField = (message: string, field: string): string => message.replace(/\}$/, `,${field}}`);

/** All that was published before has been looked at when this has run. */
async function lastOne(site: Site): Promise<void> {
  await publish(site, 'task.writer.low', [envelope('task-last', { priority: 'low' })]);
  await site.office.until('the last one to run', () => site.runs('task-last') === 1);
}

describe.skipIf(!there)('a message that no task can be made of', () => {
  it('ends no worker, and becomes a dead letter that says why', async () => {
    const site = await openSite(writer);
    const deep = withField(envelope('task-deep'), `"x":${'['.repeat(20_000)}${']'.repeat(20_000)}`);
    await publish(site, 'task.writer', [deep, envelope('todoist:123')]);
    site.worker('machine-1');
    await lastOne(site);
    const { stdout } = await site.agentq('asker', ['dlq']);
    expect(stdout).toContain('nested more than 100 deep');
    expect(stdout).toContain('that of a task in Todoist: todoist:123');
    expect(site.runs('todoist:123')).toBe(0);
  });

  it('has the id of another task: that task stays as it is', async () => {
    const site = await openSite({ ...writer, painter: ['output: workspace/pictures'] });
    site.worker('machine-1');
    await publish(site, 'task.writer', [envelope('task-ours')]);
    await site.office.until('ours', async () => (await site.state('machine-1', 'task-ours')) === 'completed');
    await publish(site, 'task.writer', [
      envelope('task-ours', { from: 'stranger', redrive: 7 }),
      envelope('task-ours', { instructions: 'Something else.' }),
    ]);
    await publish(site, 'task.painter', [envelope('task-ours', { to: 'painter', redrive: 8 })]);
    await lastOne(site);
    await site.office.until('three dead letters', async () => {
      const { stdout } = await site.agentq('asker', ['dlq']);
      return stdout.split('the id task-ours belongs to another task').length === 4;
    });
    expect(site.runs('task-ours')).toBe(1);
    expect(await site.state('machine-1', 'task-ours')).toBe('completed');
  });
});

describe.skipIf(!there)('a task whose message is fine', () => {
  it('runs where another coordinator uses the same key', async () => {
    const site = await openSite(writer);
    const key = { idempotency_key: 'nightly' };
    await publish(site, 'task.writer', [
      envelope('task-one', key),
      envelope('task-two', { ...key, from: 'editor' }),
    ]);
    site.worker('machine-1');
    await lastOne(site);
    await site.office.until('both', () => site.runs('task-one') + site.runs('task-two') === 2);
    expect(site.runs('task-one')).toBe(1);
  });

  it('runs where its marks below the artifact root are no files', async () => {
    const site = await openSite(writer);
    const folder = (id: string): string => join(site.office.root, 'shared', 'artifacts', id);
    mkdirSync(join(folder('task-folder'), 'cancelled.json'), { recursive: true });
    mkdirSync(folder('task-link'), { recursive: true });
    symlinkSync('/etc/passwd', join(folder('task-link'), 'manifest.json'));
    writeFileSync(folder('task-file'), '');
    const ids = ['task-folder', 'task-link', 'task-file'];
    await publish(
      site,
      'task.writer',
      ids.map((id) => envelope(id)),
    );
    site.worker('machine-1');
    await lastOne(site);
    await site.office.until('all', () => ids.every((id) => site.runs(id) > 0));
    expect(ids.map((id) => site.runs(id))).toEqual([1, 1, 1]);
  });
});

describe.skipIf(!there)('a task that is put back', () => {
  it('runs with the words and the time that it has now', async () => {
    const site = await openSite(writer);
    site.worker('machine-1');
    const id = await site.submit('asker', ['A post [give up]', '--to', 'writer', '--ttl', '2h']);
    expect(await site.agentq('asker', ['result', id, '--wait', '20s'])).toMatchObject({ exitCode: 11 });
    const before = await site.json('machine-1', ['show', id]);
    await site.agentq('asker', ['redrive', id, '--edit', 'Other words.']);
    await site.office.until('the second run', () => site.runs(id) === 2);
    expect(site.office.noted().findLast(({ what }) => what === 'start')?.prompt).toContain('Other words.');
    const { deadline_at: deadline } = await site.json('machine-1', ['show', id]);
    expect(Date.parse(String(deadline))).toBeGreaterThan(Date.parse(String(before['deadline_at'])));
    expect(Date.parse(String(deadline))).toBeLessThan(Date.now() + 2 * 3_600_000);
  });

  it('and cancelled before anybody took it is not begun', async () => {
    const site = await openSite(writer);
    const id = await site.submit('asker', ['A post', '--to', 'writer']);
    for (const verb of ['cancel', 'redrive', 'cancel']) await site.agentq('asker', [verb, id]);
    site.worker('machine-1');
    await lastOne(site);
    expect(site.runs(id)).toBe(0);
  });

  it('and completed from a shell before anybody took it is not begun', async () => {
    const site = await openSite(writer);
    const id = await site.submit('asker', ['A post', '--to', 'writer']);
    const file = join(site.office.root, 'result.md');
    writeFileSync(file, 'Done by hand.\n');
    const from = ['--from', 'writer'];
    await site.json('asker', ['cancel', id]);
    await site.json('asker', ['redrive', id]);
    await site.json('asker', ['complete', id, ...from, '--result-file', file, '--summary', 'Done.']);
    site.worker('machine-1');
    await lastOne(site);
    await site.office.until('it to be at rest', async () =>
      ['cancelled', 'completed'].includes(String(await site.state('machine-1', id))),
    );
    expect(site.runs(id)).toBe(0);
    expect(await site.json('asker', ['status', id])).toMatchObject({ state: 'completed', verified: true });
  });

  it('while its machine still runs it for the message before runs anew, and is answered', async () => {
    const site = await openSite(writer);
    site.worker('machine-1');
    await publish(site, 'task.writer', [envelope('task-again', { title: 'A post [wait never]' })]);
    await site.office.until('the first run', () => site.runs('task-again') === 1);
    await publish(site, 'task.writer', [envelope('task-again', { title: 'A post', redrive: 1 })]);
    await site.office.until('the second', () => site.runs('task-again') === 2);
    await site.office.until('its end', async () => {
      return (await site.state('machine-1', 'task-again')) === 'completed';
    });
    expect(site.runs('task-again')).toBe(2);
  });
});

describe.skipIf(!there)('a task that was cancelled while its machine was away', () => {
  it('is not begun when the machine is back', async () => {
    const site = await openSite(writer);
    const [first, second] = [
      await site.submit('asker', ['A post [wait go]', '--to', 'writer']),
      await site.submit('asker', ['Another [wait go]', '--to', 'writer']),
    ];
    const worker = site.worker('machine-1');
    await site.office.until('both to run', () => site.runs(first) + site.runs(second) === 2);
    worker.kill('SIGKILL');
    await worker.ended;
    expect(await site.agentq('asker', ['cancel', second])).toMatchObject({ exitCode: 0 });
    site.office.release('go');
    site.worker('machine-1');
    await lastOne(site);
    expect(await site.agentq('asker', ['result', first, '--wait', '20s'])).toMatchObject({ exitCode: 0 });
    await site.office.until('its end', async () => (await site.state('machine-1', second)) === 'cancelled');
    expect(site.runs(second)).toBe(1);
  });
});
