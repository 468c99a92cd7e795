/** The command `changes` on an agent's PATH: what it has changed in its checkout so far, as the patch will have it. */
import { join } from 'node:path';
import { AppError } from '../../../../tools/errors.ts';
import { runProgram } from '../../../../tools/cli/failure.ts';
import { readChanges } from '../../../../tools/workspaces/patch.ts';
import { safeName } from '../../../../tools/workspaces/workspace.ts';

await runProgram(async () => {
  const { AGENT_TASK_ID: task, AGENT_REPO: repo, AGENT_DATA_DIR: data } = process.env;
  if (task === undefined || repo === undefined || data === undefined)
    throw new AppError('BAD_USAGE', 'this is for agents at work on a checkout; people use: git diff');
  const { patch, leftOut } = await readChanges(repo, join(data, 'worktrees', safeName(task)));
  for (const path of leftOut) process.stderr.write(`! a repository of its own, not in the patch: ${path}\n`);
  process.stdout.write(patch.length === 0 ? 'nothing is changed\n' : patch);
}, false);
