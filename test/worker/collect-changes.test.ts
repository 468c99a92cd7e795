/** A task that changes code, the whole way: delegated, done in a checkout, delivered as a patch, verified, changed again. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Agent, AgentRequest } from '../../tools/agents/agent.ts';
import type { Outcome } from '../../tools/agents/outcome.ts';
import { openOffice, portAgent, talker, type Office } from './harness.ts';

const lines = [
  'output: workspace/implementations',
  'isolation: worktree',
  'repo: repo',
  'edits: true',
  'attempts: 2',
];

function git(cwd: string, ...args: string[]): string {
  const who = ['-c', 'user.name=T', '-c', 'user.email=t@example.com'];
  return execFileSync('git', [...who, ...args], { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

async function openShop(): Promise<Office> {
  const office = await openOffice({ roles: talker });
  const repo = join(office.root, 'repo');
  mkdirSync(repo);
  git(repo, 'init', '-q');
  writeFileSync(join(repo, 'a.txt'), 'one\n');
  git(repo, 'add', '.');
  git(repo, 'commit', '-q', '-m', 'first');
  office.role('coder', lines);
  return office;
}

/** Does that in the checkout, then says so. */
function coder(work: (request: AgentRequest) => Partial<Outcome>): Agent {
  return portAgent(({ request }) => ({
    outcome: { status: 'done', summary: 'Changed.', artifacts: [], ...work(request) },
  }));
}

function report(request: AgentRequest): Partial<Outcome> {
  const text = '# Change\n\n## Summary\nDone.\n\n## Test output\nNot run.\n\n## Risks\nNone known.\n';
  const file = join(request.outputDir ?? '', 'report.md');
  writeFileSync(file, text);
  return { artifacts: [file] };
}

const expected = ['--expect', 'summary', 'patch', 'test-output', 'risks'];

async function submit(office: Office): Promise<string> {
  return (await office.agentq(['submit', 'A change', '--to', 'coder', '-q', ...expected])).stdout;
}

async function runOnce(office: Office, agent: Agent): Promise<void> {
  const worker = office.start({ agent, mode: 'once' });
  await worker.done;
  if (worker.failure) throw worker.failure;
}

it('is completed with a patch that applies; a comment goes on in the same checkout', async () => {
  const office = await openShop();
  const id = await submit(office);
  await runOnce(
    office,
    coder((request) => {
      writeFileSync(join(request.cwd, 'a.txt'), 'two\n');
      return report(request);
    }),
  );
  expect(await office.agentq(['verify', id])).toMatchObject({ exitCode: 0 });
  const patch = join(office.workspace, 'artifacts', id, 'patch.diff');
  expect(readFileSync(patch, 'utf8')).toContain('-one\n+two\n');

  await office.agentq(['answer', id, 'and a new file']);
  await runOnce(
    office,
    coder((request) => {
      expect(readFileSync(join(request.cwd, 'a.txt'), 'utf8')).toBe('two\n');
      writeFileSync(join(request.cwd, 'new.txt'), 'new\n');
      return report(request);
    }),
  );
  expect(await office.agentq(['verify', id])).toMatchObject({ exitCode: 0 });
  const clone = join(office.root, 'clone');
  git(office.root, 'clone', '-q', 'repo', clone);
  git(clone, 'apply', patch);
  expect(readFileSync(join(clone, 'a.txt'), 'utf8')).toBe('two\n');
  expect(readFileSync(join(clone, 'new.txt'), 'utf8')).toBe('new\n');
  expect(git(join(office.root, 'repo'), 'status', '--porcelain')).toBe('');
});

it('without a change there is no patch, whatever was claimed; without any evidence it fails', async () => {
  const office = await openShop();
  const id = await submit(office);
  await runOnce(
    office,
    coder((request) => {
      const patch = join(request.outputDir ?? '', 'patch.diff');
      writeFileSync(patch, 'a patch of my own\n');
      const { artifacts = [] } = report(request);
      return { artifacts: [...artifacts, patch] };
    }),
  );
  expect((await office.agentq(['status', id])).stdout).toContain('failed');
  expect(existsSync(join(office.workspace, 'artifacts', id, 'patch.diff'))).toBe(false);
});

it('what cannot be a patch goes back once, and can be mended', async () => {
  const office = await openShop();
  const id = await submit(office);
  const prompts: string[] = [];
  await runOnce(
    office,
    coder((request) => {
      prompts.push(request.prompt);
      const huge = join(request.cwd, 'huge.bin');
      if (existsSync(huge)) rmSync(huge);
      else {
        writeFileSync(huge, '');
        truncateSync(huge, 1e9);
      }
      writeFileSync(join(request.cwd, 'a.txt'), 'two\n');
      return report(request);
    }),
  );
  expect(prompts).toHaveLength(2);
  expect(prompts[1]).toContain('at most 200 MB');
  expect(await office.agentq(['verify', id])).toMatchObject({ exitCode: 0 });
});

it('a question is asked with what was changed so far', async () => {
  const office = await openShop();
  const id = await submit(office);
  await runOnce(
    office,
    coder((request) => {
      writeFileSync(join(request.cwd, 'a.txt'), 'two\n');
      git(request.cwd, 'init', '-q', 'inner');
      return { status: 'needs_input', summary: 'Which of them?', decision: 'Which?' };
    }),
  );
  expect((await office.agentq(['status', id])).stdout).toContain('input_required');
  expect(existsSync(join(office.workspace, 'implementations', id, 'patch.diff'))).toBe(true);
  expect((await office.agentq(['show', id])).stdout).toContain('repositories of their own: "inner"');
});
