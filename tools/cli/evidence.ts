/** What a completed task has left under the artifact root, checked now: a state in a store is no evidence. */
import type { ManifestFile } from '../artifacts/manifest.ts';
import type { Checked } from '../artifacts/verify.ts';
import { isRetryable, messageOf } from '../errors.ts';
import type { Task } from '../store/tasks.ts';
import type { Session } from './session.ts';

export interface Evidence {
  /** null: there is nothing to verify, or it cannot be done now. */
  verified: boolean | null;
  problems: string[];
  resultRef: string | null;
  /** Of the result. */
  resultSha256: string | undefined;
  /** What was found as the manifest says. */
  checked: Checked[];
  files: ManifestFile[];
}

/** Throws ARTIFACTS_UNAVAILABLE and the like. */
export async function evidenceOf(session: Session, task: Task): Promise<Evidence> {
  const { envelope, result } = task.meta;
  const none = { resultRef: result?.ref ?? null, resultSha256: undefined, checked: [], files: [] };
  if (task.state !== 'completed' || (envelope === undefined && result === undefined))
    return { ...none, verified: null, problems: [] };
  if (result === undefined) return { ...none, verified: false, problems: ['no result was delivered'] };
  const { verifyTold } = await import('../artifacts/verify.ts');
  const told = [result.manifestSha256, ...(result.orElse ?? [])];
  const request = { taskId: task.id, expected: envelope?.expected_output };
  const found = await verifyTold(await session.artifacts(), request, told);
  return {
    verified: found.ok,
    problems: found.problems,
    resultRef: result.ref,
    resultSha256: found.manifest?.result.sha256,
    checked: found.checked,
    files: found.manifest?.files ?? [],
  };
}

/** The same for whoever only wants to know how things stand: what cannot be reached now is not known. */
export async function evidenceNow(session: Session, task: Task): Promise<Evidence> {
  try {
    return await evidenceOf(session, task);
  } catch (error) {
    if (!isRetryable(error)) throw error;
    return {
      verified: null,
      problems: [messageOf(error)],
      resultRef: task.meta.result?.ref ?? null,
      resultSha256: undefined,
      checked: [],
      files: [],
    };
  }
}
