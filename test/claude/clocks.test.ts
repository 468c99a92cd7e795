import { expect, test } from 'vitest';
import { addCommand, bash, done, openDesk } from './run-claude.ts';

test('an API that never answers is ended by our clock', async () => {
  await using desk = await openDesk({ steps: [{ hang: true }] });
  const { result } = await desk.run({ timeoutMs: 3000 });
  expect(result.failure).toMatchObject({ kind: 'agent', code: 'timeout' });
  expect(desk.api.requests.length).toBeGreaterThan(0);
});

test('a stream that falls silent is a stall', async () => {
  await using desk = await openDesk({ steps: [{ stall: true }] });
  const { result } = await desk.run({ stallMs: 2500 });
  expect(result.failure).toMatchObject({ kind: 'transient', code: 'stall' });
});

test('a stream that only says that it is still there is a stall', async () => {
  await using desk = await openDesk({ steps: [{ pings: true }] });
  const { result } = await desk.run({ stallMs: 2500 });
  expect(result.failure).toMatchObject({ kind: 'transient', code: 'stall' });
});

test('an answer that comes slowly is none', async () => {
  await using desk = await openDesk({
    steps: [{ text: 'one two three four five six seven eight', gapMs: 700 }, done()],
  });
  const { result } = await desk.run({ stallMs: 3000 });
  expect(result.outcome?.status).toBe('done');
});

test('a program that does not get going is a stall too', async () => {
  await using desk = await openDesk({ steps: [done()] });
  const { result } = await desk.run({ stallMs: 50 });
  expect(result.failure).toMatchObject({ kind: 'transient', code: 'stall' });
  expect(desk.api.requests).toEqual([]);
});

test('a tool call may be silent for longer', async () => {
  await using desk = await openDesk({ steps: [bash('slow'), done()], tools: ['Bash(slow)'] });
  addCommand(desk.commandsDir, 'slow', 'sleep 4');
  const { result } = await desk.run({ stallMs: 3000, toolStallMs: 15_000 });
  expect(result.outcome?.status).toBe('done');
});

test('stopping it stops the command it runs', async () => {
  await using desk = await openDesk({ steps: [bash('endless'), done()], tools: ['Bash(endless)'] });
  addCommand(desk.commandsDir, 'endless', 'trap "" TERM; while :; do sleep 1; done');
  const abort = new AbortController();
  const { result } = await desk.run(
    {},
    { signal: abort.signal, onEvent: (event) => event.type === 'step' && abort.abort() },
  );
  expect(result.failure).toMatchObject({ kind: 'transient', code: 'aborted' });
  expect(result.sessionUsable).toBe(true);
});
