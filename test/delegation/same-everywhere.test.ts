/** One session, wherever tasks are kept and however they travel: every command says the same. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { runSession, sessionRoles, type Said } from '../cli/delegation-session.ts';
import { createDatabase, hasPostgres } from '../store/postgres-server.ts';
import { openOffice, type Office } from '../worker/harness.ts';
import { brokerIsThere, openSite } from './site.ts';

const hasBroker = await brokerIsThere();

/** The session in this office: with a store in its files where `env` names no other. */
function sessionIn(office: Office, env: Record<string, string> = {}): Promise<Said[]> {
  return runSession({
    agentq: (args) => office.agentq(args, env),
    write: (name, text) => writeFileSync(join(office.root, name), text),
  });
}

async function database(): Promise<Record<string, string>> {
  const created = await createDatabase();
  onTestFinished(() => created.drop());
  return { DATABASE_URL: created.url };
}

describe('a session says the same as on files', () => {
  it.skipIf(!hasPostgres)('on PostgreSQL', async () => {
    const env = await database();
    const office = await openOffice({ roles: sessionRoles });
    expect(await sessionIn(office, env)).toEqual(await sessionIn(office));
  });

  it.skipIf(!hasBroker)('through RabbitMQ', async () => {
    const site = await openSite(sessionRoles);
    expect(await sessionIn(site.office, site.env('here'))).toEqual(await sessionIn(site.office));
  });

  it.skipIf(!hasBroker || !hasPostgres)('through RabbitMQ with a store on PostgreSQL', async () => {
    const env = await database();
    const site = await openSite(sessionRoles);
    expect(await sessionIn(site.office, site.env('here', env))).toEqual(await sessionIn(site.office));
  });
});

describe.skipIf(!hasBroker)('a worker in a shell on another machine', () => {
  it('claims over the broker, delivers below the artifact root, and the asker has it', async () => {
    const site = await openSite(sessionRoles);
    writeFileSync(join(site.office.root, 'context.md'), 'All that is known.\n');
    writeFileSync(join(site.office.root, 'result.md'), '# Done\nAs asked.\n');
    const to = ['--to', 'review-worker'];
    const id = await site.submit('asker', ['Review', ...to, '--file', 'context.md']);
    const claimed = await site.json('shell', ['claim', '--as', 'review-worker', '--wait', '20s']);
    expect(claimed).toMatchObject({ id, context: 'All that is known.\n' });
    expect((await site.agentq('other', ['claim', '--as', 'review-worker'])).exitCode).toBe(10);
    const delivery = ['--from', 'review-worker', '--result-file', 'result.md', '--summary', 'Reviewed.'];
    const attempt = ['--attempt', String(claimed['attempt_id'])];
    expect(await site.agentq('shell', ['complete', id, ...delivery, ...attempt])).toMatchObject({
      exitCode: 0,
    });
    expect(await site.agentq('asker', ['result', id, '--wait', '20s'])).toEqual({
      exitCode: 0,
      stdout: '# Done\nAs asked.',
      stderr: '',
    });
    const failing = await site.submit('asker', ['Review more', ...to]);
    await site.json('shell', ['claim', '--as', 'review-worker', '--wait', '20s']);
    await site.agentq('shell', ['fail', failing, '--from', 'review-worker', '--reason', 'Too vague']);
    expect(await site.agentq('asker', ['result', failing, '--wait', '20s'])).toEqual({
      exitCode: 11,
      stdout: '',
      stderr: `${failing}  failed: Too vague`,
    });
  });

  it('is not given what its asker has done itself meanwhile', async () => {
    const site = await openSite(sessionRoles);
    writeFileSync(join(site.office.root, 'result.md'), '# Done\nAs asked.\n');
    const role = 'review-worker';
    const done = await site.submit('asker', ['Review', '--to', role]);
    const failed = await site.submit('asker', ['Review more', '--to', role]);
    const delivery = ['--from', role, '--result-file', 'result.md', '--summary', 'Reviewed.'];
    expect(await site.agentq('asker', ['complete', done, ...delivery])).toMatchObject({ exitCode: 0 });
    const fail = ['fail', failed, '--from', role, '--reason', 'Not needed'];
    expect(await site.agentq('asker', fail)).toMatchObject({ exitCode: 0 });
    expect((await site.agentq('shell', ['claim', '--as', role])).exitCode).toBe(10);
    expect(await site.state('asker', done)).toBe('completed');
    expect(await site.state('asker', failed)).toBe('failed');
  });
});

describe.skipIf(!hasPostgres)('shells on one PostgreSQL', () => {
  it('never get the same task, and take over from one whose lease is over', async () => {
    const env = await database();
    const office = await openOffice({ roles: { coder: ['lane: normal'] } });
    const submit = async (): Promise<string> =>
      (await office.agentq(['submit', 'A change', '--to', 'coder', '-q'], env)).stdout;
    const ids = [await submit(), await submit(), await submit()];
    const claim = (...more: string[]): Promise<{ stdout: string }> =>
      office.agentq(['claim', '--as', 'coder', '-q', ...more], env);
    const claimed = await Promise.all(ids.map(() => claim()));
    expect(claimed.map(({ stdout }) => stdout).sort()).toEqual([...ids].sort());
    const last = await submit();
    expect((await claim('--lease', '1s')).stdout).toBe(last);
    expect((await claim('--wait', '20s')).stdout).toBe(last);
  });
});
