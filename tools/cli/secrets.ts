/** No secret of ours leaves in a message or a file that others read: known values are refused by the variable's name. */
import { AppError } from '../errors.ts';

const secretName = /TOKEN|KEY|SECRET|PASSWORD/;
const urlName = /_URL$/;
/** Shorter values would match by chance. */
const shortest = 8;

/** Throws BAD_INPUT naming the variable whose value stands in `text`; the value itself is not repeated. */
export function refuseSecrets(text: string, env: NodeJS.ProcessEnv, what: string): void {
  for (const [name, value] of Object.entries(env)) {
    const secrets = secretsIn(name, value ?? '').filter(({ length }) => length >= shortest);
    if (!secrets.some((secret) => text.includes(secret))) continue;
    throw new AppError('BAD_INPUT', `${what} contains the value of ${name}`, {
      hints: [`take it out: tasks are read by agents and may leave this machine`],
    });
  }
}

function secretsIn(name: string, value: string): string[] {
  if (!urlName.test(name)) return secretName.test(name) ? [value.trim()] : [];
  if (!URL.canParse(value)) return [];
  const { password } = new URL(value);
  return [password, plain(password)];
}

/** A percent sign may stand there for itself. */
function plain(password: string): string {
  try {
    return decodeURIComponent(password);
  } catch {
    return password;
  }
}
