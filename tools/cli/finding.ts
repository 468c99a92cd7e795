/** What a check of `agentq doctor` finds. */
export interface Finding {
  status: 'PASS' | 'WARN' | 'FAIL';
  detail: string;
  hints: string[];
}

export const pass = (detail: string): Finding => ({ status: 'PASS', detail, hints: [] });
export const warn = (detail: string, ...hints: string[]): Finding => ({ status: 'WARN', detail, hints });
export const fail = (detail: string, ...hints: string[]): Finding => ({ status: 'FAIL', detail, hints });
