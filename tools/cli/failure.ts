/** An error is rendered once per program: code, sentence, hints; as JSON where JSON was asked for. */
import { CommanderError } from 'commander';
import { AppError, messageOf } from '../errors.ts';

export interface Rendered {
  text: string;
  exitCode: number;
}

/** Exit 2 for wrong usage, 1 for everything else. A bug keeps its stack. */
export function renderError(error: unknown, json: boolean): Rendered {
  if (error instanceof CommanderError) return { text: '', exitCode: error.exitCode === 0 ? 0 : 2 };
  const known = error instanceof AppError ? error : undefined;
  const code = known?.code ?? 'INTERNAL_ERROR';
  const message = messageOf(error);
  const hints = known?.hints ?? ['this is a bug: please report it with the lines above'];
  const exitCode = code === 'BAD_USAGE' ? 2 : 1;
  if (json) return { text: `${JSON.stringify({ error: { code, message, hints } })}\n`, exitCode };
  const stack = known || !(error instanceof Error) ? '' : `${error.stack ?? ''}\n`;
  return {
    text: `${stack}Error: ${code}\n${message}\n${hints.map((hint) => `- ${hint}\n`).join('')}`,
    exitCode,
  };
}

/** Runs a program's body and ends the process with the right code once its output is flushed. */
export async function runProgram(body: () => Promise<void>, json: boolean): Promise<void> {
  try {
    await body();
  } catch (error) {
    const { text, exitCode } = renderError(error, json);
    process.stderr.write(text);
    process.exitCode = exitCode;
  }
}
