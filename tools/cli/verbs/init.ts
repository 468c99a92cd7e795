/** `agentq init`: makes what is missing, which is harmless to repeat, and says where everything is. */
import { AppError } from '../../errors.ts';
import { openRoles } from '../../roles/watch-roles.ts';
import type { Settings } from '../environment.ts';
import { print, printJson, withStore, type Output, type Session } from '../session.ts';

export interface InitOptions extends Output {
  schema: boolean;
  from?: string[];
}

const defaultCoordinator = 'coordinator';

export async function init(options: InitOptions): Promise<void> {
  if (options.schema) {
    const { publishedSchemas } = await import('../../queues/envelope.ts');
    return print(JSON.stringify(publishedSchemas(), undefined, options.json ? 0 : 2));
  }
  const names = coordinatorsOf(options.from ?? []);
  return withStore({ create: true }, async (session) => {
    const artifacts = await session.artifacts();
    const roles = openRoles(session.settings)
      .current()
      .map((role) => role.name);
    const coordinators = await remember(session, names);
    const store = { kind: session.store.shared ? 'PostgreSQL' : 'SQLite', where: storeOf(session.settings) };
    const broker = await declareTopology(session, roles, coordinators);
    if (options.json)
      printJson({ store, artifacts: { where: artifacts.description }, broker, roles, coordinators });
    else if (!options.quiet)
      print([
        `store         ${store.kind}, ${store.where}`,
        `artifacts     ${artifacts.description}`,
        `broker        ${broker?.where ?? 'none: tasks wait in the store'}`,
        `roles         ${roles.join(', ') || 'none'}`,
        `coordinators  ${coordinators.join(', ')}`,
      ]);
  });
}

function coordinatorsOf(names: readonly string[]): readonly string[] {
  const wrong = names.find((name) => !/^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/.test(name));
  if (wrong === undefined) return names;
  throw new AppError(
    'BAD_USAGE',
    `expected --from to be lower-case letters, digits and hyphens, got: "${wrong}"`,
  );
}

/** Those whose results are asked for when this store next looks. */
async function remember({ store }: Session, names: readonly string[]): Promise<string[]> {
  return store.transaction(async ({ settings }) => {
    const known = JSON.parse((await settings.get('coordinators')) ?? '[]') as string[];
    const all = [...new Set([...known, ...names])];
    if (all.length === 0) all.push(defaultCoordinator);
    if (all.length > known.length) await settings.set('coordinators', JSON.stringify(all));
    return all;
  });
}

async function declareTopology(
  { settings, store }: Session,
  roles: string[],
  coordinators: string[],
): Promise<{ where: string } | null> {
  if (settings.amqpUrl === undefined) return null;
  const { openBroker } = await import('../open-broker.ts');
  const queue = await openBroker(settings, { holder: store.id, roles: () => [] });
  try {
    await queue?.init(roles, coordinators);
  } finally {
    await queue?.close();
  }
  return { where: plainAddress(settings.amqpUrl) };
}

function storeOf(settings: Settings): string {
  return settings.databaseUrl === undefined ? settings.dataDir : plainAddress(settings.databaseUrl);
}

/** Machine and name; no user, no password, no parameters. */
function plainAddress(address: string): string {
  const { protocol, host, pathname } = new URL(address);
  return `${protocol}//${host}${pathname}`;
}
