/** Tasks, results and files come from others: nothing of them reaches a terminal as more than text. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openOffice } from '../worker/harness.ts';

/** Colour, window title, a link, C1 introducers, a carriage return, a backspace, a bell, and turned-round text. */
const evil =
  'a\u001b[31mred\u001b]0;title\u0007\u001b]8;;http://x\u001b\\link\u009b2Jc\u009d0;t\u009c\u0085\rover\b\u0007\u202egnp.exe\u0000z';
const escapes = /[^\P{Cc}\n\t]|[\u202a-\u202e\u2066-\u2069]/u;

it('no verb prints control sequences of a task, of a result, or of a file name', async () => {
  const office = await openOffice({ roles: { coder: ['lane: normal'] } });
  const write = (name: string, text: string): void => writeFileSync(join(office.root, name), text);
  write('context.md', `Context ${evil}\n`);
  write('result.md', `# Result ${evil}\n\n${evil}\n`);
  write('\u001b[31m.txt', evil);
  const submit = ['submit', `Title ${evil.replace('\0', '')}`, '--to', 'coder', '-q', '--file', 'context.md'];
  const more = ['--instructions', `Do ${evil.replace('\0', '')}`, '--type', evil.replace('\0', '')];
  const ids = [1, 2, 3].map(async () => (await office.agentq([...submit, ...more])).stdout);
  const [done = '', failed = '', cancelled = ''] = await Promise.all(ids);
  const words = evil.replace('\0', '');
  const from = ['--from', 'coder'];
  const delivery = ['--result-file', 'result.md', '--artifact', '\u001b[31m.txt', '--summary', words];
  const outputs = [];
  for (const args of [
    ['claim', '--as', 'coder'],
    ['complete', done, ...from, ...delivery],
    ['fail', failed, ...from, '--reason', words],
    ['cancel', cancelled, '--reason', words],
    ['heartbeat', cancelled],
    ...[done, failed, cancelled].flatMap((id) =>
      ['status', 'result', 'verify', 'artifacts', 'events', 'show', 'why'].map((verb) => [verb, id]),
    ),
    ['artifacts', done, '--save', 'out'],
    ['list'],
    ['dlq'],
    ['inbox'],
    ['workers'],
    ['show', evil.replaceAll('\0', '')],
  ])
    outputs.push({ args, ...(await office.agentq(args)) });
  for (const { args, stdout, stderr } of outputs)
    expect({ args, found: escapes.exec(stdout + stderr)?.[0] }).toEqual({ args, found: undefined });
  // The text itself is there.
  const { stdout } = await office.agentq(['result', done]);
  expect(stdout).toContain('# Result ared');
  // Programs get what was delivered, as it is.
  const json = JSON.parse((await office.agentq(['result', done, '--json'])).stdout) as { result: string };
  expect(json.result).toBe(`# Result ${evil}\n\n${evil}\n`);
});
