/** The worker as a program: what it says, how it ends, and what it leaves alone. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Office, openOffice, talker } from '../worker/harness.ts';

const sample = ['--agent', 'sample'];

describe('agent-worker', () => {
  it('processes what is ready and exits 0, whatever became of the tasks', async () => {
    const office = await openOffice();
    const [good, bad] = [office.add('A post'), office.add('Another [give up]')];
    const { exitCode, stdout, stderr } = await office.workerProgram(['--project', 'linkedin WRITER']).ended;
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(office.labels(good)).toEqual(['agent-done']);
    expect(office.labels(bad)).toEqual(['agent-failed']);
    const events = stdout.split('\n').map((line) => JSON.parse(line) as { type: string; at: number });
    const types = events.map(({ type }) => type);
    for (const type of ['worker_started', 'task_queued', 'attempt_started', 'step', 'report_sent'])
      expect(types).toContain(type);
    expect(types.filter((type) => type === 'attempt_ended')).toHaveLength(2);
    expect(types.at(-1)).toBe('worker_stopped');
    for (const { at } of events) expect(Math.abs(Date.now() - at)).toBeLessThan(60_000);
  });

  it('says the same in plain lines', async () => {
    const office = await openOffice();
    office.add('A post');
    const { exitCode, stdout } = await office.program('agent-worker', sample).ended;
    expect(exitCode).toBe(0);
    const lines = stdout.split('\n').map((line) => line.replace(/^\d\d:\d\d:\d\d {2}/, ''));
    for (const line of [
      'serving linkedin-writer on todoist and local, with sample',
      '+ A post  (linkedin-writer; new)',
      '▶ A post  (linkedin-writer, attempt 1)',
    ])
      expect(lines).toContain(line);
    expect(lines.at(-1)).toMatch(/^✔ A post {2}completed after/);
  });

  it('parks what runs at the first signal, and the next one goes on with it', async () => {
    const office = await openOffice();
    const task = office.add('A post [wait go]');
    const first = office.workerProgram();
    await office.until('the agent to run', () => office.runs().length === 1);
    first.kill('SIGINT');
    await office.until('it to be stopping', () => first.output().includes('worker_stopping'));
    first.kill('SIGINT');
    expect((await first.ended).exitCode).toBe(0);
    expect(await office.task(task)).toMatchObject({ state: 'queued', failures: 0 });
    office.release('go');
    expect((await office.workerProgram([]).ended).exitCode).toBe(0);
    expect(office.labels(task)).toEqual(['agent-done']);
    expect(office.said(task)).toHaveLength(2);
  });

  it('tells agents nothing of its own tokens', async () => {
    const office = await openOffice({ roles: talker });
    office.add('A post');
    const reader = join(import.meta.dirname, '../fixtures/agents/reads-env.ts');
    const args = ['--json', '--agent', 'command', '--', process.execPath, reader];
    const { stdout } = await office.program('agent-worker', args, { AIRTABLE_API_KEY: 'patSecret' }).ended;
    const seen =
      stdout +
      office.todoist
        .notes()
        .map(({ content }) => content)
        .join('\n');
    expect(seen).toContain('AGENT_TASK_ID');
    for (const secret of [office.todoist.token, 'patSecret', 'TODOIST_API_TOKEN'])
      expect(seen).not.toContain(secret);
  });
});

/** How it ends when it must not even begin. */
async function refusal(
  office: Office,
  args: string[],
  env = {},
): Promise<{ exitCode: number | undefined; stderr: string }> {
  const { exitCode, stdout, stderr } = await office.program('agent-worker', args, env).ended;
  expect(stdout).not.toContain('attempt_started');
  return { exitCode, stderr };
}

