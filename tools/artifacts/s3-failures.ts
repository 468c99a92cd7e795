/** What an S3 server's refusals and a network's failures mean for us. Pure. */
import { AppError, messageOf } from '../errors.ts';

/** Names by which servers and the SDK say that a person has to change something. */
const hints: Record<string, string> = {
  AccessDenied: 'allow these keys to get, put, delete and list objects of the bucket',
  Forbidden: 'allow these keys to get, put, delete and list objects of the bucket',
  InvalidAccessKeyId: 'check AWS_ACCESS_KEY_ID',
  SignatureDoesNotMatch: 'check AWS_SECRET_ACCESS_KEY',
  InvalidToken: 'check AWS_SESSION_TOKEN',
  ExpiredToken: 'renew AWS_SESSION_TOKEN',
  RequestTimeTooSkewed: 'set the clock of this machine',
  NoSuchBucket: 'make the bucket, or correct AGENT_ARTIFACTS',
  PermanentRedirect: 'add ?region=… of the bucket to AGENT_ARTIFACTS',
  AuthorizationHeaderMalformed: 'add ?region=… of the bucket to AGENT_ARTIFACTS',
  CredentialsProviderError: 'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
};

export function isMissing(error: unknown): boolean {
  return ['NoSuchKey', 'NotFound'].includes(nameOf(error));
}

/** WORKSPACE where a person must act, CONFLICT where the bytes do not fit their hash, otherwise ARTIFACTS_UNAVAILABLE; an AppError stays what it is. */
export function s3Failure(error: unknown, what: string): AppError {
  if (error instanceof AppError) return error;
  const name = nameOf(error);
  const hint = hints[name];
  const said = `${name}: ${messageOf(error)}`.slice(0, 300);
  const status = statusOf(error);
  // 429 and 408 pass; anything else of the four hundreds is refused the next time too.
  const refused = status !== undefined && status >= 400 && status < 500 && status !== 429 && status !== 408;
  if (['XAmzContentSHA256Mismatch', 'BadDigest'].includes(name))
    return new AppError('CONFLICT', `the file changed while it was being uploaded: ${what}`, {
      hints: ['wait until whatever writes the file has ended, then try again'],
      cause: error,
    });
  if (hint !== undefined || refused)
    return new AppError('WORKSPACE', `the artifact store refuses: ${what} (${said})`, {
      hints: [hint ?? 'check AGENT_ARTIFACTS and the rights of its keys'],
      cause: error,
    });
  return new AppError('ARTIFACTS_UNAVAILABLE', `the artifact store cannot be reached: ${what} (${said})`, {
    hints: ['check the network and the endpoint in AGENT_ARTIFACTS'],
    cause: error,
  });
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : '';
}

function statusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('$metadata' in error)) return undefined;
  return (error.$metadata as { httpStatusCode?: number }).httpStatusCode;
}
