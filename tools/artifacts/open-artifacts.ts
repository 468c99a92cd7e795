/** Which driver keeps the artifacts. The S3 client takes 100 ms to load, so only who uses it pays for it. */
import { isAbsolute } from 'node:path';
import { AppError } from '../errors.ts';
import type { ArtifactStore } from './artifacts.ts';
import { openFolder } from './folder.ts';

/**
 * `where`: an absolute folder, or `s3://bucket/prefix?endpoint=…&region=…`; `env` holds the keys for S3. Nothing is
 * asked of S3 yet. Throws BAD_INPUT, WORKSPACE or ARTIFACTS_UNAVAILABLE.
 */
export async function openArtifacts(where: string, env: NodeJS.ProcessEnv): Promise<ArtifactStore> {
  if (where.startsWith('s3://')) return (await import('./s3.ts')).openS3(where, env);
  if (isAbsolute(where)) return openFolder(where);
  throw new AppError(
    'BAD_INPUT',
    `expected AGENT_ARTIFACTS to be an absolute folder or s3://…, got: ${where}`,
  );
}
