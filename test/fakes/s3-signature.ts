/** Checks AWS Signature Version 4 of a request, as S3 does: the path as it was sent, and the body's hash as claimed. */
import { createHash, createHmac } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** Undefined: signed with these keys. Otherwise the error code that S3 answers with. */
export function signatureProblem(
  request: IncomingMessage,
  keys: { accessKeyId: string; secretAccessKey: string },
): string | undefined {
  const found =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
      request.headers.authorization ?? '',
    );
  if (!found) return 'AccessDenied';
  const [, accessKeyId = '', day = '', region = '', signedHeaders = '', signature] = found;
  if (accessKeyId !== keys.accessKeyId) return 'InvalidAccessKeyId';
  const header = (name: string): string => String(request.headers[name] ?? '').trim();
  if (!signedHeaders.split(';').includes('host') || header('x-amz-content-sha256') === '')
    return 'AccessDenied';
  const url = new URL(request.url ?? '', 'http://fake');
  const canonical = [
    request.method,
    url.pathname,
    canonicalQuery(url.searchParams),
    ...signedHeaders.split(';').map((name) => `${name}:${header(name).replace(/ +/g, ' ')}`),
    '',
    signedHeaders,
    header('x-amz-content-sha256'),
  ].join('\n');
  const scope = `${day}/${region}/s3/aws4_request`;
  const digest = createHash('sha256').update(canonical).digest('hex');
  const text = ['AWS4-HMAC-SHA256', header('x-amz-date'), scope, digest].join('\n');
  const key = [day, region, 's3', 'aws4_request'].reduce<string | Buffer>(
    (secret, part) => createHmac('sha256', secret).update(part).digest(),
    `AWS4${keys.secretAccessKey}`,
  );
  const right = createHmac('sha256', key).update(text).digest('hex');
  return right === signature ? undefined : 'SignatureDoesNotMatch';
}

function canonicalQuery(query: URLSearchParams): string {
  return [...query]
    .map(([key, value]) => `${encode(key)}=${encode(value)}`)
    .sort()
    .join('&');
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
