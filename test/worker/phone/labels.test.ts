/** Labels as a person's answer: taking one off means "again". */
import { describe, expect, it } from 'vitest';
import { fails, finished, openOffice, portAgent, talker } from '../harness.ts';

const broken = { kind: 'agent', code: 'exit_3', message: 'It ended with exit code 3.' } as const;

describe('a label taken off', () => {
  it('of done work has it done afresh, in a new session', async () => {
    const office = await openOffice({ roles: talker });
    const task = office.add('A post', { labels: ['work'] });
    const agent = portAgent(() => finished());
    office.start({ agent });
    await office.untilLabel(task, 'agent-done');
    office.todoist.removeLabel(task, 'agent-done');
    await office.until('a second outcome', () => office.said(task).length === 4);
    await office.untilLabel(task, 'agent-done');
    await office.polls(3);
    expect(agent.requests).toHaveLength(2);
    expect(agent.requests[1]?.resume).toBe(false);
    expect(agent.requests[1]?.sessionId).not.toBe(agent.requests[0]?.sessionId);
    expect(agent.requests[1]?.prompt).toContain('# A post');
    expect(office.labels(task)).toEqual(['work', 'agent-done']);
  });

  it('of failed work has it run again, with all its attempts', async () => {
    const office = await openOffice({ roles: talker });
    const task = office.add('A post');
    const agent = portAgent(() => (agent.requests.length < 5 ? fails(broken) : finished()));
    office.start({ agent });
    await office.untilLabel(task, 'agent-failed');
    expect(agent.requests).toHaveLength(3);
    office.todoist.removeLabel(task, 'agent-failed');
    await office.untilLabel(task, 'agent-done');
    expect(agent.requests).toHaveLength(5);
  });

  it('of work that missed its deadline gives it a new one', async () => {
    const office = await openOffice({
      roles: { 'linkedin-writer': ['project: LinkedIn Writer', 'deadline: 1h'] },
    });
    const task = office.add('A post');
    const agent = portAgent(() => finished());
    const idle = office.start({ agent, lanes: { fast: 0, normal: 0, heavy: 0 } });
    await office.until('it to be queued', async () => (await office.state(task)) === 'queued');
    await office.advance(2 * 3_600_000);
    await office.untilLabel(task, 'agent-failed');
    await idle.stop();
    office.start({ agent });
    await office.polls();
    office.todoist.removeLabel(task, 'agent-failed');
    await office.untilLabel(task, 'agent-done');
    expect(agent.requests).toHaveLength(1);
    expect(agent.requests[0]?.timeoutMs).toBe(15 * 60_000);
  });

  it('of a question drops the question and starts over', async () => {
    const office = await openOffice();
    const task = office.add('A post [ask]');
    office.start();
    await office.untilLabel(task, 'agent-review');
    office.todoist.removeLabel(task, 'agent-review');
    await office.until('a second question', () => office.said(task).length === 4);
    await office.untilLabel(task, 'agent-review');
    expect(office.runs()).toHaveLength(2);
    expect(office.runs()[1]?.prompt).not.toContain('has answered');
  });
});

describe('a comment on failed work', () => {
  it('has it run again, with what it says', async () => {
    const office = await openOffice();
    const task = office.add('A post [give up]');
    office.start();
    await office.untilLabel(task, 'agent-failed');
    expect(office.runs()).toHaveLength(1);
    expect(office.last(task)).toContain('There is nothing about this anywhere.');
    office.comment(task, 'look in the archive');
    await office.untilLabel(task, 'agent-done');
    expect(office.runs()).toHaveLength(2);
    expect(office.last(task)).toContain('Changed as you said: look in the archive');
  });
});

describe('a label put on by hand', () => {
  it('takes a waiting task off the list', async () => {
    const office = await openOffice({ roles: talker });
    const task = office.add('A post');
    const agent = portAgent(() => finished());
    const idle = office.start({ agent, lanes: { fast: 0, normal: 0, heavy: 0 } });
    await office.until('it to be queued', async () => (await office.state(task)) === 'queued');
    office.todoist.addLabel(task, 'agent-done');
    await office.until('it to be dropped', async () => (await office.state(task)) === 'cancelled');
    await idle.stop();
    office.start({ agent });
    await office.polls(3);
    expect(agent.requests).toEqual([]);
    expect(office.todoist.comments(task)).toEqual([]);
  });

  it('means that there is nothing to do, when it was there before the worker came', async () => {
    const office = await openOffice({ roles: talker });
    const task = office.add('A post', { labels: ['agent-done'] });
    const agent = portAgent(() => finished());
    office.start({ agent });
    await office.polls(3);
    expect(agent.requests).toEqual([]);
    office.comment(task, 'make it shorter');
    await office.untilLabel(task, 'agent-done');
    await office.until('a run for the comment', () => agent.requests.length === 1);
  });
});
