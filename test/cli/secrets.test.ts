/** No secret of ours leaves in a task, whichever way it got into the words. */
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { refuseSecrets } from '../../tools/cli/secrets.ts';
import { openOffice } from '../worker/harness.ts';

const env = {
  TODOIST_API_TOKEN: 'f00dfeed'.repeat(5),
  AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI',
  DATABASE_URL: 'postgres://worker:p%40ssword-1@db/x',
  AMQP_URL: 'amqp://worker:100%-mine@mq',
  SHORT_KEY: 'abc',
  PATH: '/usr/bin:/opt/agents',
};

describe('a text', () => {
  it.each([
    ['TODOIST_API_TOKEN', `use ${env.TODOIST_API_TOKEN}`],
    ['AWS_SECRET_ACCESS_KEY', 'key=wJalrXUtnFEMI;'],
    ['DATABASE_URL', 'the password is p@ssword-1'],
    ['DATABASE_URL', 'psql postgres://worker:p%40ssword-1@db/x'],
    ['AMQP_URL', 'the password is 100%-mine'],
  ])('with the value of %s is refused by that name, and not by the value', (name, text) => {
    const refused = (): void => refuseSecrets(text, env, 'the task');
    expect(refused).toThrow(`the task contains the value of ${name}`);
    expect(refused).not.toThrow(text);
  });

  it('with what is no secret, or too short to be one, is fine', () => {
    const text = 'abc, see /usr/bin:/opt/agents and postgres://db/x';
    expect(() => refuseSecrets(text, env, 'the task')).not.toThrow();
  });
});

it('agentq submit leaves nothing behind of what it refuses', async () => {
  const office = await openOffice();
  const file = join(office.root, 'context.md');
  writeFileSync(file, `curl -H "Authorization: ${office.todoist.token}"\n`);
  for (const words of [
    ['--file', file],
    ['--instructions', office.todoist.token],
  ]) {
    const { exitCode, stderr } = await office.agentq([
      'submit',
      'A post',
      '--to',
      'linkedin-writer',
      ...words,
    ]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain('contains the value of TODOIST_API_TOKEN');
    expect(stderr).not.toContain(office.todoist.token);
  }
  const { stdout } = await office.agentq(['list', '-q']);
  expect(stdout).toBe('');
  const contexts = join(office.workspace, 'tasks');
  expect(existsSync(contexts) ? readdirSync(contexts) : []).toEqual([]);
});

it('nor does one get into how a task ended, or into what it is put back with', async () => {
  const office = await openOffice();
  const submitted = await office.agentq(['submit', 'A post', '--to', 'linkedin-writer', '-q']);
  const id = submitted.stdout.trim();
  const file = join(office.root, 'result.md');
  writeFileSync(file, 'Done.\n');
  const from = ['--from', 'linkedin-writer'];
  for (const command of [
    ['complete', id, ...from, '--result-file', file, '--summary', office.todoist.token],
    ['fail', id, ...from, '--reason', office.todoist.token],
    ['redrive', id, '--edit', office.todoist.token],
  ]) {
    const { exitCode, stderr } = await office.agentq(command);
    expect(exitCode).toBe(1);
    expect(stderr).toContain('contains the value of TODOIST_API_TOKEN');
  }
  expect((await office.agentq(['list'])).stdout).toContain('queued');
});
