/**
 * A role ("employee"): what `.claude/agents/<name>.md` says, typed. The file format is Claude Code's own subagent
 * format plus one block of ours, `worker:`. Limits live here, know-how lives in skills.
 */
export const lanes = ['fast', 'normal', 'heavy'] as const;
export type Lane = (typeof lanes)[number];

export const isolations = ['shared', 'folder', 'worktree'] as const;
export type Isolation = (typeof isolations)[number];

export interface Skill {
  name: string;
  /** From SKILL.md: what the skill is for and when to use it. */
  description: string;
  /** Absolute folder of the skill; `SKILL.md` lies in it. */
  folder: string;
  /** Absolute paths of `scripts/<command>.ts`; each is offered to the agent as the command `<command>`. */
  commands: { name: string; script: string }[];
}

export interface Role {
  /** `[a-z0-9-]+`, equal to the file's name without `.md`. */
  name: string;
  description: string;
  /** Path of the role file relative to the root, for messages. */
  file: string;
  /** The Markdown body: how to work. */
  body: string;
  /** Permission rules in Claude Code's syntax, e.g. `Read`, `Write`, `Bash(airtable:*)`. */
  tools: string[];
  model: string | undefined;
  skills: Skill[];
  /** Name of the queue's project that is this employee's desk; undefined: only the local queue feeds it. */
  project: string | undefined;
  lane: Lane;
  /** Total time of one attempt, ms. */
  timeoutMs: number;
  /** Longest silence of the agent, ms; an open tool call may be silent for `toolStallMs`. */
  stallMs: number;
  toolStallMs: number;
  /** Attempts that may fail before the task is a dead letter, >= 1. */
  attempts: number;
  /** Latest useful completion, ms after enqueue; undefined: none. */
  deadlineMs: number | undefined;
  /** US dollars per task; undefined: no cap. */
  budgetUsd: number | undefined;
  /** US dollars per day for the whole role; undefined: no cap. */
  dailyBudgetUsd: number | undefined;
  /** Field names that must stand in the description as `Name: value`. */
  requires: string[];
  /** Absolute folder for drafts, and the only place the agent may write; undefined: it writes no files. */
  output: string | undefined;
  isolation: Isolation;
  /** Absolute path of the git repository that `isolation: worktree` checks out. */
  repo: string | undefined;
  /** True: the agent may change its checkout; the worker delivers the changes as a patch. */
  edits: boolean;
  /** How many follow-ups and answers a task may take before it is closed for more. */
  rounds: number;
  /** Permission rules that always need a human's approval, e.g. `Bash(git push:*)`. */
  ask: string[];
  /** True: other roles may write the same output folder at the same moment. */
  sharesOutput: boolean;
  /** Who may delegate to it, by the `from` of the envelope; undefined: anyone who can submit. */
  acceptsFrom: string[] | undefined;
  /** True: what it does cannot be undone, so each task starts only after a person's approval. */
  irreversible: boolean;
  /** sha256 of the role file, to notice edits. */
  hash: string;
}

export const roleDefaults = {
  lane: 'normal',
  timeoutMs: 15 * 60_000,
  stallMs: 5 * 60_000,
  toolStallMs: 15 * 60_000,
  attempts: 3,
  rounds: 5,
  isolation: 'shared',
} as const satisfies Partial<Role>;

/** Does each task have an output folder of its own? */
export function hasOwnFolder({ isolation, edits }: Pick<Role, 'isolation' | 'edits'>): boolean {
  return isolation === 'folder' || edits;
}
