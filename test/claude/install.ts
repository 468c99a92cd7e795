/**
 * Fetches the pinned Claude Code into `.cache/claude/`, once. CLAUDE_BIN names another program instead. These tests
 * are about the real program: without it they fail, they are never skipped.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const version = '2.1.330';

/** Vitest's global set-up: the tests find the program in CLAUDE_BIN. */
export function setup(): void {
  process.env['CLAUDE_BIN'] ??= installedClaude();
  const answer = versionOf(process.env['CLAUDE_BIN']);
  if (answer === undefined) {
    throw new Error(
      `expected Claude Code at ${process.env['CLAUDE_BIN']}, got no version from it. Its native package may not have ` +
        `been installed: remove .cache/claude and run this again with the network on, or set CLAUDE_BIN.`,
    );
  }
}

function installedClaude(): string {
  const folder = fileURLToPath(new URL(`../../.cache/claude/${version}/`, import.meta.url));
  const program = `${folder}node_modules/.bin/claude`;
  if (existsSync(program) && versionOf(program) === version) return program;
  mkdirSync(folder, { recursive: true });
  // Its install script puts the program for this machine in place; npm wants that to be allowed by name.
  const name = '@anthropic-ai/claude-code';
  const manifest = { private: true, dependencies: { [name]: version }, allowScripts: { [name]: true } };
  writeFileSync(`${folder}package.json`, JSON.stringify(manifest));
  execFileSync('npm', ['install', '--prefix', folder, '--no-audit', '--no-fund'], { stdio: 'inherit' });
  return program;
}

function versionOf(program: string): string | undefined {
  try {
    return /^\d+\.\d+\.\d+/u.exec(
      execFileSync(program, ['--version'], { encoding: 'utf8', timeout: 20_000 }),
    )?.[0];
  } catch {
    return undefined; // not there, or not for this machine: told by the caller
  }
}
