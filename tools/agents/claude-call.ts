/**
 * How Claude Code is called: arguments, settings file, environment. Every flag was measured against the real program;
 * together they leave a project's own settings, hooks and MCP servers out, confine the file tools, and refuse
 * everything nobody allowed. Nothing of a task gets into the arguments. Pure.
 */
import { join } from 'node:path';
import type { AgentRequest } from './agent.ts';
import { outcomeSchema } from './outcome.ts';
import { ruleLists } from './permission-rules.ts';
import type { RuleLists } from './permission-rules.ts';

/** A run that takes more turns than this is going in circles. */
const maxTurns = 200;

export interface ClaudeFiles {
  settings: string;
  briefing: string;
  except: string;
}

export function filesOf(attemptDir: string): ClaudeFiles {
  return {
    settings: join(attemptDir, 'settings.json'),
    briefing: join(attemptDir, 'briefing.md'),
    except: join(attemptDir, 'granted.json'),
  };
}

export function rulesOf(request: AgentRequest): RuleLists {
  const { role, grants, outputDir, cwd } = request;
  return ruleLists({ tools: role.tools, ask: role.ask, grants, outputDir, cwd, edits: role.edits });
}

export function claudeArguments(request: AgentRequest): string[] {
  const { settings, briefing } = filesOf(request.attemptDir);
  const rules = rulesOf(request);
  return [
    '-p',
    // Partial messages are signs of life: a long answer is silent for minutes without them.
    ...option('--output-format', 'stream-json', '--verbose', '--include-partial-messages'),
    ...option('--restricted', '--strict-mcp-config', '--setting-sources=', '--disable-slash-commands'),
    ...option('--permission-mode', 'dontAsk'),
    ...option('--permission-prompts', 'none'),
    ...option('--tools', rules.tools.join(',')),
    ...optional('--allowedTools', rules.allow),
    ...option('--settings', settings),
    ...option('--append-system-prompt-file', briefing),
    ...option('--json-schema', JSON.stringify(outcomeSchema)),
    ...optional('--add-dir', readable(request)),
    ...option('--max-turns', String(maxTurns)),
    ...optional('--max-budget-usd', amount(request.budgetUsd)),
    ...optional('--model', request.model === undefined ? [] : [request.model]),
    ...option(request.resume ? '--resume' : '--session-id', request.sessionId),
  ];
}

/** A prompt that begins with `/` is a command to Claude Code, and an empty one is refused like a wrong option. */
export function safePrompt(prompt: string): string {
  return /^\s*(?:\/|$)/u.test(prompt) ? `The task:\n\n${prompt}` : prompt;
}

const secrets = ['**/.env', '**/.env.*'];
/** The next git that is started there would do what stands in it. */
const planted = ['**/.git', '**/.git/**'];

/** Both spellings: relative to the working directory, and anywhere on the disk. */
function everywhere(tool: string, patterns: readonly string[]): string[] {
  return patterns.flatMap((pattern) => [`${tool}(${pattern})`, `${tool}(//${pattern})`]);
}

export interface SettingsOptions {
  /** Shell command run before each tool call; exit code 2 refuses it. */
  hook: string | undefined;
}

export function claudeSettings(rules: RuleLists, { hook }: SettingsOptions): object {
  return {
    permissions: {
      allow: rules.granted,
      ask: rules.ask,
      deny: [...everywhere('Read', secrets), ...everywhere('Edit', [...secrets, ...planted])],
    },
    attribution: { commit: '', pr: '' },
    ...(hook === undefined
      ? {}
      : { hooks: { PreToolUse: [{ matcher: '*', hooks: [{ type: 'command', command: hook }] }] } }),
  };
}

/** Its credentials; passed to no other agent. */
export const claudeCredentials = [
  'ANTHROPIC_API_KEY',
  'ANTHROPIC_AUTH_TOKEN',
  'CLAUDE_CODE_OAUTH_TOKEN',
  'ANTHROPIC_BASE_URL',
] as const;

/** Talks to nobody but its API. */
export const claudeQuiet = {
  DISABLE_TELEMETRY: '1',
  DISABLE_ERROR_REPORTING: '1',
  DISABLE_AUTOUPDATER: '1',
  CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
};

/** Bounds its own waiting below our clocks, and takes away what makes a prompt or a run do more than was asked. */
export function claudeSwitches(request: Pick<AgentRequest, 'toolStallMs'>): Record<string, string> {
  return {
    ...claudeQuiet,
    CLAUDE_CODE_MAX_RETRIES: '2',
    API_TIMEOUT_MS: '120000',
    CLAUDE_ENABLE_BYTE_WATCHDOG: '1',
    CLAUDE_BYTE_STREAM_IDLE_TIMEOUT_MS: '60000',
    CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK: '1',
    CLAUDE_CODE_DISABLE_FILE_MENTIONS: '1',
    CLAUDE_CODE_DISABLE_BACKGROUND_TASKS: '1',
    CLAUDE_CODE_DISABLE_BUNDLED_SKILLS: '1',
    CLAUDE_CODE_STARTUP_FAILURE_RESULTS: '1',
    BASH_MAX_TIMEOUT_MS: String(Math.max(1000, Math.floor(request.toolStallMs * 0.9))),
  };
}

/** The working directory is readable anyway. */
function readable({ cwd, outputDir, readableDirs }: AgentRequest): string[] {
  const folders = outputDir === undefined ? readableDirs : [outputDir, ...readableDirs];
  return [...new Set(folders)].filter((folder) => folder !== cwd);
}

/** Zero is refused by the program; what is left of a spent budget is the smallest amount it takes. */
function amount(usd: number | undefined): string[] {
  return usd === undefined ? [] : [Math.max(usd, 0.0001).toFixed(4)];
}

function option(...words: string[]): string[] {
  return words;
}

function optional(name: string, values: string[]): string[] {
  return values.length === 0 ? [] : [name, ...values];
}
