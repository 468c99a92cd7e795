/**
 * After an agent that may change its checkout has ended: the worker itself writes down what was changed, so that the
 * patch is what lies there and not what the agent says of it. A patch that cannot be made is a lack of evidence.
 */
import type { AgentResult } from '../agents/agent.ts';
import { AppError } from '../errors.ts';
import type { Role } from '../roles/role.ts';
import type { Places } from '../workspaces/workspace.ts';

/** The result with the patch among its artifacts; of other roles, and of attempts without an outcome, as it was. */
export async function collectChanges(role: Role, places: Places, result: AgentResult): Promise<AgentResult> {
  const { outcome } = result;
  if (!role.edits || role.repo === undefined || places.outputDir === undefined) return result;
  if (outcome === undefined || result.failure) return result;
  const { readChanges, savePatch } = await import('../workspaces/patch.ts');
  try {
    const changes = await readChanges(role.repo, places.cwd);
    const file = savePatch(places.outputDir, changes);
    const artifacts = file === undefined ? outcome.artifacts : [file, ...outcome.artifacts];
    return {
      ...result,
      outcome: { ...outcome, artifacts, summary: outcome.summary + told(changes.leftOut) },
    };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const message = ['The changes cannot be delivered as a patch: ' + error.message, ...error.hints].join(
      '. ',
    );
    return { ...result, failure: { kind: 'no_evidence', code: 'no_patch', message } };
  }
}

function told(leftOut: readonly string[]): string {
  if (leftOut.length === 0) return '';
  const names = leftOut.slice(0, 5).map((path) => JSON.stringify(path));
  return ` (Not in the patch, being repositories of their own: ${names.join(', ')}${leftOut.length > 5 ? ' and more' : ''}.)`;
}
