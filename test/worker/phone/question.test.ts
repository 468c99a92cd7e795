/** The agent asks, a person answers on the phone, possibly days and restarts later. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { asks, finished, openOffice, portAgent, talker } from '../harness.ts';

const hourMs = 3_600_000;

describe('a question', () => {
  it('shows what is proposed, on what grounds, why a person is needed, and what to decide', async () => {
    const office = await openOffice();
    const task = office.add('The new price [ask]');
    office.start();
    await office.untilLabel(task, 'agent-review');
    const text = office.last(task);
    expect(text).toContain('**Proposed**\nSay 29 EUR.');
    expect(text).toContain('**Evidence**\nThe old post said 29 EUR.');
    expect(text).toContain('**Why it needs you**\nThe price list is from last year.');
    expect(text).toContain('**To decide**\nWhich price shall it name?');
    expect(text).toContain('A first draft, 29 EUR or 49 EUR.');
    expect(text).toContain('Answer in a comment and the work goes on from here.');
  });

  it('is answered after the worker was restarted, once; a second answer is a follow-up', async () => {
    const office = await openOffice();
    const task = office.add('The new price [ask]');
    const first = office.workerProgram();
    await office.untilLabel(task, 'agent-review');
    first.kill('SIGTERM');
    expect((await first.ended).exitCode).toBe(0);

    office.comment(task, '49 EUR, from January');
    const second = office.workerProgram();
    await office.untilLabel(task, 'agent-done');
    const runs = office.runs(task);
    expect(runs).toHaveLength(2);
    expect(runs[1]?.prompt).toContain(
      'The person has answered your question:\n=====\n49 EUR, from January\n',
    );
    const draft = join(office.workspace, 'linkedin', 'the-new-price-ask-.md');
    expect(readFileSync(draft, 'utf8')).toContain('Changed as you said: 49 EUR, from January');

    office.comment(task, 'Say it is worth it');
    await office.until('a third run', () => office.runs(task).length === 3);
    expect(office.runs(task)[2]?.prompt).toContain('The person has commented on your work.');
    await office.untilLabel(task, 'agent-done');
    second.kill('SIGTERM');
    await second.ended;
    expect(office.runs(task)).toHaveLength(3);
    // "Working on it" and what came of it, three times.
    expect(office.said(task)).toHaveLength(6);
  });

  it('resumes the very session that asked, with the answer as its next turn, also days later', async () => {
    const office = await openOffice({ roles: talker });
    const task = office.add('The new price');
    const agent = portAgent(({ request }) => (request.resume ? finished() : asks('Which price?')));
    const first = office.start({ agent });
    await office.untilLabel(task, 'agent-review');
    await first.stop();
    office.clock.advance(70 * hourMs);
    office.comment(task, '49 EUR');
    office.comment(task, 'and say why');
    const second = office.start({ agent });
    await office.untilLabel(task, 'agent-done');
    await office.polls();
    await second.stop();
    const [asked, answered, ...more] = agent.requests;
    expect(more).toEqual([]);
    expect(answered?.resume).toBe(true);
    expect(answered?.sessionId).toBe(asked?.sessionId);
    expect(answered?.attemptId).not.toBe(asked?.attemptId);
    expect(answered?.prompt).toContain('49 EUR\n\nand say why');
    expect(answered?.prompt).not.toContain('# The new price');
  });

  it('gets a fresh session with the whole thread where the old one is gone', async () => {
    const office = await openOffice({ roles: talker });
    const task = office.add('The new price');
    const gone = {
      kind: 'transient',
      code: 'session_gone',
      message: 'No such session.',
      resumable: false,
    } as const;
    const agent = portAgent(({ request }) => {
      if (request.resume) return { failure: gone, sessionUsable: false };
      return request.prompt.includes('49 EUR') ? finished() : asks('Which price?');
    });
    office.start({ agent });
    await office.untilLabel(task, 'agent-review');
    office.comment(task, '49 EUR');
    await office.untilLabel(task, 'agent-done');
    expect(agent.requests.map(({ resume }) => resume)).toEqual([false, true, false]);
    const fresh = agent.requests[2];
    expect(fresh?.sessionId).not.toBe(agent.requests[0]?.sessionId);
    expect(fresh?.prompt).toContain('# The new price');
    expect(fresh?.prompt).toContain('Which price?');
    expect(fresh?.prompt).toContain('The person has answered your question:\n=====\n49 EUR\n=====');
  });

  it('is about a field that the description lacks, without the agent having been started', async () => {
    const roles = { 'linkedin-writer': ['project: LinkedIn Writer', 'requires: [audience]'] };
    const office = await openOffice({ roles });
    const task = office.add('A post', { description: 'Tone: dry' });
    const agent = portAgent(() => finished());
    office.start({ agent });
    await office.untilLabel(task, 'agent-review');
    expect(office.last(task)).toContain('The description lacks `audience: …`, which linkedin-writer needs.');
    expect(agent.requests).toEqual([]);
    office.todoist.edit(task, { description: 'Audience: people who run factories' });
    office.comment(task, 'added');
    await office.untilLabel(task, 'agent-done');
    expect(agent.requests).toHaveLength(1);
    expect(agent.requests[0]?.prompt).toContain('Audience: people who run factories');
  });
});
