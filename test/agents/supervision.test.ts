import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { logCap } from '../../tools/agents/capture.ts';
import { processStartTime, signalProcess } from '../../tools/agents/processes.ts';
import { fixture, makeRequest, runAgent } from './run-agent.ts';

test('a hanging agent is ended when its time is up', async () => {
  const { result } = await runAgent(fixture('hangs'), makeRequest({ timeoutMs: 600 }));
  expect(result.failure).toMatchObject({ kind: 'agent', code: 'timeout' });
  expect(result.exit.signal).toBe('SIGTERM');
});

test('running out of time at the deadline is a deadline failure', async () => {
  const request = makeRequest({ timeoutMs: 300, timeoutIsDeadline: true });
  const { result } = await runAgent(fixture('hangs'), request);
  expect(result.failure).toMatchObject({ kind: 'deadline' });
});

test('silence is a stall, before the first line and after it', async () => {
  const silent = await runAgent(fixture('hangs'), makeRequest({ stallMs: 400 }));
  expect(silent.result.failure).toMatchObject({ kind: 'transient', code: 'stall' });
  const later = await runAgent(fixture('hangs-silently-after-start'), makeRequest({ stallMs: 600 }));
  expect(later.result.failure).toMatchObject({ kind: 'transient', code: 'stall' });
  expect(later.steps).toEqual(['Begin']);
});

test('slow but moving is no stall', async () => {
  const { result, steps } = await runAgent(fixture('slow-steps'), makeRequest({ stallMs: 700 }));
  expect(result.outcome?.summary).toBe('ten steps');
  expect(steps).toHaveLength(10);
});

test('an agent that ignores SIGTERM is killed five seconds later', async () => {
  const abort = new AbortController();
  const onEvent = (event: { type: string; text?: string }) => {
    if (event.text === 'Ready') abort.abort();
  };
  const started = performance.now();
  const { result, steps } = await runAgent(fixture('ignores-sigterm'), makeRequest(), {
    signal: abort.signal,
    onEvent,
  });
  expect(result.failure).toMatchObject({ kind: 'transient', code: 'aborted' });
  expect(result.exit.signal).toBe('SIGKILL');
  expect(steps).toEqual(['Ready', 'Ignored SIGTERM']);
  const tookMs = performance.now() - started;
  expect(tookMs).toBeGreaterThan(4900);
  expect(tookMs).toBeLessThan(9000);
});

test('an abort before the start starts nothing', async () => {
  const { result, events } = await runAgent(fixture('succeeds'), makeRequest(), {
    signal: AbortSignal.abort(),
  });
  expect(result.failure).toMatchObject({ kind: 'transient', code: 'aborted' });
  expect(events).toEqual([]);
});

test('a grandchild in a session of its own is ended after a normal exit', async () => {
  const { result } = await runAgent(fixture('forks-grandchild'), makeRequest());
  const pid = Number(result.outcome?.summary.split(' ')[1]);
  expect(pid).toBeGreaterThan(1);
  expect(processStartTime(pid)).toBeUndefined();
});

test('a daemon that holds standard output and hides from us does not hold the run', async () => {
  const started = performance.now();
  const { result } = await runAgent(fixture('leaves-daemon-holding-stdout'), makeRequest());
  const pid = Number(result.outcome?.summary.split(' ')[1]);
  expect(performance.now() - started).toBeLessThan(3000);
  // Without its marker nobody can know whose it is; here the test does.
  expect(processStartTime(pid)).toBeDefined();
  signalProcess(pid, 'SIGKILL');
});

test('a flood of output costs no memory and the log is capped', async () => {
  const request = makeRequest();
  const before = process.memoryUsage().rss;
  let highest = 0;
  const sampler = setInterval(() => (highest = Math.max(highest, process.memoryUsage().rss)), 20);
  const { result } = await runAgent(fixture('floods-stdout', '300'), request).finally(() =>
    clearInterval(sampler),
  );
  expect(result.outcome?.summary).toBe('flooded');
  const log = join(request.attemptDir, 'agent.log');
  expect(statSync(log).size).toBeLessThan(logCap + 1000);
  expect(readFileSync(log, 'latin1').slice(-60)).toContain('capped');
  expect(highest - before).toBeLessThan(120 * 1024 * 1024);
});

test('a line of 100 MB of invalid UTF-8 is skipped, what follows is read', async () => {
  const before = process.memoryUsage().rss;
  const { result } = await runAgent(fixture('one-huge-line'), makeRequest());
  expect(result.outcome?.summary).toBe('said it all in one line');
  expect(process.memoryUsage().rss - before).toBeLessThan(80 * 1024 * 1024);
});

function storeIsGone(): never {
  throw new Error('the store is gone');
}

test('a callback that throws surfaces, after the agent has been ended', async () => {
  const run = runAgent(fixture('hangs'), makeRequest(), { onEvent: storeIsGone });
  await expect(run).rejects.toThrow('the store is gone');
});
