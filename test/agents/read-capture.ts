/** A capture of the real program, fed through the stream reader as the driver would. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { AgentEvent } from '../../tools/agents/agent.ts';
import type { ClaudeRun } from '../../tools/agents/claude-classify.ts';
import { emptyStream, readClaudeLine } from '../../tools/agents/claude-stream.ts';
import { numberOf, parseObject, stringOf } from '../../tools/agents/json.ts';

const folder = fileURLToPath(new URL('../fixtures/claude-captures/', import.meta.url));

export function captureNames(): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? [entry.name] : [],
  );
}

export function readLines(lines: string[]): Pick<ClaudeRun, 'stream'> & { events: AgentEvent[] } {
  let stream = emptyStream;
  const events: AgentEvent[] = [];
  for (const line of lines) {
    const read = readClaudeLine(stream, line, { cwd: '/home/me/project', sessionCostUsd: 0 });
    stream = read.state;
    events.push(...read.events);
  }
  return { stream, events };
}

export function readCapture(name: string): ClaudeRun & { events: AgentEvent[] } {
  const meta = parseObject(readFileSync(`${folder}${name}/meta.json`, 'utf8'))!;
  const stderr = `${folder}${name}/stderr`;
  return {
    ...readLines(readFileSync(`${folder}${name}/stdout`, 'utf8').split('\n')),
    timeoutIsDeadline: false,
    ended: {
      exit: { code: numberOf(meta['code']) ?? null, signal: stringOf(meta['signal']) ?? null },
      endedBy: undefined,
      startError: undefined,
      stderrTail: existsSync(stderr) ? readFileSync(stderr, 'utf8').trim() : '',
      skippedLines: 0,
      leftovers: 0,
    },
  };
}
