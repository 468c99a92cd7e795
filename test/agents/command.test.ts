import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createCommandAgent } from '../../tools/agents/command.ts';
import { parseObject } from '../../tools/agents/json.ts';
import { fixture, makeRequest, runAgent } from './run-agent.ts';

test('an outcome on the last line is the outcome, steps are events', async () => {
  const request = makeRequest({ prompt: 'Grüße' });
  const { result, steps, events } = await runAgent(fixture('succeeds'), request);
  const path = join(request.outputDir!, 'draft.md');
  expect(result.outcome).toEqual({ status: 'done', summary: 'Read 5 characters.', artifacts: [path] });
  expect(result.exit).toEqual({ code: 0, signal: null });
  expect(steps).toEqual(['Write draft.md']);
  expect(events[0]).toEqual({ type: 'started', pid: expect.any(Number) });
  expect(readFileSync(path, 'utf8')).toContain('Grüße');
});

test('of a flood on standard error the end is kept', async () => {
  const { result } = await runAgent(fixture('floods-stderr'), makeRequest());
  expect(result.failure).toMatchObject({
    code: 'exit_3',
    message: expect.stringMatching(/the reason comes last$/u),
  });
});

test('the raw output is kept in the attempt folder', async () => {
  const request = makeRequest();
  await runAgent(fixture('succeeds'), request);
  expect(readFileSync(join(request.attemptDir, 'agent.log'), 'utf8')).toContain('"step":"Write draft.md"');
});

test.each([
  ['fails', { kind: 'agent', code: 'exit_3', message: expect.stringContaining('the printer is on fire') }],
  ['fails-for-now', { kind: 'transient', code: 'exit_75', message: expect.stringContaining('rebuilt') }],
  ['exit-127', { kind: 'setup', code: 'exit_127', message: expect.any(String) }],
  ['dies-by-signal', { kind: 'transient', code: 'killed', message: expect.stringContaining('SIGKILL') }],
  ['bad-json', { kind: 'agent', code: 'bad_outcome', message: expect.stringContaining('broken JSON') }],
  ['bad-status', { kind: 'agent', code: 'bad_outcome', message: expect.stringContaining('"splendid"') }],
])('%s is a failure of the right kind', async (name, failure) => {
  const { result } = await runAgent(fixture(name), makeRequest());
  expect(result.failure).toEqual(failure);
  expect(result.outcome).toBeUndefined();
});

test.each([
  ['empty-output', /without output/u],
  ['closes-stdin', /did not listen/u],
  ['lies-about-artifacts', /All done!/u],
])('%s is done as far as the agent is concerned', async (name, summary) => {
  const { result } = await runAgent(fixture(name), makeRequest({ prompt: 'x'.repeat(5_000_000) }));
  expect(result.failure).toBeUndefined();
  expect(result.outcome).toMatchObject({ status: 'done', summary: expect.stringMatching(summary) });
});

test("claimed artifacts are passed on unchecked: evidence is the worker's business", async () => {
  const { result } = await runAgent(fixture('lies-about-artifacts'), makeRequest());
  expect(result.outcome?.artifacts).toEqual(['never-written.md']);
});

test('control sequences reach neither steps nor summary', async () => {
  const { result, steps } = await runAgent(fixture('prints-ansi'), makeRequest());
  expect(steps).toEqual(['red and blue']);
  expect(result.outcome?.summary).toBe('red and\nblue');
});

test('the environment is the allow-list and the task, nothing of the worker', async () => {
  vi.stubEnv('AIRTABLE_TOKEN', 'secret');
  onTestFinished(() => void vi.unstubAllEnvs());
  const env = { ...process.env, TODOIST_API_TOKEN: 'secret', ANTHROPIC_API_KEY: 'key', LC_TIME: 'C' };
  const agent = createCommandAgent({
    argv: fixture('reads-env').describe(makeRequest()).args.toSpliced(0, 0, process.execPath),
    env,
  });
  const request = makeRequest({ commandsDir: '/commands', attemptNumber: 2 });
  const { result } = await runAgent(agent, request);
  const seen = parseObject(result.outcome!.summary)!;
  expect(seen).not.toHaveProperty('TODOIST_API_TOKEN');
  expect(seen).not.toHaveProperty('ANTHROPIC_API_KEY');
  expect(seen).not.toHaveProperty('AIRTABLE_TOKEN');
  expect(seen['PATH']).toMatch(/^\/commands:/u);
  expect(seen).toMatchObject({
    LC_TIME: 'C',
    AGENT_ATTEMPT_ID: request.attemptId,
    AGENT_WORKER_ID: request.workerId,
    AGENT_TASK_ID: 'task-1',
    AGENT_OUTPUT_DIR: request.outputDir,
    AGENT_SESSION_ID: request.sessionId,
    AGENT_ATTEMPT: '2',
  });
});

test('a program that is not there is a setup failure, found by check as well', async () => {
  const agent = createCommandAgent({ argv: ['no-such-agent-program'] });
  expect(await agent.check()).toMatchObject({
    ok: false,
    hints: [expect.stringContaining('no-such-agent-program')],
  });
  const { result } = await runAgent(agent, makeRequest());
  expect(result.failure).toMatchObject({ kind: 'setup' });
});

test('a file that may not be executed is a setup failure', async () => {
  const agent = createCommandAgent({ argv: ['/etc/hostname'] });
  const { result } = await runAgent(agent, makeRequest());
  expect(result.failure).toMatchObject({ kind: 'setup' });
});

test('a working directory that is gone is a setup failure', async () => {
  const { result } = await runAgent(fixture('succeeds'), makeRequest({ cwd: '/nowhere/at/all' }));
  expect(result.failure).toMatchObject({ kind: 'setup', code: 'start_enoent' });
});

test('check finds the program and describe shows it without starting it', async () => {
  const agent = fixture('succeeds');
  expect(await agent.check()).toMatchObject({ ok: true, hints: [] });
  expect(agent.describe(makeRequest()).file).toBe(process.execPath);
  expect(existsSync('draft.md')).toBe(false);
});
