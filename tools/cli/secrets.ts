/** No secret of ours leaves in a message or a file that others read: known values are refused by the variable's name. */
import { AppError } from '../errors.ts';

const secretName = /TOKEN|KEY|SECRET|PASSWORD/;
const urlName = /_URL$/;
/** Shorter values would match by chance. */
const shortest = 8;

/** Throws BAD_INPUT naming the variable whose value stands in `text`; the value itself is not repeated. */
export function refuseSecrets(text: string, env: NodeJS.ProcessEnv, what: string): void {
  for (const [name, value] of Object.entries(env)) {
    const secret = secretIn(name, value ?? '');
    if (secret === undefined || secret.length < shortest || !text.includes(secret)) continue;
    throw new AppError('BAD_INPUT', `${what} contains the value of ${name}`, {
      hints: [`take it out: tasks are read by agents and may leave this machine`],
    });
  }
}

function secretIn(name: string, value: string): string | undefined {
  if (urlName.test(name))
    return URL.canParse(value) ? decodeURIComponent(new URL(value).password) : undefined;
  return secretName.test(name) ? value.trim() : undefined;
}
