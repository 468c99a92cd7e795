/**
 * `agentq doctor`: is everything there that the worker needs? Each check says what is so and how to mend it; nothing
 * is written and no money is spent. Exit 1 when one FAILs.
 */
import { existsSync, mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError, messageOf } from '../../errors.ts';
import { findProgram } from '../../agents/programs.ts';
import { openRoles } from '../../roles/watch-roles.ts';
import type { Role } from '../../roles/role.ts';
import { storeFile } from '../../store/store.ts';
import { readSettings, type Settings } from '../environment.ts';
import { fail, pass, warn, type Finding } from '../finding.ts';
import { print, printJson } from '../session.ts';

export interface Check extends Finding {
  name: string;
}

export interface DoctorOptions {
  json: boolean;
  repair: boolean;
}

export async function doctor(options: DoctorOptions): Promise<void> {
  const settings = readSettings();
  const roles = openRoles(settings);
  const checks: [string, () => Finding | Promise<Finding>][] = [
    ['node', checkNode],
    ['roles', () => checkRoles(roles.current(), roles.problems())],
    ['workspace', () => checkWorkspace(settings)],
    ['store', () => checkStore(settings, options.repair)],
    ['artifacts', async () => (await import('../doctor-machines.ts')).checkArtifacts(settings)],
    ['broker', async () => (await import('../doctor-machines.ts')).checkBroker(settings, roles.current())],
    ['claude', () => checkClaude(settings)],
    ['todoist', () => checkTodoist(settings, roles.current())],
    ['airtable', () => checkAirtable(settings)],
    ['processes', checkProcesses],
    ['canary', () => checkCanary(settings, roles.current())],
  ];
  const results: Check[] = [];
  for (const [name, run] of checks) {
    const check = { name, ...(await guarded(run)) };
    results.push(check);
    if (!options.json)
      print([
        `${check.status}  ${name.padEnd(10)} ${check.detail}`,
        ...check.hints.map((hint) => `      - ${hint}`),
      ]);
  }
  const ok = results.every((check) => check.status !== 'FAIL');
  if (options.json) printJson({ ok, checks: results });
  if (!ok) process.exitCode = 1;
}

async function guarded(run: () => Finding | Promise<Finding>): Promise<Finding> {
  try {
    return await run();
  } catch (error) {
    return fail(messageOf(error), ...(error instanceof AppError ? error.hints : []));
  }
}

function checkNode(): Finding {
  const own = process.execPath.includes(join('node_modules', 'node'));
  if (Number(process.versions.node.split('.')[0]) < 24)
    return fail(
      `expected Node 24 or newer, got: ${process.version}`,
      'npm ci   (the project brings its own Node)',
    );
  return pass(`Node ${process.version}${own ? ', the one this project brings' : ', from this machine'}`);
}

function checkRoles(roles: Role[], problems: AppError[]): Finding {
  const [first] = problems;
  if (first) return fail(first.message, ...first.hints);
  if (roles.length === 0) return fail('there is no role', 'add a file to .claude/agents/ (see the README)');
  return pass(
    roles
      .map((role) => (role.project === undefined ? role.name : `${role.name} ← "${role.project}"`))
      .join(', '),
  );
}

async function checkStore(settings: Settings, repair: boolean): Promise<Finding> {
  if (settings.databaseUrl !== undefined)
    return (await import('../doctor-machines.ts')).checkDatabase(settings.databaseUrl);
  const path = join(settings.dataDir, storeFile);
  if (!existsSync(path)) return pass('none yet; the first start makes it');
  const { inspectStore, repairStore } = await import('../../store/repair.ts');
  const problem = inspectStore(path);
  if (problem === undefined) return pass(path);
  if (!repair)
    return fail(
      `${path}: ${problem}`,
      'stop every worker, then: agentq doctor --repair   (the damaged file is kept)',
    );
  return warn(repairStore(path), 'agentq list   (compare it with your to-do list)');
}

function checkWorkspace(settings: Settings): Finding {
  for (const [variable, folder] of [
    ['AGENT_WORKSPACE', settings.workspace],
    ['AGENT_DATA_DIR', settings.dataDir],
  ] as const) {
    const problem = cannotWrite(folder);
    if (problem !== undefined)
      return fail(problem, `make the folder writable, or set ${variable} to another`);
  }
  const { bavail, bsize } = statfsSync(settings.workspace);
  const free = bavail * bsize;
  const detail = `${settings.workspace}, ${(free / 1e9).toFixed(1)} GB free`;
  return free < 200e6 ? warn(detail, 'free some space: agents and the store need room') : pass(detail);
}

