/**
 * The demo's agent: a real child process, run like any other, that makes a short draft without any AI. It lets a new
 * user see the whole loop without an account.
 */
import { fileURLToPath } from 'node:url';
import type { Agent } from './agent.ts';
import { commandAgent } from './command.ts';

export function createSampleAgent(options: { env?: NodeJS.ProcessEnv } = {}): Agent {
  const program = fileURLToPath(new URL('./sample-agent.ts', import.meta.url));
  return commandAgent('sample', { ...options, argv: [process.execPath, program] });
}
