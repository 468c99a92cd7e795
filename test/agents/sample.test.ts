import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createSampleAgent } from '../../tools/agents/sample.ts';
import { makeRequest, runAgent } from './run-agent.ts';

const agent = createSampleAgent();

test('it writes a draft, shows its steps and says that no AI was used', async () => {
  const request = makeRequest({ prompt: 'Task: Why queues matter\n\nAudience: engineers' });
  const { result, steps } = await runAgent(agent, request);
  expect(result.outcome).toMatchObject({
    status: 'done',
    summary: expect.stringContaining('no AI was used'),
  });
  const [path] = result.outcome!.artifacts;
  expect(readFileSync(path!, 'utf8')).toMatch(/^# Why queues matter\n\n.*no AI was used/u);
  expect(steps).toEqual([
    'Read the task',
    expect.stringMatching(/^Write why-queues-matter-/u),
    'Check the draft',
  ]);
});

test.each(['Title: Pick a name [decide]', 'Title: A name\n\nThis needs a decision.'])(
  'it asks first and finishes with the answer: %s',
  async (prompt) => {
    const request = makeRequest({ prompt });
    const asked = await runAgent(agent, request);
    expect(asked.result.outcome).toMatchObject({
      status: 'needs_input',
      proposal: expect.any(String),
      evidence: expect.any(String),
      reason: expect.any(String),
      decision: expect.any(String),
    });
    const answered = `${prompt}\n\nThe person has answered your question:\n=====\nShorter, please.\n=====`;
    const answer = { ...request, attemptNumber: 2, prompt: answered };
    const { result } = await runAgent(agent, answer);
    expect(result.outcome).toMatchObject({
      status: 'done',
      summary: expect.stringContaining('Shorter, please'),
    });
    expect(readdirSync(request.outputDir!)).toHaveLength(1);
    expect(readFileSync(result.outcome!.artifacts[0]!, 'utf8')).toContain('> Shorter, please');
  },
);

test('asked to fail once, the first attempt is transient and the second delivers', async () => {
  const request = makeRequest({ prompt: 'Title: Shaky [fail once]' });
  const first = await runAgent(agent, request);
  expect(first.result.failure).toMatchObject({ kind: 'transient' });
  const second = await runAgent(agent, { ...request, attemptNumber: 2 });
  expect(second.result.outcome?.status).toBe('done');
});

test('without a folder to write in, the answer is the outcome', async () => {
  const { result } = await runAgent(agent, makeRequest({ outputDir: undefined }));
  expect(result.outcome).toMatchObject({ status: 'done', artifacts: [] });
});

test('hostile titles stay file names inside the folder', async () => {
  const request = makeRequest({ prompt: 'Title: ../../etc/passwd\u0000 --rm' });
  const { result } = await runAgent(agent, request);
  expect(result.outcome?.artifacts[0]).toMatch(/output\/etc-passwd-rm-[0-9a-f]{8}\.md$/u);
  expect(readdirSync(join(request.outputDir!, '..')).toSorted()).toEqual(['attempt', 'output']);
});
