/** Is Claude Code installed and logged in? Two calls of under half a second, no request to the API. */
import { execa } from 'execa';
import type { AgentCheck } from './agent.ts';
import { parseObject, stringOf } from './json.ts';
import { oneLine } from './printable.ts';

const limitMs = 4500;

export async function checkClaude(
  file: string | undefined,
  env: Record<string, string>,
): Promise<AgentCheck> {
  if (file === undefined) return missing;
  const version = await ask(file, ['--version'], env);
  if (version.exitCode !== 0) {
    const detail = `claude does not start: ${oneLine(version.stderr || version.shortMessage || 'no answer')}`;
    return { ok: false, detail, hints: ['npm install -g @anthropic-ai/claude-code'] };
  }
  const number = /\d+(?:\.\d+)+/u.exec(version.stdout)?.[0] ?? oneLine(version.stdout, 40);
  const status = parseObject((await ask(file, ['auth', 'status'], env)).stdout);
  if (status?.['loggedIn'] === true) {
    return { ok: true, detail: `claude ${number}, ${source(status)}`, hints: [] };
  }
  return {
    ok: false,
    detail: `claude ${number}, not logged in`,
    hints: ['run `claude` once and log in, or set ANTHROPIC_API_KEY in .env'],
  };
}

const missing: AgentCheck = {
  ok: false,
  detail: 'expected the program `claude` on the PATH, found none',
  hints: ['npm install -g @anthropic-ai/claude-code', 'or try the loop without it: npm run demo'],
};

function source(status: Record<string, unknown>): string {
  const key = stringOf(status['apiKeySource']);
  const method = stringOf(status['authMethod']);
  if (method === 'api_key') return `API key from ${key ?? 'ANTHROPIC_API_KEY'}`;
  return method === undefined ? 'logged in' : `logged in (${method})`;
}

function ask(file: string, args: string[], env: Record<string, string>) {
  return execa(file, args, {
    env,
    extendEnv: false,
    stdin: 'ignore',
    reject: false,
    timeout: limitMs,
    killSignal: 'SIGKILL',
    maxBuffer: 1024 * 1024,
  });
}
