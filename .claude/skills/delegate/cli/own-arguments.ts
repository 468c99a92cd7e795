/**
 * An agent's file tools are confined to its folders; its `agentq` must be no way around that. What it submits is read
 * from its own folder, what it saves is saved there, and no other program is started.
 */
import { realpathSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { AppError } from '../../../../tools/errors.ts';
import { isInside } from '../../../../tools/workspaces/workspace.ts';

const readsOrWrites = ['--file', '--save'];

/** `folder`: the task's output folder; undefined: it has none. Throws BAD_USAGE. */
export function refuseForeignFiles(
  args: readonly string[],
  { cwd, folder }: { cwd: string; folder: string | undefined },
): void {
  if (args.find((arg) => !arg.startsWith('-')) === 'once')
    throw new AppError('BAD_USAGE', 'agentq once is for people; an agent runs what its skills bring');
  for (const [index, arg] of args.entries()) {
    const option = readsOrWrites.find((name) => arg === name || arg.startsWith(`${name}=`));
    if (option === undefined) continue;
    const path = arg === option ? args[index + 1] : arg.slice(option.length + 1);
    if (path === undefined) continue;
    if (folder === undefined || !isInside(realpathSync(folder), realPath(resolve(cwd, path))))
      throw new AppError(
        'BAD_USAGE',
        `expected ${option} to name something in ${folder ?? 'a folder of this task, which has none'}, got: "${path}"`,
        { hints: ['write the file into your output folder first'] },
      );
  }
}

/** Keys are one role's; a role that works on two tasks must not take the part of one for that of the other. */
export function withOwnKey(args: readonly string[], task: string): string[] {
  return args.map((arg, index) => {
    if (args[index - 1] === '--key') return `${task}:${arg}`;
    return arg.startsWith('--key=') ? `--key=${task}:${arg.slice('--key='.length)}` : arg;
  });
}

/** Where it would really be: links are followed as far as there is something. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    if (!missing || dirname(path) === path)
      throw new AppError('BAD_USAGE', `expected a path, got: "${path}"`);
    return resolve(realPath(dirname(path)), path.slice(dirname(path).length + 1));
  }
}
