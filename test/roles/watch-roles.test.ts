import { afterEach, beforeEach, expect, it } from 'vitest';
import { openRoles } from '../../tools/roles/watch-roles.ts';
import type { TestProject } from './project.ts';
import { makeProject, roleText } from './project.ts';

let project: TestProject;
beforeEach(() => {
  project = makeProject();
  project.write('.claude/agents/a.md', roleText('a', ['project: A', 'lane: fast']));
  project.write('.claude/agents/b.md', roleText('b', ['project: B']));
});
afterEach(() => project[Symbol.dispose]());

const open = () => openRoles({ root: project.root });

it('does nothing while nothing changes', () => {
  const roles = open();
  const before = roles.current();
  expect(roles.refresh()).toBe(false);
  expect(roles.current()).toBe(before);
});

it('takes over an edit', () => {
  const roles = open();
  project.write('.claude/agents/a.md', roleText('a', ['project: A', 'lane: heavy']));
  expect(roles.refresh()).toBe(true);
  expect(roles.current()[0]?.lane).toBe('heavy');
});

it('keeps the last good version of a broken edit until it is mended', () => {
  const roles = open();
  project.write('.claude/agents/a.md', roleText('a', ['project: A', 'lane: quick']));
  expect(roles.refresh()).toBe(true);
  expect(roles.current().map((role) => [role.name, role.lane])).toEqual([
    ['a', 'fast'],
    ['b', 'normal'],
  ]);
  expect(roles.problems().map((problem) => problem.message)).toEqual([expect.stringContaining('a.md:6')]);
  expect(roles.refresh()).toBe(false);

  project.write('.claude/agents/a.md', roleText('a', ['project: A', 'lane: normal']));
  expect(roles.refresh()).toBe(true);
  expect([roles.current()[0]?.lane, roles.problems()]).toEqual(['normal', []]);
});

it('sees roles come and go', () => {
  const roles = open();
  project.write('.claude/agents/c.md', roleText('c', []));
  project.remove('.claude/agents/a.md');
  expect(roles.refresh()).toBe(true);
  expect(roles.current().map((role) => role.name)).toEqual(['b', 'c']);
});

it('has no role for a file that was never right', () => {
  project.write('.claude/agents/c.md', 'nothing');
  const roles = open();
  expect([roles.current().length, roles.problems().length]).toEqual([2, 1]);
});

it('leaves a project with the role that had it', () => {
  const roles = open();
  project.write('.claude/agents/0.md', roleText('0', ['project: b']));
  project.write('.claude/agents/a.md', roleText('a', ['project: B']));
  expect(roles.refresh()).toBe(true);
  expect(roles.current().map((role) => [role.name, role.project])).toEqual([
    ['a', 'A'],
    ['b', 'B'],
  ]);
  expect(roles.problems()).toHaveLength(2);
});

it('notices a skill that appears or changes', () => {
  const roles = open();
  project.write('.claude/agents/a.md', roleText('a', [], ['skills: late']));
  roles.refresh();
  expect(roles.problems()).toHaveLength(1);
  project.write('.claude/skills/late/SKILL.md', '---\nname: late\ndescription: Is here.\n---\n');
  expect(roles.refresh()).toBe(true);
  expect(roles.current()[0]?.skills[0]?.description).toBe('Is here.');
  project.write('.claude/skills/late/scripts/tell.ts', '');
  expect(roles.refresh()).toBe(true);
  expect(roles.current()[0]?.skills[0]?.commands).toMatchObject([{ name: 'tell' }]);
});
