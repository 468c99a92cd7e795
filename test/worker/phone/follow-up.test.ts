/** Comments on work that is done, and on work under way. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { signedBy } from '../../../tools/worker/thread.ts';
import { finished, gate, openOffice, portAgent, talker } from '../harness.ts';

describe('a comment on a task that is done', () => {
  it('changes the draft, and the task is done again', async () => {
    const office = await openOffice();
    const task = office.add('Why queues matter');
    office.start();
    await office.untilLabel(task, 'agent-done');
    const draft = join(office.workspace, 'linkedin', 'why-queues-matter.md');
    expect(readFileSync(draft, 'utf8')).toContain('The first draft.');

    office.comment(task, 'shorter, and mention the price');
    await office.until('the follow-up to be taken', () => office.runs().length === 2);
    await office.until('its outcome', () => office.said(task).length === 4);
    await office.untilLabel(task, 'agent-done');
    expect(readFileSync(draft, 'utf8')).toContain('Changed as you said: shorter, and mention the price');
    expect(office.said(task)[2]).toBe('🔧 Working on it.');
    expect(office.said(task)[3]).toContain('Changed as you said: shorter, and mention the price');
    // What was said before is told too, our own words as ours.
    expect(office.runs()[1]?.prompt).toMatch(/You, earlier: ✅ Wrote “Why queues matter”/);
    expect(office.runs()[1]?.prompt).not.toContain('Working on it');
    expect(office.runs()[1]?.prompt).not.toContain('agent-worker');
    await office.polls();
    expect(office.runs()).toHaveLength(2);
  });

  it('goes on in the same session', async () => {
    const office = await openOffice({ roles: talker });
    const task = office.add('A post');
    const agent = portAgent(() => finished());
    office.start({ agent });
    await office.untilLabel(task, 'agent-done');
    office.comment(task, 'shorter');
    await office.until('both outcomes', () => office.said(task).length === 4);
    expect(agent.requests.map(({ resume }) => resume)).toEqual([false, true]);
    expect(agent.requests[1]?.sessionId).toBe(agent.requests[0]?.sessionId);
  });

  it('is nothing to do when it is a thank-you', async () => {
    const office = await openOffice({ roles: talker });
    const task = office.add('A post');
    const agent = portAgent(() => finished());
    office.start({ agent });
    await office.untilLabel(task, 'agent-done');
    for (const text of ['Thanks, looks great!', '👍', 'perfect']) office.comment(task, text);
    await office.polls(3);
    expect(agent.requests).toHaveLength(1);
    expect(office.said(task)).toHaveLength(2);
    expect(office.labels(task)).toEqual(['agent-done']);
    office.comment(task, 'thanks, but make it shorter');
    await office.until('a second run', () => agent.requests.length === 2);
  });

  it('is taken so many times as the role says, and then one comment says so', async () => {
    const office = await openOffice({
      roles: { 'linkedin-writer': ['project: LinkedIn Writer', 'rounds: 2'] },
    });
    const task = office.add('A post');
    const agent = portAgent(() => finished());
    office.start({ agent });
    for (const round of [1, 2]) {
      await office.until(`outcome ${round}`, () => office.said(task).length === round * 2);
      await office.untilLabel(task, 'agent-done');
      office.comment(task, `shorter, for the ${round}. time`);
    }
    await office.until('the third outcome', () => office.said(task).length === 6);
    await office.untilLabel(task, 'agent-done');
    office.comment(task, 'shorter still');
    await office.until('a comment about it', () => office.todoist.comments(task).length === 10);
    await office.polls(3);
    const comments = office.todoist.comments(task);
    expect(comments).toHaveLength(10);
    expect(comments.at(-1)?.content).toContain('This task has had its 2 rounds.');
    expect(agent.requests).toHaveLength(3);
    expect(office.labels(task)).toEqual(['agent-done']);
  });

  it('is never one of our own, by which worker and after which loss it may come', async () => {
    const office = await openOffice({
      roles: { 'linkedin-writer': ['project: LinkedIn Writer', 'rounds: 0'] },
    });
    const task = office.add('A post');
    const agent = portAgent(() => finished());
    const first = office.start({ agent });
    await office.untilLabel(task, 'agent-done');
    office.comment(task, 'shorter');
    await office.until('a comment about it', () => office.todoist.comments(task).length === 4);
    await office.polls();
    await first.stop();
    const unsigned = office.todoist.comments(task).filter(({ content }) => signedBy(content) === undefined);
    expect(unsigned.map(({ content }) => content)).toEqual(['shorter']);

    // The store is lost; what is labelled is known as done, and a new comment is a follow-up.
    office.role('linkedin-writer', ['project: LinkedIn Writer']);
    office.start({ agent, dataDir: '.data-new' });
    await office.polls();
    expect(agent.requests).toHaveLength(1);
    office.comment(task, 'and mention the price');
    await office.until('a follow-up', () => agent.requests.length === 2);
    expect(agent.requests[1]?.prompt).toContain('You, earlier: ✅ Done.');
    expect(agent.requests[1]?.prompt).toContain('Person: shorter');
    expect(agent.requests[1]?.prompt).toContain('and mention the price');
  });
});

describe('a comment made while the agent runs', () => {
  it('becomes a turn afterwards, exactly once', async () => {
    const office = await openOffice();
    const task = office.add('A post [wait go]');
    office.start();
    await office.until('the agent to run', () => office.runs().length === 1);
    office.comment(task, 'mention the fair');
    await office.polls();
    expect(office.runs()).toHaveLength(1);
    office.release('go');
    await office.until('a turn for it', () => office.runs().length === 2);
    await office.until('its outcome', () => office.said(task).length === 4);
    await office.untilLabel(task, 'agent-done');
    expect(office.runs()[1]?.prompt).toContain('The person has commented on your work.');
    expect(office.last(task)).toContain('Changed as you said: mention the fair');
    await office.polls(3);
    expect(office.runs()).toHaveLength(2);
    expect(office.said(task)).toHaveLength(4);
  });

  it('is in the prompt of the next attempt when the first one did not settle it', async () => {
    const office = await openOffice({ roles: talker });
    const task = office.add('A post');
    const running = gate();
    const agent = portAgent(async ({ request }) => {
      if (request.attemptNumber > 1) return finished();
      await running.passed;
      return { failure: { kind: 'transient', code: 'api_529', message: 'Overloaded.' } };
    });
    office.start({ agent });
    await office.until('the agent to run', () => agent.requests.length === 1);
    office.comment(task, 'mention the fair');
    await office.polls();
    running.open();
    await office.untilLabel(task, 'agent-done');
    await office.polls(3);
    expect(agent.requests).toHaveLength(2);
    expect(agent.requests[1]?.prompt).toContain('Person: mention the fair');
  });
});
