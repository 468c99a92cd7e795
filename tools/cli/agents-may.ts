/**
 * What an agent's own shell may do with `agentq`: delegate, look, and stop what it has delegated. Deciding, operating and
 * answering in another worker's name are for people and for workers of their own. The permission rules of the role say
 * whether the agent may call it at all.
 */
import { attemptMarker } from '../agents/agent.ts';
import { AppError } from '../errors.ts';

export const agentsMay: ReadonlySet<string> = new Set([
  'submit',
  'status',
  'result',
  'verify',
  'artifacts',
  'events',
  'list',
  'show',
  'why',
  // Only of tasks that it has delegated itself.
  'cancel',
]);

export function isAgent(): boolean {
  return process.env[attemptMarker] !== undefined;
}

/** Throws BAD_USAGE in an agent's shell, for verbs that are not for it. */
export function refuseAgents(verb: string): void {
  if (!isAgent() || agentsMay.has(verb)) return;
  throw new AppError('BAD_USAGE', `agentq ${verb} is for people; an agent cannot use it`, {
    hints: [`an agent may use: ${[...agentsMay].join(', ')}`, 'return needs_input or needs_review instead'],
  });
}
