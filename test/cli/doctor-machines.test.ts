/** What doctor says about the parts that several machines share, against the real servers. */
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { brokerIsThere, openSite } from '../delegation/site.ts';
import { createDatabase, hasPostgres } from '../store/postgres-server.ts';
import { openOffice, type Office } from '../worker/harness.ts';

interface Check {
  name: string;
  status: string;
  detail: string;
  hints: string[];
}

async function check(office: Office, name: string, env: Record<string, string>): Promise<Check | undefined> {
  const { stdout } = await office.agentq(['doctor', '--json'], {
    CLAUDE_BIN: join(office.root, 'no-claude'),
    ...env,
  });
  return (JSON.parse(stdout) as { checks: Check[] }).checks.find((each) => each.name === name);
}

describe.skipIf(!hasPostgres)('doctor and a database', () => {
  it('tells a database without tables from one with them, and never the password', async () => {
    const office = await openOffice();
    const database = await createDatabase();
    onTestFinished(() => database.drop());
    const { url } = database;
    const env = { DATABASE_URL: url };
    expect(await check(office, 'store', env)).toMatchObject({ status: 'WARN' });
    expect((await office.agentq(['init'], env)).exitCode).toBe(0);
    expect(await check(office, 'store', env)).toMatchObject({ status: 'PASS' });
    const wrong = url.replace(/\/\/[^@/]*@?/, '//somebody:hunter2hunter2@').replace(/\/[^/]*$/, '/nowhere');
    const refused = await check(office, 'store', { DATABASE_URL: wrong });
    expect(refused).toMatchObject({ status: 'FAIL' });
    expect(JSON.stringify(refused)).not.toContain('hunter2');
  });
});

describe.skipIf(!(await brokerIsThere()))('doctor and a broker', () => {
  it('names the server, says what is missing, and how long deliveries are held', async () => {
    const site = await openSite({ writer: ['output: workspace/drafts'] });
    const env = site.env('here');
    expect(await check(site.office, 'broker', env)).toMatchObject({
      status: 'PASS',
      detail: expect.stringMatching(/^RabbitMQ \d.* held at most 15 min each time/) as string,
    });
    site.office.role('editor', ['output: workspace/edited']);
    const missing = await check(site.office, 'broker', env);
    expect(missing).toMatchObject({ status: 'WARN', detail: expect.stringContaining('editor') as string });
    const away = { ...env, AMQP_URL: 'amqp://guest:hunter2hunter2@127.0.0.1:1' };
    const failed = await check(site.office, 'broker', away);
    expect(failed).toMatchObject({ status: 'FAIL' });
    expect(JSON.stringify(failed)).not.toContain('hunter2');
  });
});

it('doctor and an artifact root that cannot be reached', async () => {
  const office = await openOffice();
  const env = { AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: 'secret-secret' };
  const AGENT_ARTIFACTS = 's3://bucket/x?endpoint=http://127.0.0.1:1&region=eu-central-1';
  expect(await check(office, 'artifacts', {})).toMatchObject({ status: 'PASS' });
  expect(await check(office, 'artifacts', { ...env, AGENT_ARTIFACTS })).toMatchObject({ status: 'FAIL' });
});
