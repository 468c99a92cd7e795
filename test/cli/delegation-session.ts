/**
 * One whole session of a coordinator and two workers in their shells, command by command, as a function of where it runs:
 * what it prints must not depend on the store or the queue behind it.
 */
import type { Answer } from '../worker/harness.ts';

export interface Place {
  /** Runs `agentq` with these arguments, to its end. */
  agentq: (args: string[]) => Promise<Answer>;
  /** Writes a file where the commands run. */
  write: (name: string, text: string) => void;
}

export interface Said {
  command: string;
  exitCode: number | undefined;
  stdout: string;
  stderr: string;
}

/** Role files that the session needs: name → lines of their `worker:` block. */
export const sessionRoles = { 'implementation-worker': ['lane: normal'], 'review-worker': ['lane: fast'] };

export async function runSession({ agentq, write }: Place): Promise<Said[]> {
  const said: Said[] = [];
  const run = async (...args: string[]): Promise<string> => {
    const { exitCode, stdout, stderr } = await agentq(args);
    said.push({ command: args.join(' '), exitCode, stdout, stderr });
    return stdout;
  };
  write('task-123.md', '# Retry uploads\nImplement one scoped change and run tests.\n');
  write('result.md', '# Retries\n\n## Summary\nUploads are tried three times.\n\n## Risks\nNone.\n');
  write('patch.diff', '--- a/upload.ts\n+++ b/upload.ts\n');
  await run('init');
  const expected = ['--expect', 'summary', 'patch', 'risks'];
  const to = ['--to', 'implementation-worker', '--type', 'implementation'];
  const [task = ''] = (await run('submit', ...to, '--file', 'task-123.md', ...expected)).split(' ');
  const reasoning = ['--to', 'review-worker', '--type', 'reasoning'];
  const ask = 'Review this architecture and identify risks.';
  const [review = ''] = (await run('submit', ...reasoning, '--instructions', ask)).split(' ');
  await run('status', task);
  await run('result', task);
  await run('verify', task);
  const done = [
    '--from',
    'implementation-worker',
    '--result-file',
    'result.md',
    '--summary',
    'Implemented and tested',
  ];
  await run('complete', task, ...done);
  await run('complete', task, ...done, '--artifact', 'patch.diff');
  await run('complete', task, ...done, '--artifact', 'patch.diff');
  await run('status', task);
  await run('result', task);
  await run('verify', task);
  await run('artifacts', task);
  await run('fail', review, '--from', 'review-worker', '--reason', 'Could not reproduce the issue');
  await run('status', review);
  await run('result', review);
  await run('dlq');
  await run('status', 'task-none');
  return said.map((each) => normalised(each, [task, review]));
}

/** Without what must differ from run to run: ids, times, ages. */
function normalised(said: Said, tasks: readonly string[]): Said {
  const plain = (text: string): string =>
    tasks
      .reduce((rest, id, index) => rest.replaceAll(id, `task-${index + 1}`), text)
      .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
      .replaceAll(/ +\d+ (?:s|min)(?: \d+ s)?/g, ' AGE')
      // The manifest holds times and ids, so that its hash differs.
      .replaceAll(/(manifest\.json  )\d+ bytes  sha256 [0-9a-f]+/g, '$1HASH');
  const { command, exitCode, stdout, stderr } = said;
  // Where things are differs, and is meant to.
  const where = command === 'init' ? '' : plain(stdout);
  return { command: plain(command), exitCode, stdout: where, stderr: plain(stderr) };
}
