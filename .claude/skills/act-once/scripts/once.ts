/**
 * The command `once` on an agent's PATH: `agentq once` for agents. The key is tied to the task, and only commands that
 * the agent's own skills bring may be run, so that the ledger is no way around the agent's permissions.
 */
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { AppError } from '../../../../tools/errors.ts';
import { runProgram } from '../../../../tools/cli/failure.ts';
import { once } from '../../../../tools/cli/verbs/once.ts';

const [key, dashes, command, ...args] = process.argv.slice(2);

await runProgram(async () => {
  const task = process.env['AGENT_TASK_ID'];
  if (task === undefined)
    throw new AppError('BAD_USAGE', 'this is for agents at work; people use: agentq once');
  if (key === undefined || dashes !== '--' || command === undefined)
    throw new AppError('BAD_USAGE', 'expected: once KEY -- COMMAND [ARGUMENTS…]', {
      hints: ['once send-newsletter -- airtable record update …'],
    });
  await once(`${task}:${key}`, [command, ...args], {
    json: false,
    forget: false,
    file: commandFile(command),
  });
}, false);

/** The worker makes a folder of the commands that this attempt may use, and says which it is. */
function commandFile(name: string): string {
  const file = join(process.env['AGENT_COMMANDS_DIR'] ?? '', name);
  if (basename(name) === name && name !== 'once' && existsSync(file)) return file;
  throw new AppError('BAD_USAGE', `expected a command of this role's skills, got: "${name}"`, {
    hints: ['the commands you have are named in your briefing'],
  });
}
