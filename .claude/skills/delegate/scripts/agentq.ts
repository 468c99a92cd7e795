/** The command `agentq` on an agent's PATH: the product's own, in this task's name, with files of this task alone. */
import { AppError } from '../../../../tools/errors.ts';
import { runProgram } from '../../../../tools/cli/failure.ts';
import { refuseForeignFiles, withOwnKey } from '../cli/own-arguments.ts';

const args = process.argv.slice(2);

await runProgram(async () => {
  const { AGENT_OUTPUT_DIR: folder, AGENT_TASK_ID: task, AGENT_ATTEMPT_ID: attempt } = process.env;
  if (task === undefined || attempt === undefined)
    throw new AppError('BAD_USAGE', 'this is for agents at work; people use: npm run agentq');
  refuseForeignFiles(args, { cwd: process.cwd(), folder });
  // It reads its arguments itself.
  process.argv.splice(2, args.length, ...withOwnKey(args, task));
  await import('../../../../tools/agentq.ts');
}, args.includes('--json'));
