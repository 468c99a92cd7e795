/**
 * `completed` is evidence, not a claim: every declared artifact must be a real, non-empty file in the role's output
 * folder, written after the attempt began. Links are not followed out; hashes are taken from the very bytes checked.
 */
import { createHash } from 'node:crypto';
import { createReadStream, lstatSync, realpathSync, statSync } from 'node:fs';
import { isAbsolute, relative, resolve } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { messageOf } from '../errors.ts';
import type { Artifact } from '../store/attempts.ts';
import { isInside } from './workspace.ts';

/** Bytes. A sparse file may claim any size, and hashing it would take as long as that. */
const maxSize = 2e9;

export interface EvidenceRequest {
  /** As declared: absolute, or relative to `cwd`. */
  declared: string[];
  cwd: string;
  outputDir: string | undefined;
  workspaceRoot: string;
  /** Epoch ms. */
  startedAt: number;
  /** True: an attempt without files is fine (a follow-up that changes nothing). */
  mayBeEmpty: boolean;
}

export interface Evidence {
  artifacts: Artifact[];
  /** One sentence each; empty: the evidence stands. */
  problems: string[];
}

export async function checkEvidence(request: EvidenceRequest): Promise<Evidence> {
  const evidence: Evidence = { artifacts: [], problems: [] };
  const declared = [...new Set(request.declared.map((path) => path.trim()).filter((path) => path !== ''))];
  if (request.outputDir === undefined) return evidence;
  if (declared.length === 0 && !request.mayBeEmpty)
    evidence.problems.push('no file was declared, although this role delivers files');
  for (const path of declared.slice(0, 100)) {
    const found = await examine(path, request, request.outputDir);
    if (typeof found === 'string') evidence.problems.push(found);
    else if (!evidence.artifacts.some((known) => known.path === found.path)) evidence.artifacts.push(found);
  }
  if (declared.length > 100) evidence.problems.push(`expected at most 100 files, got: ${declared.length}`);
  return evidence;
}

/** An artifact, or what is wrong with it. Never throws for a name an agent made up: that would end nothing. */
async function examine(
  path: string,
  request: EvidenceRequest,
  outputDir: string,
): Promise<Artifact | string> {
  const shown = JSON.stringify(stripVTControlCharacters(path).slice(0, 200));
  if (path.includes('\0')) return `${shown} does not exist`;
  try {
    const file = locate(path, request);
    return inspect(file, shown, request, outputDir) ?? (await artifact(file, request));
  } catch (error) {
    if (['ENAMETOOLONG', 'ENOENT'].includes(codeOf(error))) return `${shown} does not exist`;
    return `${shown} cannot be read (${codeOf(error)})`;
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : messageOf(error);
}

/** Agents name files relative to their folder, or to the project; both are tried, the first that exists counts. */
function locate(path: string, request: EvidenceRequest): string {
  if (isAbsolute(path)) return path;
  const fromProject = resolve(request.workspaceRoot, '..', path);
  const fromCwd = resolve(request.cwd, path);
  return !exists(fromCwd) && exists(fromProject) ? fromProject : fromCwd;
}

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function inspect(
  file: string,
  shown: string,
  request: EvidenceRequest,
  outputDir: string,
): string | undefined {
  if (!exists(file)) return `${shown} does not exist`;
  let real: string;
  try {
    real = realpathSync(file);
  } catch {
    return `${shown} is a link to nothing`;
  }
  if (!isInside(outputDir, real)) return `${shown} lies outside the output folder`;
  const facts = statSync(real);
  if (!facts.isFile()) return `${shown} is not a file`;
  if (facts.size === 0) return `${shown} is empty`;
  if (facts.size > maxSize) return `${shown} is larger than ${maxSize / 1e9} GB`;
  // File systems keep time more coarsely than we do; two seconds is FAT's step.
  if (facts.mtimeMs < request.startedAt - 2000) return `${shown} was not written in this attempt`;
  return undefined;
}

async function artifact(file: string, request: EvidenceRequest): Promise<Artifact> {
  const real = realpathSync(file);
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of createReadStream(real)) {
    hash.update(chunk as Buffer);
    size += (chunk as Buffer).length;
  }
  const path = isInside(request.workspaceRoot, real) ? relative(request.workspaceRoot, real) : real;
  return { path, size, sha256: hash.digest('hex') };
}