describe('agent-worker that cannot do its job', () => {
  it('names the next step when there is no token', async () => {
    const office = await openOffice();
    const { exitCode, stderr } = await refusal(office, ['--queue', 'todoist', ...sample], {
      TODOIST_API_TOKEN: '',
    });
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^Error: NO_TOKEN\nexpected TODOIST_API_TOKEN to be set/);
    expect(stderr).toContain('Settings → Integrations → Developer');
    expect(stderr).toContain('--queue local');
  });

  it('names the projects that have a role when it is asked for another', async () => {
    const office = await openOffice();
    const { exitCode, stderr } = await refusal(office, ['--project', 'Plumbing', ...sample]);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^Error: NO_PROJECT\nexpected the project of a role, got: "Plumbing"/);
    expect(stderr).toContain('"LinkedIn Writer" (.claude/agents/linkedin-writer.md)');
  });

  it('names the projects that exist when the one of the role does not', async () => {
    const office = await openOffice();
    office.role('linkedin-writer', ['project: Linked-In Writer']);
    const { exitCode, stderr } = await refusal(office, ['--json', ...sample]);
    expect(exitCode).toBe(1);
    const { error } = JSON.parse(stderr) as { error: { code: string; message: string; hints: string[] } };
    expect(error.code).toBe('NO_PROJECT');
    expect(error.message).toContain('"Linked-In Writer"');
    expect(error.hints[0]).toBe('projects that exist: "LinkedIn Writer"');
  });

  it('names file, line, what was expected and what was found in a broken role file', async () => {
    const office = await openOffice();
    office.role('linkedin-writer', ['project: LinkedIn Writer', 'lane: quick']);
    const { exitCode, stderr } = await refusal(office, sample);
    expect(exitCode).toBe(1);
    expect(stderr).toContain('expected `worker.lane` to be fast, normal or heavy, got: "quick"');
    expect(stderr).toContain('.claude/agents/linkedin-writer.md:6');
  });

  it('serves the other roles when one file is broken, and says which', async () => {
    const office = await openOffice();
    office.role('editor', ['project: Edit', 'lane: quick']);
    const task = office.add('A post');
    const { exitCode, stderr } = await office.program('agent-worker', sample).ended;
    expect(exitCode).toBe(0);
    expect(stderr).toContain('.claude/agents/editor.md:6');
    expect(office.labels(task)).toEqual(['agent-done']);
  });

  it('says what is missing when the agent is not there', async () => {
    const office = await openOffice();
    const task = office.add('A post');
    const { exitCode, stderr } = await refusal(office, ['--agent', 'command', '--', 'no-such-agent']);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^Error: AGENT_SETUP\nexpected "no-such-agent" to be an executable program/);
    expect(office.said(task)).toEqual([]);
  });

  it.each([
    [['--intervall', '5'], 'unknown option'],
    [['--interval', '0'], 'Expected a whole number'],
    [['--agent', 'gpt'], 'Allowed choices'],
    [['--lanes', 'fast=2,slow=1'], 'Expected e.g. fast=2'],
    [['--timeout', 'long'], 'Expected a duration'],
    [['--daily-budget', 'much'], 'Expected an amount'],
    [['--agent', 'command'], 'expected the program after `--`'],
    [['LinkedIn Writer'], 'a project is named with --project'],
  ])('%j is wrong usage', async (args, message) => {
    const office = await openOffice();
    const { exitCode, stderr } = await refusal(office, args);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(message);
    expect(office.todoist.calls).toEqual([]);
  });
});

describe('agent-worker --dry-run', () => {
  it('shows task, tools, call and prompt, and writes nothing anywhere', async () => {
    const office = await openOffice();
    const role = ['project: LinkedIn Writer', 'output: workspace/linkedin', 'requires: [audience]'];
    office.role('linkedin-writer', role);
    const task = office.add('A post', { description: 'Audience: people who run factories' });
    const lacking = office.add('A post for nobody');
    const before = await untouched(office);
    const { exitCode, stdout, stderr } = await office.program('agent-worker', ['--dry-run', ...sample]).ended;
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toContain(`todoist:${task}`);
    expect(stdout).toMatch(/^tools +Read, Glob, Grep$/m);
    expect(stdout).toContain('Audience: people who run factories');
    expect(stdout).toMatch(/^not run +The description lacks `audience: …`/m);
    expect(stdout).toContain('2 would be run; nothing was written');
    expect(await untouched(office)).toEqual(before);

    const lines = (
      await office.program('agent-worker', ['--dry-run', '--json', ...sample]).ended
    ).stdout.split('\n');
    const plans = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(plans.map((plan) => plan['task_id'])).toEqual([task, lacking].map((id) => `todoist:${id}`));
    expect(plans[0]?.['prompt']).toContain('# A post');
    expect(await untouched(office)).toEqual(before);
  });

  it('goes by what the store knows, and leaves it as it is', async () => {
    const office = await openOffice();
    const done = office.add('A post');
    await office.workerProgram([]).ended;
    office.comment(done, 'shorter, please');
    const waiting = office.add('Another post');
    const before = await untouched(office);
    const { exitCode, stdout } = await office.program('agent-worker', ['--dry-run', '--json', ...sample])
      .ended;
    expect(exitCode).toBe(0);
    const plans = stdout.split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(plans.map((plan) => plan['task_id'])).toEqual(
      expect.arrayContaining([done, waiting].map((id) => `todoist:${id}`)),
    );
    expect(plans.find((plan) => plan['task_id'] === `todoist:${done}`)?.['prompt']).toContain(
      'shorter, please',
    );
    expect(await untouched(office)).toEqual(before);
  });
});

/** Every file below the office, with its content and time, and everything in Todoist; no write may have been asked for. */
async function untouched(office: Office): Promise<object> {
  const files = readdirSync(office.root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !/\/(tools|node_modules)\/|package\.json$/.test(file))
    .sort()
    .map((file) => [
      file,
      statSync(file).mtimeMs,
      createHash('sha256').update(readFileSync(file)).digest('hex'),
    ]);
  const writes = office.todoist.calls.filter(({ method, path, body }) =>
    path === 'sync' ? 'commands' in body : method !== 'GET',
  );
  return { files, writes: writes.length, revision: office.todoist.revision };
}
