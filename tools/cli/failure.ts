/** An error is rendered once per program: code, sentence, hints; as JSON where JSON was asked for. */
import { CommanderError } from 'commander';
import { printable } from '../agents/printable.ts';
import { AppError, messageOf } from '../errors.ts';
import { exitCodeOf, exitCodes } from './exit-codes.ts';

export interface Rendered {
  text: string;
  exitCode: number;
}

/** A bug keeps its stack; what is printed as text holds no control sequences. */
export function renderError(error: unknown, json: boolean): Rendered {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return { text: '', exitCode: exitCodes.ok };
    const message = error.message.replace(/^error: /, '');
    return renderError(new AppError('BAD_USAGE', message, { hints: ['--help lists what there is'] }), json);
  }
  const known = error instanceof AppError ? error : undefined;
  const code = known?.code ?? 'INTERNAL_ERROR';
  const message = messageOf(error);
  const hints = known?.hints ?? ['this is a bug: please report it with the lines above'];
  const exitCode = exitCodeOf(error);
  if (json) return { text: `${JSON.stringify({ error: { code, message, hints } })}\n`, exitCode };
  const stack = known || !(error instanceof Error) ? '' : `${error.stack ?? ''}\n`;
  const text = `${stack}Error: ${code}\n${message}\n${hints.map((hint) => `- ${hint}\n`).join('')}`;
  return { text: printable(text), exitCode };
}

/** Errors of usage are rendered here like all others; commander itself prints only help. */
export const quietOutput = { writeErr: (): void => undefined };

/** Runs a program's body and ends the process with the right code once its output is flushed. */
export async function runProgram(body: () => Promise<void>, json: boolean): Promise<void> {
  // A reader that has had enough (`| head`) is no error of ours.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  try {
    await body();
  } catch (error) {
    const { text, exitCode } = renderError(error, json);
    process.stderr.write(text);
    process.exitCode = exitCode;
  }
}
