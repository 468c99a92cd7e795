/** The one role that everything under fire is about: its agents write a file into a folder of their task's own. */
import { join } from 'node:path';
import type { Role } from '../../../tools/roles/role.ts';

export const roleName = 'writer';
export const coordinator = 'coordinator';

export function writerIn(workspace: string): Role {
  return {
    name: roleName,
    description: 'Writes.',
    file: 'writer.md',
    body: 'Write.',
    tools: [],
    model: undefined,
    skills: [],
    project: undefined,
    lane: 'normal',
    timeoutMs: 60_000,
    stallMs: 60_000,
    toolStallMs: 60_000,
    attempts: 5,
    deadlineMs: undefined,
    budgetUsd: undefined,
    dailyBudgetUsd: undefined,
    requires: [],
    output: join(workspace, 'posts'),
    isolation: 'folder',
    repo: undefined,
    rounds: 5,
    ask: [],
    sharesOutput: false,
    acceptsFrom: undefined,
    irreversible: false,
    edits: false,
    hash: 'writer',
  };
}
