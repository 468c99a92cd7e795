import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder, testRole } from '../agents/run-agent.ts';
import { openDesk, done } from './run-claude.ts';
import type { Step } from '../../tools/agents/scripted-api.ts';

function write(path: string, content = 'Queues decouple.'): Step {
  return { tool: 'Write', input: { file_path: path, content } };
}

test('a draft is written and the outcome comes back', async () => {
  await using desk = await openDesk({ steps: [] });
  const path = join(desk.request.outputDir!, 'why-queues.md');
  desk.api.script([write(path), done('Drafted it.', [path])]);
  const { result, steps } = await desk.run();
  expect(result).toMatchObject({
    outcome: { status: 'done', summary: 'Drafted it.', artifacts: [path] },
    denials: [],
    sessionUsable: true,
    exit: { code: 0 },
  });
  expect(result.costUsd).toBeGreaterThan(0);
  expect(readFileSync(path, 'utf8')).toBe('Queues decouple.');
  expect(steps).toEqual(['Write output/why-queues.md']);
});

test('the agent is told its role and its prompt, and where its skills are', async () => {
  await using desk = await openDesk({ steps: [] });
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'SKILL.md'), 'Write in short sentences.');
  desk.api.script([{ tool: 'Read', input: { file_path: join(folder, 'SKILL.md') } }, done()]);
  const { result } = await desk.run({ readableDirs: [folder] });
  expect(result.denials).toEqual([]);
  expect(JSON.stringify(desk.api.requests[0]?.body)).toContain(testRole.body);
  expect(JSON.stringify(desk.api.requests[0]?.body)).toContain('Why queues matter');
  expect(desk.api.transcript()).toContain('Write in short sentences.');
});

test('writing and reading elsewhere is refused; the outcome stands with the refusals listed', async () => {
  await using desk = await openDesk({ steps: [] });
  const elsewhere = join(temporaryFolder(), 'stray.md');
  const calls = [
    { tool: 'Write', input: { file_path: elsewhere, content: 'x' } },
    { tool: 'Write', input: { file_path: '../stray.md', content: 'x' } },
    { tool: 'Read', input: { file_path: '/etc/passwd' } },
    { tool: 'Grep', input: { pattern: 'root', path: '/etc' } },
  ];
  desk.api.script([{ tools: calls }, done()]);
  const { result } = await desk.run();
  expect(result.outcome?.status).toBe('done');
  expect(result.denials.map((denial) => denial.tool).toSorted()).toEqual(['Grep', 'Read', 'Write', 'Write']);
  expect(existsSync(elsewhere)).toBe(false);
  expect(existsSync(join(desk.request.outputDir!, '../stray.md'))).toBe(false);
  expect(desk.api.transcript()).not.toContain('root:x:0');
});

test('an output folder below the working directory is the only place to write', async () => {
  await using desk = await openDesk({ steps: [] });
  const root = temporaryFolder();
  const outputDir = join(root, 'drafts [2026] *');
  mkdirSync(outputDir);
  const inside = join(outputDir, 'a.md');
  desk.api.script([
    {
      tools: [inside, join(root, 'b.md')].map((path) => ({
        tool: 'Write',
        input: { file_path: path, content: 'x' },
      })),
    },
    done(),
  ]);
  const { result } = await desk.run({ cwd: root, outputDir });
  expect(result.denials).toHaveLength(1);
  expect([existsSync(inside), existsSync(join(root, 'b.md'))]).toEqual([true, false]);
});

test('an agent that could not finish without a refused tool is a policy failure', async () => {
  await using desk = await openDesk({ steps: [] });
  desk.api.script([
    write(join(temporaryFolder(), 'x.md')),
    { outcome: { status: 'needs_review', summary: 'I need to write elsewhere.' } },
  ]);
  const { result } = await desk.run();
  expect(result.failure).toMatchObject({
    kind: 'policy',
    message: expect.stringContaining('I need to write elsewhere.'),
  });
});

test('an agent that will not say how it went has no outcome', async () => {
  await using desk = await openDesk({ steps: [{ text: 'All good!' }] });
  const { result } = await desk.run();
  expect(result.failure).toMatchObject({ kind: 'agent', code: 'no_outcome' });
});

test('the cost cap ends the run', async () => {
  await using desk = await openDesk({ steps: [{ tool: 'Glob', input: { pattern: '*' } }] });
  const { result } = await desk.run({ budgetUsd: 0.001 });
  expect(result.failure?.kind).toBe('budget');
  expect(result.costUsd).toBeGreaterThan(0.001);
});

test('check tells version and login', async () => {
  await using desk = await openDesk({ steps: [] });
  expect(await desk.agent.check()).toEqual({
    ok: true,
    hints: [],
    detail: expect.stringMatching(/^claude \d+\.\d+\.\d+, API key from/u),
  });
  await using stranger = await openDesk({ steps: [], env: { ANTHROPIC_API_KEY: '' } });
  expect(await stranger.agent.check()).toMatchObject({
    ok: false,
    detail: expect.stringContaining('not logged in'),
  });
  expect(desk.api.requests).toEqual([]);
});
