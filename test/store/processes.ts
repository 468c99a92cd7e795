/** Starts `other-process.ts` and reads what it says. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface OtherProcess {
  /** The next thing it says; an empty object when it has ended. */
  next(): Promise<Record<string, unknown>>;
  /** It does what is next. */
  go(): void;
  [Symbol.dispose](): void;
}

export function otherProcess(args: string[], wrapper: string[] = []): OtherProcess {
  const program = fileURLToPath(new URL('other-process.ts', import.meta.url));
  const [file = '', ...rest] = [...wrapper, process.execPath, program, ...args];
  const child = spawn(file, rest, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    next: async () => {
      const line = await lines.next();
      return line.done === true ? {} : (JSON.parse(line.value) as Record<string, unknown>);
    },
    go: () => void child.stdin.write('\n'),
    [Symbol.dispose]: () => void child.kill('SIGKILL'),
  };
}
