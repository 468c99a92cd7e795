/**
 * A program Claude Code runs before a tool call (PreToolUse) when a human has approved one call under an ask rule:
 * an exact allow cannot win over `ask`, so the ask rule is lifted and this holds it up for all but the approved call.
 * Exit code 2 refuses, 0 leaves the decision to the other rules; anything that goes wrong here must refuse.
 */
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { isObject, parseObject, stringOf } from './json.ts';
import { covers } from './permission-rules.ts';
import type { PermissionRule } from './permission-rules.ts';

const call = callOf(parseObject(await text(process.stdin)));
const except = parseObject(readFileSync(process.argv[2]!, 'utf8'))!;
const isGranted = rulesOf(except['granted']).some(
  (rule) => rule.tool === call.tool && rule.argument === call.argument,
);
if (!isGranted && rulesOf(except['guarded']).some((rule) => covers(rule, call))) {
  process.stderr.write("This call needs a person's approval, and nobody has approved exactly this one.\n");
  process.exit(2);
}

function callOf(event: Record<string, unknown> | undefined): PermissionRule {
  const input = isObject(event?.['tool_input']) ? event['tool_input'] : {};
  const argument = input['command'] ?? input['file_path'] ?? input['path'] ?? input['url'] ?? input['query'];
  return { tool: stringOf(event?.['tool_name']) ?? '', argument: stringOf(argument) };
}

function rulesOf(value: unknown): PermissionRule[] {
  if (!Array.isArray(value)) throw new Error('expected a list of rules');
  return value
    .filter(isObject)
    .map((rule) => ({ tool: stringOf(rule['tool']) ?? '', argument: stringOf(rule['argument']) }));
}
