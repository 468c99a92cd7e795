import { expect, test } from 'vitest';
import { missingProject, planDesks, rolesFor } from '../../tools/worker/desks.ts';
import { exampleRole } from './examples.ts';

const writer = exampleRole({ name: 'writer', project: 'LinkedIn Writer' });
const reviewer = exampleRole({ name: 'reviewer', project: 'Reviews', file: '.claude/agents/reviewer.md' });
const local = exampleRole({ name: 'local', project: undefined });
const projects = [
  { id: 'p1', name: ' linkedin writer ' },
  { id: 'p2', name: 'Reviews' },
  { id: 'p3', name: 'Groceries' },
];

test('each project is the desk of the role that names it, whatever its case', () => {
  const plan = planDesks([writer, reviewer, local], projects);
  expect([...plan.desks]).toEqual([
    ['p1', writer],
    ['p2', reviewer],
  ]);
  expect(plan.projects.map(({ id }) => id)).toEqual(['p1', 'p2']);
  expect(plan.missing).toEqual([]);
});

test('a role whose project does not exist is named; the others are served', () => {
  const plan = planDesks([writer, reviewer], projects.slice(1));
  expect(plan.missing).toEqual([writer]);
  expect([...plan.desks.keys()]).toEqual(['p2']);
  const error = missingProject(plan.missing, projects.slice(1));
  expect(error).toMatchObject({ code: 'NO_PROJECT' });
  expect(error.message).toContain('"LinkedIn Writer"');
  expect(error.hints.join('\n')).toContain('"Reviews", "Groceries"');
});

test('two projects of one name are no desk', () => {
  expect(() => planDesks([reviewer], [...projects, { id: 'p4', name: 'REVIEWS' }])).toThrow(
    'expected one project named "Reviews", got: 2',
  );
});

test('roles are chosen by project or by name, all of them by default', () => {
  const roles = [writer, reviewer, local];
  expect(rolesFor(roles, [])).toEqual(roles);
  expect(rolesFor(roles, ['REVIEWS', 'local'])).toEqual([reviewer, local]);
});

test('a project without a role is said, with those that have one', () => {
  expect(() => rolesFor([writer, local], ['Groceries'])).toThrow(
    expect.objectContaining({
      code: 'NO_PROJECT',
      hints: expect.arrayContaining([expect.stringContaining('"LinkedIn Writer"')]) as string[],
    }),
  );
});

test('a role asked for twice is served once', () => {
  expect(rolesFor([writer], ['LinkedIn Writer', 'writer'])).toEqual([writer]);
});

test('an empty name is nobody, not the first role without a project', () => {
  expect(() => rolesFor([local, writer], [''])).toThrow('expected the project of a role');
});
