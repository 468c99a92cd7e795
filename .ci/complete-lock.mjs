// Adds to package-lock.json the optional builds for other platforms that npm left out. A registry that does not carry
// all of them makes npm write a lock file that its own `npm ci` then refuses. Run it after every `npm install`:
//   node .ci/complete-lock.mjs
import { readFileSync, writeFileSync } from 'node:fs';

const file = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(file, 'utf8'));
let added = 0;
for (const entry of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const key = `node_modules/${name}`;
    if (key in lock.packages) continue;
    // Names end in <os>-<cpu>[-<abi>], for example binding-linux-arm64-musl.
    const [os, cpu, abi = ''] = name
      .split('/')
      .at(-1)
      .replace(/^binding-/, '')
      .split('-');
    const libc = abi.startsWith('musl') ? ['musl'] : abi.startsWith('gnu') ? ['glibc'] : undefined;
    lock.packages[key] = {
      version,
      cpu: [cpu],
      dev: true,
      ...(libc && os === 'linux' ? { libc } : {}),
      optional: true,
      os: [os],
    };
    added += 1;
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(file, `${JSON.stringify(lock, undefined, 2)}\n`);
process.stdout.write(`${added} entries added\n`);
