import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import {
  bootId,
  isAlive,
  killMarked,
  markedProcesses,
  processStartTime,
} from '../../tools/agents/processes.ts';

const marker = 'TEST_MARKER';

function marked(value: string) {
  return spawn('sleep', ['60'], { env: { PATH: process.env['PATH'], [marker]: value }, detached: true });
}

test('processes are found by exact marker and ended', async () => {
  const value = randomUUID();
  const [one, two, other] = [marked(value), marked(value), marked(`${value}0`)];
  await expect.poll(() => markedProcesses(marker, value)).toHaveLength(2);
  expect(await killMarked(marker, value)).toBe(2);
  expect(await markedProcesses(marker, value)).toEqual([]);
  expect(processStartTime(other.pid!)).toBeDefined();
  other.kill('SIGKILL');
  for (const child of [one, two, other]) {
    if (child.signalCode === null) await once(child, 'exit');
  }
});

test('nothing marked: nothing ended', async () => {
  expect(await killMarked(marker, randomUUID())).toBe(0);
});

test('a process is told from another one that got its pid', () => {
  const start = processStartTime(process.pid)!;
  expect(isAlive(process.pid, start)).toBe(true);
  expect(isAlive(process.pid, `${start}1`)).toBe(false);
  expect(processStartTime(2 ** 22 + 1)).toBeUndefined();
});

test('the boot has an id', () => {
  expect(bootId()).toMatch(/^[0-9A-F-]{36}$/iu);
});
