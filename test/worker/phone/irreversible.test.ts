/** A role whose doings cannot be undone: each task begins only after a person's word. */
import { describe, expect, it } from 'vitest';
import { openOffice } from '../harness.ts';

const sender = {
  sender: ['project: Sender', 'output: workspace/sent', 'irreversible: true'],
};

describe('a task that cannot be undone', () => {
  it('asks before it begins, and begins after `approve`', async () => {
    const office = await openOffice({ roles: sender });
    const task = office.add('Send the letter');
    office.start();
    await office.untilLabel(task, 'agent-review');
    expect(office.last(task)).toContain('May I begin?');
    expect(office.runs()).toEqual([]);
    office.comment(task, 'approve');
    await office.untilLabel(task, 'agent-done');
    const [run] = office.runs();
    expect(office.runs()).toHaveLength(1);
    // The approval is to begin, not a word to the agent.
    expect(run?.prompt).not.toContain('approved exactly these calls');
    expect(run?.prompt).toContain('Send the letter');
  });

  it('is dropped after `reject`, without having begun', async () => {
    const office = await openOffice({ roles: sender });
    const task = office.add('Send the letter');
    office.start();
    await office.untilLabel(task, 'agent-review');
    office.comment(task, 'reject');
    await office.until('the label to go', () => office.labels(task).length === 0);
    expect(await office.state(task)).toBe('cancelled');
    expect(office.runs()).toEqual([]);
  });

  it('does not begin on an approval of another text', async () => {
    const office = await openOffice({ roles: sender });
    const task = office.add('Send the letter');
    office.start();
    await office.untilLabel(task, 'agent-review');
    const question = office.last(task);
    office.todoist.edit(task, { content: 'Send ten thousand letters' });
    await office.polls();
    office.comment(task, 'approve');
    await office.until('the answer', () => office.last(task) !== question);
    expect(office.runs()).toEqual([]);
  });

  it('asks anew when it is to run afresh, and not for a change to what was approved', async () => {
    const office = await openOffice({ roles: sender });
    const task = office.add('Send the letter');
    office.start();
    await office.untilLabel(task, 'agent-review');
    office.comment(task, 'approve');
    await office.untilLabel(task, 'agent-done');
    office.comment(task, 'Mention the price, please.');
    await office.until('the second run', () => office.runs().length === 2);
    await office.untilLabel(task, 'agent-done');
    office.todoist.edit(task, { labels: [] });
    await office.untilLabel(task, 'agent-review');
    expect(office.runs()).toHaveLength(2);
  });
});
