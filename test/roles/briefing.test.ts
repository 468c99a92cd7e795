import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { briefing } from '../../tools/roles/briefing.ts';
import { parseRole } from '../../tools/roles/load-role.ts';
import { makeProject, roleText } from './project.ts';

const project = makeProject();
afterAll(() => project[Symbol.dispose]());
const { root } = project;
const brief = (worker: string[], more: string[] = []) =>
  briefing(parseRole(roleText('x', worker, more), '.claude/agents/x.md', { root }));

it('begins with the role’s own words and ends with how to finish', () => {
  const text = brief(['output: workspace/x'], ['skills: [writing]']);
  expect(text).toMatch(/^Work well\.\n\n## Skills\n/);
  expect(text).toContain(`- ${join(root, '.claude/skills/writing/SKILL.md')}: Writes.`);
  expect(text).toContain('- `publish` (skill writing)');
  for (const word of [
    'needs_input',
    'needs_review',
    'proposal',
    'evidence',
    'reason',
    'decision',
    'artifacts',
  ])
    expect(text).toContain(`\`${word}\``);
});

it.each([
  [
    ['output: workspace/x'],
    `Write only in your working directory, by short file names; it is ${root}/workspace/x.`,
  ],
  [['output: workspace/x', 'isolation: folder'], `a folder of this task's own in ${root}/workspace/x.`],
  [
    ['output: workspace/x', 'isolation: worktree', 'repo: .'],
    `Write only in ${root}/workspace/x, by absolute path.`,
  ],
  [
    ['output: workspace/x', 'isolation: worktree', 'repo: .', 'edits: true'],
    'Change in it what the task asks\nfor, and nothing else.',
  ],
  [['isolation: worktree', 'repo: .'], 'change nothing in it.\nYou write no files'],
  [['lane: fast'], 'You write no files'],
])('says where to write: %j', (worker, text) => {
  expect(brief(worker)).toContain(text);
});

it('says nothing of skills and commands a role does not have', () => {
  expect(brief([])).not.toMatch(/## Skills|## Commands/);
});

it('names the task’s own folder to who may change its checkout', () => {
  const lines = ['output: workspace/x', 'isolation: worktree', 'repo: .', 'edits: true'];
  const role = parseRole(roleText('x', lines), '.claude/agents/x.md', { root });
  expect(briefing(role, '/out/task-1')).toContain(
    'Reports and other files go to /out/task-1, by absolute path.',
  );
  expect(briefing(role, '/out/task-1')).not.toContain('for reading');
});
