/** `agentq once`: what cannot be undone is done once, whoever asks for it however often. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Answer, type Office, openOffice } from '../worker/harness.ts';

/** A command that notes each of its runs in a file. */
function acting(office: Office, then = 'echo sent'): string[] {
  return ['sh', '-c', `echo ran >> ${join(office.root, 'acts')}; ${then}`];
}

function acts(office: Office): number {
  const file = join(office.root, 'acts');
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').length - 1 : 0;
}

function once(office: Office, key: string, command: string[], env = {}): Promise<Answer> {
  return office.agentq(['once', key, '--', ...command], env);
}

describe('agentq once', () => {
  it('runs the command once, and gives its first result to whoever asks again', async () => {
    const office = await openOffice();
    const command = acting(office, 'echo sent; echo careful >&2; exit 3');
    const first = await once(office, 'task-1:send', command);
    expect(first).toEqual({ exitCode: 3, stdout: 'sent', stderr: 'careful' });
    const second = await once(office, 'task-1:send', command);
    expect(second).toMatchObject({ exitCode: 3, stdout: 'sent' });
    expect(second.stderr).toMatch(/^careful\n\(already done at .*; not run again\)$/);
    const third = await office.agentq(['once', 'task-1:send', '--json', '--', ...command]);
    expect(JSON.parse(third.stdout)).toMatchObject({ repeated: true, exit_code: 3, stdout: 'sent\n' });
    expect(acts(office)).toBe(1);
    expect((await once(office, 'task-2:send', command)).exitCode).toBe(3);
    expect(acts(office)).toBe(2);
  });

  it('says "unknown" after a crash in between, and never repeats it by itself', async () => {
    const office = await openOffice();
    // The command ends the very process that would have written down how it went.
    const command = acting(office, 'kill -9 $PPID');
    expect((await once(office, 'pay', command)).exitCode).not.toBe(0);
    expect(acts(office)).toBe(1);
    const again = await once(office, 'pay', command);
    expect(again).toMatchObject({ exitCode: 1, stdout: '' });
    expect(again.stderr).toMatch(/^Error: CONFLICT\nunknown: "pay" was started at .* and its process died/);
    // An agent has a command `once` of its own, which starts only what its skills bring.
    expect((await once(office, 'pay', command, { AGENT_ATTEMPT_ID: 'attempt-2' })).exitCode).toBe(2);
    expect(acts(office)).toBe(1);

    const byAgent = await office.agentq(['once', 'pay', '--forget'], { AGENT_ATTEMPT_ID: 'attempt-2' });
    expect(byAgent.exitCode).toBe(2);
    expect((await office.agentq(['once', 'pay', '--forget'])).exitCode).toBe(0);
    expect(await once(office, 'pay', acting(office))).toMatchObject({ exitCode: 0, stdout: 'sent' });
    expect(acts(office)).toBe(2);
    const done = await office.agentq(['once', 'pay', '--forget']);
    expect(done.stderr).toContain('what was done is not forgotten');
  });

  it('runs once for callers at the same moment; all get the one result', async () => {
    const office = await openOffice();
    const command = acting(
      office,
      `until [ -e ${join(office.notes, 'go')} ]; do sleep 0.02; done; echo sent`,
    );
    const callers = [1, 2, 3, 4].map(() => once(office, 'push', command));
    await office.until('one of them to run it', () => acts(office) > 0);
    office.release('go');
    const answers = await Promise.all(callers);
    expect(answers.map(({ exitCode, stdout }) => ({ exitCode, stdout }))).toEqual(
      answers.map(() => ({ exitCode: 0, stdout: 'sent' })),
    );
    expect(answers.filter(({ stderr }) => stderr.includes('already done'))).toHaveLength(3);
    expect(acts(office)).toBe(1);
  });

  it('keeps one key for one act', async () => {
    const office = await openOffice();
    await once(office, 'push', acting(office));
    const other = await once(office, 'push', ['sh', '-c', 'echo something else']);
    expect(other).toMatchObject({ exitCode: 1, stdout: '' });
    expect(other.stderr).toContain('the key "push" was taken for another command');
  });

  it.each([[['once', 'push']], [['once', ' ', '--', 'true']], [['once']]])(
    '%j is wrong usage',
    async (args) => {
      const office = await openOffice();
      expect((await office.agentq(args)).exitCode).toBe(2);
    },
  );

  it('keeps also that a command could not be started', async () => {
    const office = await openOffice();
    const first = await once(office, 'push', ['no-such-program']);
    expect(first.exitCode).not.toBe(0);
    expect(first.stderr).toContain('no-such-program');
    expect((await once(office, 'push', ['no-such-program'])).stderr).toContain('already done');
  });
});
