import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { addCommand, bash, done, openDesk } from './run-claude.ts';

const again = { resume: true, prompt: 'You are a background agent.\n\nGo on.' };

test.each(['SIGTERM', 'SIGKILL'] as const)('a session goes on after %s', async (signal) => {
  await using desk = await openDesk({ steps: [bash('endless')], tools: ['Bash(endless)'] });
  addCommand(desk.commandsDir, 'endless', 'while :; do sleep 1; done');
  let pid = 0;
  const running = desk.run({}, { onEvent: (event) => event.type === 'started' && (pid = event.pid) });
  // It writes the session to disk a moment after the first step; killed before that, there is nothing to go on with.
  await expect.poll(() => hasTranscript(desk.home, 'endless'), { timeout: 20_000 }).toBe(true);
  process.kill(pid, signal);
  const first = await running;
  expect(first.result).toMatchObject({ failure: { kind: 'transient', code: 'killed' }, sessionUsable: true });

  const before = desk.api.requests.length;
  desk.api.script([done('went on')]);
  const second = await desk.run({ ...again, attemptId: randomUUID(), attemptNumber: 2 });
  expect(second.result.outcome?.summary).toBe('went on');
  const history = JSON.stringify(desk.api.requests[before]?.body);
  expect(history).toContain('Why queues matter');
  expect(history).toContain('endless');
});

test('a follow-up costs what it adds', async () => {
  await using desk = await openDesk({ steps: [done('one')] });
  const first = await desk.run();
  desk.api.script([done('two')]);
  const second = await desk.run({ ...again, sessionCostUsd: first.result.costUsd! });
  expect(second.result.outcome?.summary).toBe('two');
  expect(second.result.costUsd).toBeCloseTo(first.result.costUsd!, 6);
});

test('a session that is gone is told as such and not resumed again', async () => {
  await using desk = await openDesk({ steps: [done()] });
  const { result } = await desk.run(again);
  expect(result).toMatchObject({
    failure: { kind: 'transient', code: 'session_not_found' },
    sessionUsable: false,
  });
});

test('a session id that is taken can be resumed', async () => {
  await using desk = await openDesk({ steps: [done()] });
  await desk.run();
  const second = await desk.run();
  expect(second.result).toMatchObject({
    failure: { kind: 'transient', code: 'session_in_use' },
    sessionUsable: true,
  });
});

function hasTranscript(home: string, text: string): boolean {
  const folder = join(home, '.claude/projects');
  if (!existsSync(folder)) return false;
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.jsonl'),
  );
  return files.some((name) => readFileSync(join(folder, name), 'utf8').includes(text));
}
