/** Where the broker cannot be reached nothing is lost: what the store knows is told, and the rest can be tried again. */
import { createServer, type AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { exitCodes } from '../../tools/cli/exit-codes.ts';
import { openOffice } from '../worker/harness.ts';

/** A port on which nobody listens. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

it('tasks are kept and shown without the broker, and what needs it says so by its exit code', async () => {
  const office = await openOffice({ roles: { coder: ['lane: normal'] } });
  const env = { AMQP_URL: `amqp://user:secret@127.0.0.1:${await closedPort()}` };
  const submitted = await office.agentq(['submit', 'A change', '--to', 'coder', '-q'], env);
  expect(submitted.exitCode).toBe(0);
  expect(submitted.stderr).toMatch(/^! the broker has not got it yet \(/);
  const id = submitted.stdout;
  for (const args of [['status', id], ['show', id], ['events', id], ['list', '-q'], ['dlq']]) {
    const { exitCode, stdout, stderr } = await office.agentq(args, env);
    expect({ args, exitCode }).toEqual({ args, exitCode: 0 });
    expect(stdout).not.toBe('');
    expect(stderr).toMatch(/^! the broker cannot be reached \(.*\); this is what the store knows$/);
    expect(stderr).not.toContain('secret');
  }
  expect((await office.agentq(['result', id], env)).exitCode).toBe(exitCodes.notYet);
  expect((await office.agentq(['why', id], env)).stdout).toContain('The broker has not got it yet');
  expect((await office.agentq(['why', id])).stdout).toContain('AMQP_URL is not set here');
  for (const args of [['init'], ['claim', '--as', 'coder']]) {
    const { exitCode, stdout, stderr } = await office.agentq([...args, '--json'], env);
    expect({ args, exitCode, stdout }).toEqual({ args, exitCode: exitCodes.unavailable, stdout: '' });
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'QUEUE_UNAVAILABLE' } });
    expect(stderr).not.toContain('secret');
  }
});

it('an address that is none is explained without being repeated', async () => {
  const office = await openOffice();
  const { exitCode, stderr } = await office.agentq(['list'], { AMQP_URL: 'amqp://user:se#cret@mq:5672' });
  expect(exitCode).toBe(exitCodes.error);
  expect(stderr).toContain('write @ : / ? # and % as');
  expect(stderr).not.toContain('cret');
});

it('every exit code stands in --help', async () => {
  const office = await openOffice();
  const { stdout } = await office.agentq(['--help']);
  const told = [...(stdout.split('Exit codes:')[1] ?? '').matchAll(/\b\d+\b/g)].map(([code]) => Number(code));
  expect(told).toEqual(Object.values(exitCodes));
});
