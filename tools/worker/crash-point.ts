/**
 * Named places at which a test can make the worker die as by SIGKILL or a power cut: `AGENT_CRASH_AT=<name>` or
 * `<name>:<n>` for the n-th time it is reached. Without the variable this is one comparison.
 */
export const crashPoints = [
  'polled',
  'intake-stored',
  'claimed',
  'prepared',
  'agent-started',
  'agent-step',
  'agent-ended',
  'settled',
  'report-prepared',
  'report-command-stored',
  'report-sent',
  'report-marked',
] as const;
export type CrashPoint = (typeof crashPoints)[number];

const [target, count = '1'] = (process.env['AGENT_CRASH_AT'] ?? '').split(':');
let remaining = Number(count);

export function crashPoint(name: CrashPoint): void {
  if (target !== name) return;
  remaining -= 1;
  if (remaining === 0) process.kill(process.pid, 'SIGKILL');
}
