/**
 * One run of the command: arguments in, text and an exit code out. Everything that is printed goes through here, so
 * that the key is taken out of it whatever Airtable sends back.
 */
import { CommanderError } from 'commander';
import type { Client } from './client.ts';
import { openClient } from './client.ts';
import type { Credentials } from './credentials.ts';
import { credentials, projectRoot, readEnvFile } from './credentials.ts';
import { readDraft } from './draft-file.ts';
import { Failure, usage } from './failure.ts';
import type { Limits } from './limits.ts';
import { standardLimits } from './limits.ts';
import { buildProgram } from './program.ts';

export interface Result {
  /** 0 done, 1 failed, 2 wrong arguments. */
  code: 0 | 1 | 2;
  output: string;
  errors: string;
}

export async function main(args: string[], limits: Limits = standardLimits): Promise<Result> {
  const root = projectRoot();
  const said: string[] = [];
  let known: Credentials | undefined;
  let client: Client | undefined;
  const open = (): Credentials => (known ??= credentials(process.env, readEnvFile(root)));
  const safe = (text: string): string => withoutKey(text, known?.apiKey);
  const program = buildProgram({
    client: () => (client ??= openClient(open(), limits)),
    base: () => open().baseId ?? missingBase(),
    read: (path) => readDraft(path, process.cwd(), root),
    say: (text) => void said.push(text),
  });

  try {
    await program.parseAsync(args, { from: 'user' });
    return { code: 0, output: safe(said.join('')), errors: '' };
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0)
      return { code: 0, output: said.join(''), errors: '' };
    const failure = asFailure(error);
    return { code: failure.code === 'BAD_USAGE' ? 2 : 1, output: '', errors: safe(rendered(failure)) };
  }
}

function missingBase(): never {
  throw new Failure('NO_CREDENTIALS', 'expected AIRTABLE_BASE_ID to be set, got: nothing', [
    'airtable base list   (then put AIRTABLE_BASE_ID=app… into .env in the project folder)',
  ]);
}

function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  if (error instanceof CommanderError) {
    const message = error.message.replace(/^error: /, '');
    return usage(error.code === 'commander.help' ? 'expected a command such as: record upsert' : message);
  }
  return new Failure(
    'INTERNAL',
    error instanceof Error ? error.message : 'something that is no error was thrown',
  );
}

function rendered({ code, message, hints, written }: Failure): string {
  const error = { code, message, hints, ...(written.length > 0 ? { written } : {}) };
  return JSON.stringify({ error }) + '\n';
}

function withoutKey(text: string, key: string | undefined): string {
  if (key === undefined) return text;
  const forms = new Set([key, JSON.stringify(key).slice(1, -1), encodeURIComponent(key)]);
  return [...forms].reduce((clean, form) => clean.replaceAll(form, '[redacted]'), text);
}
