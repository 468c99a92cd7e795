/** Which keys a role file may have. A misspelt limit must not pass as no limit. Pure. */
import type { FrontMatter } from './front-matter.ts';
import { badRole, unexpected } from './front-matter.ts';
import { nearest } from './nearest.ts';

export const workerKeys = [
  'project',
  'lane',
  'timeout',
  'stall',
  'tool_stall',
  'attempts',
  'deadline',
  'budget',
  'daily_budget',
  'requires',
  'output',
  'isolation',
  'repo',
  'edits',
  'rounds',
  'ask',
  'shares_output',
  'accepts_from',
  'irreversible',
] as const;

/** Keys of Claude Code's own format that look like one of ours or that we read. */
const claudeKeys = new Set([
  'name',
  'description',
  'tools',
  'disallowedTools',
  'model',
  'skills',
  'isolation',
  'worker',
]);

export function refuseUnknownKeys(matter: FrontMatter): void {
  refuseStrayKeys(matter);
  const worker = matter.get('worker');
  if (worker.value === undefined) return;
  if (typeof worker.value !== 'object' || worker.value === null || Array.isArray(worker.value))
    throw unexpected(
      worker,
      'a block of settings',
      'write: worker:, and below it, indented: project: My Project',
    );
  for (const { name, line } of matter.keys('worker')) {
    if (workerKeys.some((key) => key === name)) continue;
    const close = nearest(name, workerKeys);
    throw badRole(
      worker.file,
      line,
      `expected the keys of \`worker\` to be known ones, got: ${JSON.stringify(name)}`,
      close ? `did you mean: ${close}` : `known are: ${workerKeys.join(', ')}`,
    );
  }
}

/** Other keys at the top belong to Claude Code; only those that were clearly meant for us are refused. */
function refuseStrayKeys(matter: FrontMatter): void {
  for (const { name, line } of matter.keys()) {
    if (claudeKeys.has(name)) continue;
    if (workerKeys.some((key) => key === name))
      throw badRole(
        matter.root.file,
        line,
        `expected \`${name}\` to stand in the block \`worker\`, got: it at the top`,
        `move it below worker: and indent it`,
      );
    if (nearest(name, ['worker']))
      throw badRole(
        matter.root.file,
        line,
        `expected the block to be called \`worker\`, got: ${JSON.stringify(name)}`,
        'did you mean: worker',
      );
  }
}
