// Plain JavaScript on purpose: it must be able to say what is wrong on a Node that cannot run TypeScript,
// and switching the compile cache on before the first .ts file is loaded halves the start-up time.
import module from 'node:module';

export async function run(program) {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < 24) {
    process.stderr.write(
      `Error: NODE_TOO_OLD\nexpected Node 24 or newer, got: ${process.version}\n` +
        `- npm ci   (the project brings its own Node)\n` +
        `- then start it with: npx ${program} …   or: npm run ${program === 'agent-worker' ? 'worker' : program} -- …\n`,
    );
    process.exit(1);
  }
  module.enableCompileCache?.();
  await import(`../${program}.ts`);
}
