/**
 * The environment an agent gets, by allow-list: what is not named here stays with the worker, its tokens first of all.
 * Pure.
 */
import { delimiter } from 'node:path';

const passed = new Set([
  'HOME',
  'LANG',
  'TZ',
  'TERM',
  'TMPDIR',
  'USER',
  'LOGNAME',
  'SHELL',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'http_proxy',
  'https_proxy',
  'no_proxy',
  'NODE_EXTRA_CA_CERTS',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
]);

export interface EnvironmentOptions {
  /** Put first on the PATH, in this order. */
  pathFirst: (string | undefined)[];
  /** Names this driver needs besides the common ones (its own credentials). */
  alsoPass?: readonly string[];
  /** Set by us; wins over everything passed on. */
  set?: Record<string, string>;
}

export function agentEnvironment(
  parent: NodeJS.ProcessEnv,
  options: EnvironmentOptions,
): Record<string, string> {
  const also = new Set(options.alsoPass);
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(parent)) {
    if (value !== undefined && (passed.has(name) || name.startsWith('LC_') || also.has(name))) {
      environment[name] = value;
    }
  }
  const path = [...options.pathFirst, parent['PATH'] ?? '/usr/local/bin:/usr/bin:/bin'];
  environment['PATH'] = path.filter((part) => part !== undefined && part !== '').join(delimiter);
  return { ...environment, ...options.set };
}
