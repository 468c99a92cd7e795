/** Looking something up must feel instant: what a verb does not use, it does not load. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openOffice } from '../worker/harness.ts';

const heavy = ['@doist', 'airtable', 'zod', 'pg', 'amqplib', '@aws-sdk', 'execa', 'yaml'];

/** Notes every module that is loaded, in the file that the environment names. */
const spy = `
import { appendFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
registerHooks({
  load(url, context, next) {
    appendFileSync(process.env.LOADED, url + '\\n');
    return next(url, context);
  },
});`;

it('the verbs of a coordinator load no package but the one for the command line and the one for .env', async () => {
  const office = await openOffice({ roles: { coder: ['lane: normal'] } });
  writeFileSync(join(office.root, 'spy.mjs'), spy);
  writeFileSync(join(office.root, 'result.md'), '# Result\n');
  const id = (await office.agentq(['submit', 'A change', '--to', 'coder', '-q'])).stdout;
  const delivery = ['--from', 'coder', '--result-file', 'result.md', '--summary', 'Done.'];
  expect((await office.agentq(['complete', id, ...delivery])).exitCode).toBe(0);

  const loadedBy = async (name: string, args: string[]): Promise<string[]> => {
    const LOADED = join(office.root, `loaded-${name}`);
    const env = { LOADED, NODE_OPTIONS: `--import ${join(office.root, 'spy.mjs')}` };
    expect(await office.agentq(args, env)).toMatchObject({ exitCode: 0, stderr: '' });
    const urls = readFileSync(LOADED, 'utf8').split('\n');
    return [...new Set(urls.flatMap((url) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1] ?? []))];
  };
  for (const verb of ['status', 'result', 'verify', 'artifacts', 'events'])
    expect({ verb, loaded: (await loadedBy(verb, [verb, id])).sort() }).toEqual({
      verb,
      loaded: ['commander', 'dotenv'],
    });
  // The spy sees what is loaded: the schemas need zod, and roles are read as YAML.
  const init = await loadedBy('init', ['init', '--schema']);
  expect(init).toContain('zod');
  const claim = await loadedBy('submit', ['submit', 'More', '--to', 'coder']);
  expect(claim).toContain('yaml');
  for (const name of heavy.filter((each) => each !== 'yaml')) expect(claim).not.toContain(name);
});
