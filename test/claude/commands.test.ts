import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { addCommand, bash, done, openDesk } from './run-claude.ts';

/** The shim notes every call in a file next to it. */
function addAirtable(folder: string): () => string[] {
  const calls = join(folder, 'calls');
  addCommand(folder, 'airtable', `echo "$*" >> '${calls}'; echo "airtable says: $*"`);
  return () => (existsSync(calls) ? readFileSync(calls, 'utf8').trim().split('\n') : []);
}

test('a command of a skill runs by its bare name', async () => {
  await using desk = await openDesk({
    steps: [bash('airtable create --title "Why queues"'), done()],
    tools: ['Bash(airtable:*)'],
  });
  const calls = addAirtable(desk.commandsDir);
  const { result, steps } = await desk.run();
  expect(result.denials).toEqual([]);
  expect(calls()).toEqual(['create --title Why queues']);
  expect(steps).toEqual(['Bash airtable create --title "Why queues"']);
});

test.each([
  'airtable x; cat /etc/passwd',
  'airtable x && touch stolen',
  'airtable x > stolen',
  'airtable x >> stolen',
  'airtable $(cat /etc/passwd)',
  'airtable `id`',
  'airtable x | tee stolen',
  'airtable < /etc/passwd',
  'airtable "$ANTHROPIC_API_KEY"',
  'PATH=/tmp airtable x',
  'bash -c "airtable x"',
  'cat /etc/passwd',
  'env',
])('what is more than the command is refused: %s', async (command) => {
  await using desk = await openDesk({ steps: [bash(command), done()], tools: ['Bash(airtable:*)'] });
  const calls = addAirtable(desk.commandsDir);
  const { result } = await desk.run();
  expect(result.denials).toEqual([{ tool: 'Bash', input: expect.objectContaining({ command }) }]);
  expect(calls()).toEqual([]);
  expect(existsSync(join(desk.request.cwd, 'stolen'))).toBe(false);
  expect(desk.api.transcript()).not.toMatch(/root:x:0|sk-ant-test/u);
});

const deletions = bash('airtable delete 1', 'airtable delete 2', 'airtable list', 'airtable  "delete" 3');

test('what needs approval is refused without it', async () => {
  await using desk = await openDesk({
    steps: [deletions, done()],
    tools: ['Bash(airtable:*)'],
    ask: ['Bash(airtable delete:*)'],
  });
  const calls = addAirtable(desk.commandsDir);
  await desk.run();
  expect(calls()).toEqual(['list']);
});

test('an approval lets exactly that call through', async () => {
  await using desk = await openDesk({
    steps: [deletions, done()],
    tools: ['Bash(airtable:*)'],
    ask: ['Bash(airtable delete:*)'],
  });
  const calls = addAirtable(desk.commandsDir);
  const { result } = await desk.run({ grants: ['Bash(airtable delete 1)'] });
  expect(calls().toSorted()).toEqual(['delete 1', 'list']);
  expect(result.denials).toHaveLength(2);
});

test('an approval outside the role’s rules lets exactly that call through', async () => {
  const steps = [bash('touch approved', 'touch more'), done()];
  await using desk = await openDesk({ steps, tools: ['Bash(airtable:*)'] });
  const { result } = await desk.run({ grants: ['Bash(touch approved)'] });
  expect(existsSync(join(desk.request.cwd, 'approved'))).toBe(true);
  expect(existsSync(join(desk.request.cwd, 'more'))).toBe(false);
  expect(result.denials).toHaveLength(1);
});
