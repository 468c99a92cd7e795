import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { workerMarker } from '../../tools/agents/agent.ts';
import { startGuard } from '../../tools/agents/guard.ts';
import { parseObject, stringOf } from '../../tools/agents/json.ts';
import { isAlive, markedProcesses, processStartTime } from '../../tools/agents/processes.ts';
import { fixturePath, makeRequest } from './run-agent.ts';

test("a worker that is killed takes its agent and the agent's daemons along", async () => {
  const request = makeRequest();
  const worker = spawn(
    process.execPath,
    [
      fixturePath('worker-with-agent'),
      JSON.stringify(request),
      process.execPath,
      fixturePath('forks-and-hangs'),
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const grandchild = await firstStep(worker.stdout);
  const started = processStartTime(grandchild)!;
  expect(await markedProcesses(workerMarker, request.workerId)).toContain(grandchild);

  const killedAt = performance.now();
  worker.kill('SIGKILL');
  await once(worker, 'exit');
  await expect
    .poll(() => markedProcesses(workerMarker, request.workerId), { timeout: 9000, interval: 100 })
    .toEqual([]);
  expect(isAlive(grandchild, started)).toBe(false);
  expect(performance.now() - killedAt).toBeLessThan(7500);
});

test("a guard without a charge ends with its worker, and touches nobody else's processes", async () => {
  const other = spawn('sleep', ['60'], {
    env: { PATH: process.env['PATH'], [workerMarker]: 'another-worker' },
  });
  const guard = startGuard(`test-${randomUUID()}`);
  const started = processStartTime(guard.pid!)!;
  expect(isAlive(guard.pid!, started)).toBe(true);
  await guard.stop();
  expect(isAlive(guard.pid!, started)).toBe(false);
  expect(processStartTime(other.pid!)).toBeDefined();
  other.kill('SIGKILL');
  await once(other, 'exit');
});

test('a worker has one guard, and a new one when somebody killed it', async () => {
  const id = `test-${randomUUID()}`;
  const first = startGuard(id);
  expect(startGuard(id).pid).toBe(first.pid);
  process.kill(first.pid!, 'SIGKILL');
  await expect.poll(() => startGuard(id).pid).not.toBe(first.pid);
  await startGuard(id).stop();
});

async function firstStep(stream: NodeJS.ReadableStream): Promise<number> {
  for await (const line of createInterface({ input: stream })) {
    const step = stringOf(parseObject(line)?.['text']);
    if (step !== undefined) return Number(step);
  }
  throw new Error('expected the agent to name its grandchild, got no step');
}