function cannotWrite(folder: string): string | undefined {
  const probe = join(folder, '.doctor');
  try {
    if (!existsSync(folder)) mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeFileSync(probe, 'x');
    rmSync(probe);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

async function checkClaude(settings: Settings): Promise<Finding> {
  const { createClaudeAgent } = await import('../../agents/claude.ts');
  const bin = settings.claudeBin === undefined ? {} : { bin: settings.claudeBin };
  const check = await createClaudeAgent({ ...bin, env: settings.env }).check();
  return check.ok ? pass(check.detail) : fail(check.detail, ...check.hints);
}

async function checkTodoist(settings: Settings, roles: Role[]): Promise<Finding> {
  if (settings.todoistToken === undefined)
    return warn(
      'no TODOIST_API_TOKEN: the worker serves the local queue',
      'cp .env.example .env, and put the token into it',
    );
  const { openTodoistQueue } = await import('../../queues/todoist/todoist.ts');
  const { missingProject, planDesks } = await import('../../worker/desks.ts');
  const url = settings.todoistUrl === undefined ? {} : { baseUrl: settings.todoistUrl };
  const queue = openTodoistQueue({ token: settings.todoistToken, ...url });
  const projects = await queue.projects();
  const plan = planDesks(roles, projects);
  await queue.close();
  if (plan.missing.length === 0)
    return pass(`reached; ${plan.projects.map((project) => `"${project.name}"`).join(', ')} found`);
  const error = missingProject(plan.missing, projects);
  return warn(error.message, ...error.hints);
}

async function checkAirtable(settings: Settings): Promise<Finding> {
  if (!settings.env['AIRTABLE_API_KEY'])
    return pass(
      'not set up; drafts stay in the workspace (put AIRTABLE_API_KEY and AIRTABLE_BASE_ID into .env to change that)',
    );
  const { execa } = await import('execa');
  const script = join(settings.root, '.claude', 'skills', 'airtable', 'scripts', 'airtable.ts');
  const result = await execa(process.execPath, [script, 'table', 'list'], {
    reject: false,
    timeout: 30_000,
    stdin: 'ignore',
  });
  if (result.exitCode === 0) return pass('reached');
  return warn(
    `airtable: ${errorIn(result.stderr)}`,
    'check AIRTABLE_API_KEY and AIRTABLE_BASE_ID in .env; drafts stay in the workspace meanwhile',
  );
}

function errorIn(stderr: string): string {
  try {
    const { error } = JSON.parse(stderr) as { error: { message: string } };
    return error.message;
  } catch {
    return stderr.trim().split('\n')[0] ?? 'no answer';
  }
}

/** The role with a shell, if there is one, can try the most. */
async function checkCanary(settings: Settings, roles: Role[]): Promise<Finding> {
  const role = roles.find(({ tools }) => tools.some((tool) => tool.startsWith('Bash'))) ?? roles[0];
  if (!role) return warn('not run: there is no role');
  if (findProgram(settings.claudeBin ?? 'claude', settings.env['PATH'] ?? '') === undefined)
    return warn(
      'not run: it needs claude',
      'it shows that agents cannot read your tokens; run doctor again once claude is there',
    );
  if (cannotWrite(settings.workspace) !== undefined || cannotWrite(settings.dataDir) !== undefined)
    return warn('not run: it needs the workspace');
  const { runCanary } = await import('../canary.ts');
  const { attempts, problem } = await runCanary(settings, role);
  if (problem !== undefined) return fail(`could not be run to its end: ${problem}`);
  const reached = attempts.filter((attempt) => !attempt.refused).map((attempt) => attempt.what);
  if (reached.length === 0)
    return pass(
      `an agent with the tools of ${role.name} was refused all ${attempts.length}: ${attempts.map(({ what }) => what).join(', ')}`,
    );
  return fail(
    `an agent with the tools of ${role.name} could: ${reached.join(', ')}`,
    `look at the tools of ${role.file}, and at where the workspace lies`,
  );
}

function checkProcesses(): Finding {
  const path = process.env['PATH'] ?? '';
  if (process.platform === 'linux') {
    const setpriv = findProgram('setpriv', path) !== undefined;
    return pass(`agents are ended with all their descendants${setpriv ? '; setpriv is there' : ''}`);
  }
  if (process.platform === 'darwin')
    return warn('descendants of agents are found through ps; one that hides its environment may be left');
  return warn('on this system only the process group of an agent is ended');
}
