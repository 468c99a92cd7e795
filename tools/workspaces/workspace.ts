/**
 * Folders for agents: names that cannot escape, one output folder a role (or one a task), the context file, and a
 * private folder for each attempt. Everything is made before the agent starts; a folder that cannot be made is the
 * task's failure to start, said once, and nothing was spent.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, realpathSync, writeFileSync, chmodSync, rmSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { attemptMarker } from '../agents/agent.ts';
import { AppError, messageOf } from '../errors.ts';
import { hasOwnFolder, type Role } from '../roles/role.ts';

export interface Workspace {
  /** Absolute, real path of the workspace (drafts). */
  root: string;
  /** Absolute path of the private data folder (store, attempts). */
  dataDir: string;
}

export interface Places {
  cwd: string;
  outputDir: string | undefined;
  attemptDir: string;
  commandsDir: string | undefined;
  contextFile: string;
  /** A diff of the branch under review, for `isolation: worktree`. */
  diff: string | undefined;
}

export function openWorkspace(root: string, dataDir: string): Workspace {
  return inWorkspace(() => {
    mkdirSync(root, { recursive: true });
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    return { root: realpathSync(root), dataDir: realpathSync(dataDir) };
  });
}

/** A file name for any id: what is not plain is replaced, and a hash keeps different ids apart. */
export function safeName(id: string): string {
  const plain = id.replace(/[^A-Za-z0-9_-]+/g, '-').replace(/^-+|-+$/g, '');
  if (plain === id && id.length <= 80 && id !== '') return id;
  const hash = createHash('sha256').update(id).digest('hex').slice(0, 16);
  return `${plain.slice(0, 60) || 'task'}-${hash}`;
}

export function isInside(parent: string, path: string): boolean {
  const way = relative(parent, path);
  return way === '' || (!way.startsWith(`..${sep}`) && way !== '..' && !way.startsWith(sep));
}

export interface PlaceRequest {
  taskId: string;
  /** A context file was submitted with the task. */
  hasContext?: boolean;
  attemptId: string;
  role: Role;
  /** `Branch: …` of the task's description, for worktrees. */
  branch: string | undefined;
}

/** Makes the folders of an attempt. Throws WORKSPACE, or BAD_INPUT for a branch that does not exist. */
export async function prepare(workspace: Workspace, request: PlaceRequest): Promise<Places> {
  const { role } = request;
  const attemptDir = join(workspace.dataDir, 'attempts', safeName(request.attemptId));
  const outputDir = outputFolder(role, request.taskId);
  const contextFile = contextFileOf(workspace, request.taskId, request.hasContext);
  const scratch = join(workspace.dataDir, 'scratch', safeName(request.taskId));
  const commandsDir = inWorkspace(() => {
    mkdirSync(attemptDir, { recursive: true, mode: 0o700 });
    mkdirSync(dirname(contextFile), { recursive: true });
    if (outputDir !== undefined) mkdirSync(outputDir, { recursive: true });
    else mkdirSync(scratch, { recursive: true });
    return writeCommands(workspace, join(attemptDir, 'commands'), request);
  });
  const real = inWorkspace(() => (outputDir === undefined ? undefined : realpathSync(outputDir)));
  if (real !== undefined && !isInside(workspace.root, real)) {
    throw new AppError('WORKSPACE', `expected the output folder inside the workspace, got: ${real}`, {
      hints: [`remove the link, or change worker.output in ${role.file}`],
    });
  }
  const made = { attemptDir, outputDir: real, commandsDir, contextFile };
  if (role.isolation !== 'worktree' || role.repo === undefined)
    return { ...made, cwd: real ?? scratch, diff: undefined };
  // With the program that starts git: names of files are wanted far more often than worktrees.
  const { addWorktree } = await import('./worktree.ts');
  const tree = await addWorktree({
    repo: role.repo,
    folder: join(workspace.dataDir, 'worktrees', safeName(request.taskId)),
    branch: request.branch,
  });
  return { ...made, cwd: tree.folder, diff: tree.diff };
}

/** Where an attempt would work; nothing is made. */
export function plannedPlaces(workspace: Workspace, request: PlaceRequest): Places {
  const outputDir = outputFolder(request.role, request.taskId);
  const tree = join(workspace.dataDir, 'worktrees', safeName(request.taskId));
  return {
    attemptDir: join(workspace.dataDir, 'attempts', safeName(request.attemptId)),
    commandsDir: undefined,
    contextFile: contextFileOf(workspace, request.taskId, request.hasContext),
    outputDir,
    cwd:
      request.role.isolation === 'worktree'
        ? tree
        : (outputDir ?? join(workspace.dataDir, 'scratch', safeName(request.taskId))),
    diff: undefined,
  };
}

export function outputFolder(role: Role, taskId: string): string | undefined {
  if (role.output === undefined) return undefined;
  return hasOwnFolder(role) ? join(role.output, safeName(taskId)) : role.output;
}

/** `submitted`: a context of its own lies at `tasks/<id>.md` and stays as it was submitted. */
export function contextFileOf(workspace: Workspace, taskId: string, submitted = false): string {
  return join(workspace.root, 'tasks', `${safeName(taskId)}${submitted ? '.as-told' : ''}.md`);
}

/** The context exactly as the agent gets it, for whoever wants to look. */
export function writeContext(file: string, text: string): void {
  inWorkspace(() => writeFileSync(file, text));
}

/** The attempt's private folder is only needed while it runs, but for its log. */
export function cleanAttempt(places: Places): void {
  if (places.commandsDir !== undefined) rmSync(places.commandsDir, { recursive: true, force: true });
}

/**
 * Each `scripts/NAME.ts` of the role's skills becomes the command NAME on the agent's PATH. It is told for whom it runs
 * and where our folders are by the command itself, not by an environment that the agent could change.
 */
function writeCommands(workspace: Workspace, folder: string, request: PlaceRequest): string | undefined {
  const commands = request.role.skills.flatMap((skill) => skill.commands);
  if (commands.length === 0) return undefined;
  const outputDir = outputFolder(request.role, request.taskId);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const settings = {
    AGENT_TASK_ID: request.taskId,
    // Its presence is what tells a program of ours that an agent is asking.
    [attemptMarker]: request.attemptId,
    AGENT_COMMANDS_DIR: folder,
    AGENT_DATA_DIR: workspace.dataDir,
    AGENT_WORKSPACE: workspace.root,
    ...(outputDir === undefined ? {} : { AGENT_OUTPUT_DIR: outputDir }),
    ...(request.role.repo === undefined ? {} : { AGENT_REPO: request.role.repo }),
  };
  for (const { name, script } of commands) {
    const file = join(folder, name);
    const lines = Object.entries(settings).map(([key, value]) => `export ${key}=${quoted(value)}`);
    writeFileSync(
      file,
      ['#!/bin/sh', ...lines, `exec ${quoted(process.execPath)} ${quoted(script)} "$@"`, ''].join('\n'),
    );
    chmodSync(file, 0o755);
  }
  return folder;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function inWorkspace<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError('WORKSPACE', `the workspace cannot be written: ${messageOf(error)}`, {
      hints: ['check the rights and the free space of AGENT_WORKSPACE and AGENT_DATA_DIR'],
      cause: error,
    });
  }
}
