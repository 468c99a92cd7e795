/** `s3://bucket/prefix?endpoint=…&region=…` into its parts. Pure. */
import { AppError } from '../errors.ts';
import { isRef } from './refs.ts';

export interface S3Address {
  bucket: string;
  /** Empty, or ends in a slash. */
  prefix: string;
  /** Undefined: Amazon's own. */
  endpoint: string | undefined;
  region: string;
}

/** Throws BAD_INPUT. What the address does not say comes from the usual AWS_… variables of `env`. */
export function parseS3Address(where: string, env: NodeJS.ProcessEnv): S3Address {
  const url = URL.canParse(where) ? new URL(where) : undefined;
  // Credentials would be shown wherever the address is.
  if (url === undefined || url.username !== '' || url.password !== '' || url.hash !== '' || url.port !== '')
    throw bad('the address', where.replace(/\/\/[^/]*@/, '//…@'));
  const unknown = [...url.searchParams.keys()].find((key) => !['endpoint', 'region'].includes(key));
  if (unknown !== undefined) throw bad('endpoint and region after the question mark', unknown);
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(url.hostname)) throw bad('the bucket', url.hostname);
  const prefix = url.pathname.replace(/^\/+|\/+$/g, '');
  if (prefix !== '' && !isRef(prefix)) throw bad('the prefix', prefix);
  const endpoint = url.searchParams.get('endpoint') ?? env['AWS_ENDPOINT_URL_S3'] ?? env['AWS_ENDPOINT_URL'];
  return {
    bucket: url.hostname,
    prefix: prefix === '' ? '' : `${prefix}/`,
    endpoint: endpoint ? checkedEndpoint(endpoint) : undefined,
    region: url.searchParams.get('region') ?? env['AWS_REGION'] ?? env['AWS_DEFAULT_REGION'] ?? 'us-east-1',
  };
}

function checkedEndpoint(endpoint: string): string {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  const web = url?.protocol === 'http:' || url?.protocol === 'https:';
  if (url !== undefined && web && url.username === '' && url.password === '') return endpoint;
  throw bad(
    'the endpoint to be http://… or https://… without credentials',
    endpoint.replace(/\/\/.*@/, '//…@'),
  );
}

function bad(what: string, value: string): AppError {
  return new AppError(
    'BAD_INPUT',
    `expected ${what} to be valid in AGENT_ARTIFACTS, got: ${JSON.stringify(value)}`,
    {
      hints: ['such as s3://my-bucket/agents?endpoint=https://minio.example.com&region=eu-central-1'],
    },
  );
}
