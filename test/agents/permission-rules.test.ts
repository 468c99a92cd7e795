import { expect, test } from 'vitest';
import { covers, parseRule, ruleLists } from '../../tools/agents/permission-rules.ts';

const base = {
  tools: ['Read', 'Write', 'Edit', 'Grep', 'Bash(airtable:*)'],
  ask: [],
  grants: [],
  outputDir: '/root/out',
  cwd: '/root/out',
  edits: false,
};

test('writing is allowed in the output folder alone', () => {
  expect(ruleLists(base)).toMatchObject({
    tools: ['Read', 'Write', 'Edit', 'Grep', 'Bash'],
    allow: ['Read', 'Grep', 'Bash(airtable:*)', 'Edit(//root/out/**)'],
  });
});

test('who may change its checkout writes there and in the output folder', () => {
  const { allow } = ruleLists({ ...base, cwd: '/trees/t', edits: true });
  expect(allow).toEqual(['Read', 'Grep', 'Bash(airtable:*)', 'Edit(//root/out/**)', 'Edit(//trees/t/**)']);
  const reading = ruleLists({ ...base, tools: ['Read'], cwd: '/trees/t', edits: true });
  expect(reading.allow).toEqual(['Read']);
});

test('without an output folder there are no writing tools', () => {
  const { tools, allow } = ruleLists({ ...base, outputDir: undefined });
  expect(tools).toEqual(['Read', 'Grep', 'Bash']);
  expect(allow).toEqual(['Read', 'Grep', 'Bash(airtable:*)']);
});

test('a folder with pattern characters in its name stands for itself', () => {
  expect(ruleLists({ ...base, outputDir: '/a[b]*?' }).allow).toContain(String.raw`Edit(//a\[b\]\*\?/**)`);
});

test.each([
  ['Bash(airtable delete x)', ['Bash(airtable delete x)']],
  ['Bash(airtable a\nairtable b)', ['Bash(airtable a\nairtable b)']],
  ['Write(/root/out/../x.md)', ['Edit(//root/out/../x.md)']],
  ['Edit(x.md)', ['Edit(//root/out/x.md)']],
  ['WebFetch(https://example.org/a?b)', ['WebFetch(domain:example.org)']],
  ['Bash(rm *.md)', []],
  ['Bash(airtable:*)', []],
  ['Bash', []],
])('a grant is exact or it is none: %s', (grant, granted) => {
  expect(ruleLists({ ...base, grants: [grant] }).granted).toEqual(granted);
});

test('ask rules refuse, and step aside for the one call that was granted', () => {
  const ask = ['Bash(airtable delete:*)', 'Bash(git push:*)'];
  expect(ruleLists({ ...base, ask })).toMatchObject({ ask, except: { guarded: [] } });
  const granted = ruleLists({ ...base, ask, grants: ['Bash(airtable delete x)'] });
  expect(granted.ask).toEqual(['Bash(git push:*)']);
  expect(granted.except).toEqual({
    guarded: [parseRule('Bash(airtable delete:*)')],
    granted: [parseRule('Bash(airtable delete x)')],
  });
});

test.each([
  ['Bash(git push:*)', 'Bash(git push origin)', true],
  ['Bash(git push:*)', 'Bash(ls && git  "push" -f)', true],
  ['Bash(git push *)', 'Bash(git pu\\sh)', true],
  ['Bash(git push:*)', 'Bash(git pull)', false],
  ['Bash', 'Bash(anything)', true],
  ['WebFetch', 'Bash(git push)', false],
])('%s covers %s: %s', (rule, call, expected) => {
  expect(covers(parseRule(rule), parseRule(call))).toBe(expected);
});
