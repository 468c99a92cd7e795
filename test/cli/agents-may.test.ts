/** What an agent can do from its own shell: look and delegate, and nothing that is a person's. */
import { describe, expect, it } from 'vitest';
import { agentsMay } from '../../tools/cli/agents-may.ts';
import { openOffice, type Office } from '../worker/harness.ts';

const roles = { coder: ['lane: normal'], reviewer: ['lane: fast'] };
const marker = { AGENT_ATTEMPT_ID: 'attempt' };

async function submit(office: Office, env: Record<string, string> = {}): Promise<string> {
  const { stdout, stderr } = await office.agentq(['submit', 'A change', '--to', 'coder', '-q'], env);
  expect(stderr).toBe('');
  return stdout;
}

/** Every verb of `--help` with arguments that are complete. */
const uses: Record<string, string[]> = {
  list: [],
  show: ['ID'],
  inbox: [],
  status: ['ID'],
  result: ['ID'],
  verify: ['ID'],
  artifacts: ['ID'],
  events: ['ID'],
  submit: ['Another', '--to', 'reviewer'],
  answer: ['ID', 'approve'],
  cancel: ['ID'],
  redrive: ['ID'],
  claim: ['--as', 'coder'],
  heartbeat: ['ID'],
  complete: ['ID', '--from', 'coder', '--result-file', 'x.md', '--summary', 'x'],
  fail: ['ID', '--from', 'coder', '--reason', 'x'],
  init: [],
  workers: [],
  stats: [],
  why: ['ID'],
  dlq: ['purge', '--yes'],
  once: ['key', '--', 'true'],
  doctor: [],
};

describe("in an agent's shell", () => {
  it('every verb is either for agents or refused', async () => {
    const office = await openOffice({ roles });
    const parent = await submit(office);
    const agent = { ...marker, AGENT_TASK_ID: parent };
    const child = await submit(office, agent);
    const help = (await office.agentq(['--help'])).stdout.split('Commands:')[1] ?? '';
    const verbs = [...help.split('Examples:')[0]!.matchAll(/^ {2}([a-z]+)/gm)].map(([, verb = '']) => verb);
    expect(Object.keys(uses).sort()).toEqual(verbs.filter((verb) => verb !== 'help').sort());
    const refused: string[] = [];
    for (const [verb, args] of Object.entries(uses)) {
      const { exitCode, stdout, stderr } = await office.agentq(
        [verb, ...args.map((arg) => (arg === 'ID' ? child : arg))],
        agent,
      );
      if (!stderr.includes(`agentq ${verb} is for people; an agent cannot use it`)) continue;
      expect({ verb, exitCode, stdout }).toEqual({ verb, exitCode: 2, stdout: '' });
      refused.push(verb);
    }
    expect(refused.sort()).toEqual(verbs.filter((verb) => verb !== 'help' && !agentsMay.has(verb)).sort());
  });

  it('only what it has delegated itself can be cancelled', async () => {
    const office = await openOffice({ roles });
    const parent = await submit(office);
    const agent = { ...marker, AGENT_TASK_ID: parent };
    const child = await submit(office, agent);
    for (const id of [parent, await submit(office)]) {
      const refused = await office.agentq(['cancel', id], agent);
      expect(refused).toMatchObject({ exitCode: 2, stdout: '' });
      expect(refused.stderr).toContain('an agent can cancel only tasks that it has submitted');
    }
    expect((await office.agentq(['cancel', child], agent)).stdout).toContain('cancelled');
    // Without a task of its own it has submitted nothing.
    expect((await office.agentq(['cancel', parent], marker)).exitCode).toBe(2);
  });
});
