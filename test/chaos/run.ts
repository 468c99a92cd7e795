/**
 * `npm run test:chaos`: real workers under fire. `--site` says where their tasks come from: todoist (the default; see
 * `todoist.ts`), postgres or rabbitmq (see `delegation/run.ts`).
 */
const at = process.argv.findIndex((word) => /^--site(=|$)/.test(word));
const site = at < 0 ? 'todoist' : (process.argv[at]?.split('=')[1] ?? process.argv[at + 1]);

if (site === 'todoist') await import('./todoist.ts');
else if (site === 'postgres' || site === 'rabbitmq') await import('./delegation/run.ts');
else {
  process.stderr.write(`expected --site todoist, postgres or rabbitmq, got: ${site}\n`);
  process.exitCode = 2;
}
