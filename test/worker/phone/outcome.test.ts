/** From a task on the phone to reviewed work. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { signedBy } from '../../../tools/worker/thread.ts';
import { openOffice } from '../harness.ts';

describe('a task from the phone', () => {
  it('is taken, worked on, reported with its draft, and stays open', async () => {
    const office = await openOffice();
    const task = office.add('Why queues matter [wait go]', {
      description: 'For people who run factories.',
      labels: ['urgent', 'work'],
    });
    office.start();
    await office.until('a first comment', () => office.said(task).length === 1);
    expect(office.last(task)).toBe('🔧 Working on it.');
    await office.until('the agent to run', () => office.runs(task).length === 1);
    expect(office.labels(task)).toEqual(['urgent', 'work']);
    expect(office.runs(task)[0]?.prompt).toContain('For people who run factories.');

    office.todoist.removeLabel(task, 'urgent');
    office.todoist.addLabel(task, 'later');
    office.release('go');
    await office.untilLabel(task, 'agent-done');
    expect(office.labels(task)).toEqual(['work', 'later', 'agent-done']);

    const file = join('linkedin', 'why-queues-matter-wait-go-.md');
    const draft = join(office.workspace, file);
    expect(office.said(task)).toHaveLength(2);
    const outcome = office.last(task);
    expect(outcome).toContain('Wrote “Why queues matter [wait go]”.');
    expect(outcome).toContain(readFileSync(draft, 'utf8').trim());
    expect(outcome).toContain(`- ${file} (${statSync(draft).size} bytes)`);
    expect(outcome).toContain('Review it, then close the task. To change something, comment what.');
    expect(office.todoist.task(task).checked).toBe(false);

    await office.polls(3);
    expect(office.runs()).toHaveLength(1);
    expect(office.said(task)).toHaveLength(2);
    for (const { content } of office.todoist.comments(task)) expect(signedBy(content)).toBeDefined();
  });

  it('brings sub-tasks, comments and names of attachments into the prompt, and nothing of a sub-task alone', async () => {
    const office = await openOffice();
    const task = office.add('A post');
    const child = office.add('mention the fair', { parentId: task });
    office.todoist.comment(task, 'See the notes', {
      file_name: 'notes.pdf',
      file_url: 'https://example.org/n',
    });
    office.start();
    await office.untilLabel(task, 'agent-done');
    const [run] = office.runs();
    expect(run?.prompt).toContain('- [ ] mention the fair');
    expect(run?.prompt).toContain('See the notes');
    expect(run?.prompt).toContain('notes.pdf');
    await office.polls();
    expect(office.runs()).toHaveLength(1);
    expect(office.said(child)).toEqual([]);
  });

  it('takes the most urgent first, then the earliest due, then the order of the list', async () => {
    const office = await openOffice();
    const expected = ['urgent', 'due soon', 'due later', 'first in the list', 'second in the list'];
    office.add('second in the list', { order: 9 });
    office.add('first in the list', { order: 8 });
    office.add('due later', { due: '2030-02-01' });
    office.add('due soon', { due: '2030-01-01' });
    office.add('urgent', { priority: 4 });
    office.start({ lanes: { fast: 1, normal: 1, heavy: 1 } });
    await office.until('all five to run', () => office.runs().length === 5);
    expect(office.runs().map(({ title }) => title)).toEqual(expected);
  });

  it('says in plain words what failed, and what happens next', async () => {
    const office = await openOffice();
    const task = office.add('A post [exit 3]');
    const worker = office.start();
    await office.untilLabel(task, 'agent-failed');
    expect(office.runs()).toHaveLength(3);
    expect(office.said(task)).toHaveLength(2);
    expect(office.said(task)[0]).toContain('attempt 3');
    expect(office.last(task)).toMatch(/^❌ This did not work\..*exit code 3/);
    expect(office.last(task)).toMatch(/1\. .*\n2\. .*\n3\. /);
    expect(office.last(task)).toContain('it runs again');
    expect(worker.of('attempt_ended').map(({ state }) => state)).toEqual(['queued', 'queued', 'failed']);
  });

  it('does not believe in files that are not there', async () => {
    const office = await openOffice();
    const task = office.add('A post');
    office.start({
      agent: (await import('../../../tools/agents/command.ts')).createCommandAgent({
        argv: [process.execPath, join(import.meta.dirname, '../../fixtures/agents/lies-about-artifacts.ts')],
      }),
    });
    await office.untilLabel(task, 'agent-failed');
    expect(existsSync(join(office.workspace, 'linkedin', 'draft.md'))).toBe(false);
    expect(office.last(task)).toContain('does not exist');
  });
});
