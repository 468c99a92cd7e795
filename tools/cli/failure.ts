/** An error is rendered once per program: code, sentence, hints; as JSON where JSON was asked for. */
import { CommanderError } from 'commander';
import { AppError, messageOf } from '../errors.ts';

export interface Rendered {
  text: string;
  exitCode: number;
}

/** Exit 2 for wrong usage, 1 for everything else. A bug keeps its stack. */
export function renderError(error: unknown, json: boolean): Rendered {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return { text: '', exitCode: 0 };
    const message = error.message.replace(/^error: /, '');
    return renderError(new AppError('BAD_USAGE', message, { hints: ['--help lists what there is'] }), json);
  }
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
