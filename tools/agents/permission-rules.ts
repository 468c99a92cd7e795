/**
 * Permission rules in Claude Code's syntax, and the lists made of them for one attempt. Measured against 2.1.330:
 * `Edit(//absolute/**)` scopes Write and Edit alike while `Write(…)` scopes nothing; a rule's path is a pattern, so
 * `[`, `*` and `?` in a real path need a backslash; `ask` and `deny` win over any `allow`, also an exact one. Pure.
 */
import { isAbsolute, join } from 'node:path';

export interface PermissionRule {
  tool: string;
  /** What stands in the brackets. */
  argument: string | undefined;
}

export interface RuleInput {
  /** The role's rules. */
  tools: readonly string[];
  /** The role's rules that need a human's approval. */
  ask: readonly string[];
  /** Rules a human approved for this task; their text comes from the agent. */
  grants: readonly string[];
  outputDir: string | undefined;
  cwd: string;
  /** It may change its working directory too. */
  edits: boolean;
}

export interface RuleLists {
  /** Names of the tools that exist at all. */
  tools: string[];
  /** From the role: the agent may do these unasked. */
  allow: string[];
  /** From a human, exact calls. */
  granted: string[];
  /** Refused, because nobody can be asked. */
  ask: string[];
  /** Ask rules under which a call has been granted: everything under them but the granted calls is refused. */
  except: { guarded: PermissionRule[]; granted: PermissionRule[] };
}

const writers = new Set(['Write', 'Edit', 'MultiEdit', 'NotebookEdit']);

export function ruleLists(input: RuleInput): RuleLists {
  const rules = input.tools.map(parseRule);
  const grants = input.grants.map(parseRule).filter(isExact);
  const mayWrite = input.outputDir !== undefined;
  const usable = rules.filter((rule) => mayWrite || !writers.has(rule.tool));
  const writes = usable.some((rule) => writers.has(rule.tool));
  const folders = [input.outputDir, input.edits ? input.cwd : undefined].filter((each) => each !== undefined);
  const guarded = input.ask.map(parseRule).filter((rule) => grants.some((grant) => covers(rule, grant)));
  return {
    tools: [...new Set([...usable, ...grants].map((rule) => rule.tool))],
    allow: [
      ...usable.filter((rule) => !writers.has(rule.tool)).map(formatRule),
      ...(writes ? folders : []).map((folder) => `Edit(${folderPattern(folder)})`),
    ],
    granted: grants.map((grant) => grantRule(grant, input.cwd)),
    ask: input.ask.filter(
      (text) => !guarded.some((rule) => formatRule(rule) === formatRule(parseRule(text))),
    ),
    except: { guarded, granted: guarded.length > 0 ? grants : [] },
  };
}

export function parseRule(text: string): PermissionRule {
  const match = /^([^(\s]+)\(([\s\S]*)\)$/u.exec(text.trim());
  return match ? { tool: match[1]!, argument: match[2]! } : { tool: text.trim(), argument: undefined };
}

export function formatRule({ tool, argument }: PermissionRule): string {
  return argument === undefined ? tool : `${tool}(${argument})`;
}

/**
 * A `*` in an approved command would be a wildcard in the rule and approve more than the person saw, and there is no
 * way to escape it in a Bash rule: such a call stays refused. So does a bare tool name.
 */
function isExact({ argument }: PermissionRule): boolean {
  return argument !== undefined && argument !== '' && !argument.includes('*');
}

/**
 * Would an approval of this call have an effect? File tools stay confined to their folders whatever is allowed, and a
 * redirection is refused even where the command is allowed (measured).
 */
export function canBeGranted(text: string): boolean {
  const rule = parseRule(text);
  if (!isExact(rule) || writers.has(rule.tool) || ['Read', 'Glob', 'Grep'].includes(rule.tool)) return false;
  return rule.tool !== 'Bash' || !/[<>]/u.test(rule.argument ?? '');
}

/** The rule that lets exactly this call through. */
function grantRule(grant: PermissionRule, cwd: string): string {
  const { tool, argument = '' } = grant;
  if (writers.has(tool)) return `Edit(${absolutePattern(argument, cwd)})`;
  if (tool === 'Read') return `Read(${absolutePattern(argument, cwd)})`;
  if (tool === 'WebFetch' && URL.canParse(argument)) return `WebFetch(domain:${new URL(argument).hostname})`;
  return formatRule(grant);
}

function absolutePattern(path: string, cwd: string): string {
  return `/${escapePath(isAbsolute(path) ? path : join(cwd, path))}`;
}

function folderPattern(folder: string): string {
  return `/${escapePath(folder)}/**`;
}

function escapePath(path: string): string {
  return path.replace(/[[\]*?\\]/gu, String.raw`\$&`);
}

/** Would this ask rule stop that exact call? Same tool, and the fixed part of the rule occurs in the call. */
export function covers(rule: PermissionRule, call: PermissionRule): boolean {
  if (rule.tool !== call.tool) return false;
  return plain(call.argument ?? '').includes(plain(fixedPart(rule.argument ?? '')));
}

function fixedPart(argument: string): string {
  return argument.replace(/:\*$/u, '').split('*')[0]!.trim();
}

/** Quotes, backslashes and spacing must not hide a command from its rule. */
function plain(text: string): string {
  return text
    .replace(/["'\\]/gu, '')
    .replace(/\s+/gu, ' ')
    .trim();
}
