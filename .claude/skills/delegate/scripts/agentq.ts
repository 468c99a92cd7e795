/** The command `agentq` on an agent's PATH: the product's own, in this task's name, with files of this task alone. */
import { AppError } from '../../../../tools/errors.ts';
import { runProgram } from '../../../../tools/cli/failure.ts';
import { refuseForeignFiles } from '../cli/own-files.ts';

const args = process.argv.slice(2);

await runProgram(async () => {
  const folder = process.env['AGENT_OUTPUT_DIR'];
  if (process.env['AGENT_TASK_ID'] === undefined || process.env['AGENT_ATTEMPT_ID'] === undefined)
    throw new AppError('BAD_USAGE', 'this is for agents at work; people use: npm run agentq');
  refuseForeignFiles(args, { cwd: process.cwd(), folder });
  // It reads its arguments itself.
  await import('../../../../tools/agentq.ts');
}, args.includes('--json'));
