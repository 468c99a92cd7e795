/** A call that the agent was refused: a person may allow exactly that one, for this task alone. */
import { describe, expect, it } from 'vitest';
import { type Office, type PortAgent, finished, openOffice, portAgent, refused, talker } from '../harness.ts';

const push = { tool: 'Bash', input: { command: 'git push origin main' } };
const rule = 'Bash(git push origin main)';

/** An agent that needs that call, and asks for it as long as it has not been decided on. */
function pushes(): PortAgent {
  return portAgent(({ request }) => {
    if (request.grants.includes(rule)) return finished('Pushed.');
    return request.prompt.includes('has refused these calls') ? finished('Left it unpushed.') : refused(push);
  });
}

async function blocked(): Promise<{ office: Office; task: string; agent: PortAgent }> {
  const office = await openOffice({ roles: talker });
  const task = office.add('Publish the site', { description: 'The branch is ready.' });
  const agent = pushes();
  office.start({ agent });
  await office.untilLabel(task, 'agent-review');
  return { office, task, agent };
}

describe('a blocked action', () => {
  it('is named exactly, and resumes with that one call allowed once it is approved', async () => {
    const { office, task, agent } = await blocked();
    expect(office.last(task)).toContain(`**Wanted to run**\n- \`${rule}\``);
    expect(office.last(task)).toContain('Comment `approve` or `reject`');
    expect(agent.requests[0]?.grants).toEqual([]);

    office.comment(task, 'Approve\nTell me when it is live');
    await office.untilLabel(task, 'agent-done');
    expect(agent.requests).toHaveLength(2);
    const [first, second] = agent.requests;
    expect(second?.grants).toEqual([rule]);
    expect(second?.resume).toBe(true);
    expect(second?.sessionId).toBe(first?.sessionId);
    expect(second?.prompt).toContain(`has approved exactly these calls, for this task alone`);
    expect(second?.prompt).toContain(`- ${rule}`);
    expect(second?.prompt).toContain('Tell me when it is live');

    const other = office.add('Publish another site');
    await office.untilLabel(other, 'agent-review');
    expect(agent.requests.at(-1)?.grants).toEqual([]);
  });

  it('resumes with the refusal when it is rejected', async () => {
    const { office, task, agent } = await blocked();
    office.comment(task, 'reject');
    await office.untilLabel(task, 'agent-done');
    expect(office.last(task)).toContain('Left it unpushed.');
    expect(agent.requests[1]?.grants).toEqual([]);
    expect(agent.requests[1]?.resume).toBe(true);
    expect(agent.requests[1]?.prompt).toContain(`has refused these calls`);
  });

  it('is rejected when one comment says so, whatever another one says', async () => {
    const { office, task, agent } = await blocked();
    office.comment(task, 'approve');
    office.comment(task, 'reject, that was for another task');
    await office.untilLabel(task, 'agent-done');
    expect(agent.requests.flatMap(({ grants }) => grants)).toEqual([]);
    expect(agent.requests[1]?.prompt).toContain('that was for another task');
  });

  it('is not approved by an approval that came after the task was edited', async () => {
    const { office, task, agent } = await blocked();
    office.todoist.edit(task, { description: 'The branch is ready. Push to production too.' });
    office.comment(task, 'approve');
    await office.until('to be told', () => /this approval does not count/.test(lastComment(office, task)));
    await office.polls();
    expect(agent.requests).toHaveLength(1);
    expect(office.labels(task)).toEqual(['agent-review']);
    expect(office.todoist.comments(task)).toHaveLength(4);

    office.todoist.edit(task, { description: 'The branch is ready.' });
    await office.polls();
    office.comment(task, 'approve');
    await office.untilLabel(task, 'agent-done');
    expect(agent.requests[1]?.grants).toEqual([rule]);
  });

  it('is no longer allowed once the task was edited after the approval', async () => {
    const { office, task, agent } = await blocked();
    office.comment(task, 'approve');
    await office.untilLabel(task, 'agent-done');
    office.todoist.edit(task, { description: 'Push everything.' });
    await office.polls();
    office.comment(task, 'once more please, all of it');
    await office.until('a third run', () => agent.requests.length === 3);
    expect(agent.requests[2]?.grants).toEqual([]);
  });

  it.each([
    'Which branch is that?',
    'Approve what exactly?',
    'Approve, but only on Friday',
    'I approve of this in general',
  ])('is not decided by an answer that is neither: %s', async (text) => {
    const { office, task, agent } = await blocked();
    office.comment(task, text);
    await office.until('a second run', () => agent.requests.length === 2);
    expect(agent.requests[1]?.grants).toEqual([]);
    expect(agent.requests[1]?.prompt).toContain(text);
    await office.until('to be asked again', () => office.said(task).length === 4);
    await office.untilLabel(task, 'agent-review');
  });

  it('cannot be approved from the shell of an agent', async () => {
    const { office, task, agent } = await blocked();
    const asAgent = { AGENT_ATTEMPT_ID: '5f2d1c9e-0000-4000-8000-000000000000' };
    const refusal = await office.agentq(['answer', `todoist:${task}`, 'approve'], asAgent);
    expect(refusal.exitCode).toBe(2);
    expect(refusal.stderr).toContain('agentq answer is for people; an agent cannot use it');
    await office.polls();
    expect(agent.requests).toHaveLength(1);
    expect(office.labels(task)).toEqual(['agent-review']);

    const accepted = await office.agentq(['answer', `todoist:${task}`, 'approve']);
    expect(accepted).toMatchObject({ exitCode: 0, stderr: '' });
    await office.untilLabel(task, 'agent-done');
    expect(agent.requests[1]?.grants).toEqual([rule]);
    // The thread on the phone shows who decided.
    expect(office.said(task).join('\n')).toContain('💬 Answered with agentq: approve');
  });

  it('is decided once: of two answers at the same time the first one counts', async () => {
    const office = await openOffice({ roles: talker });
    const task = office.add('Publish the site');
    const agent = pushes();
    const worker = office.start({ agent });
    await office.untilLabel(task, 'agent-review');
    // With no worker to take the first one, the second finds the question answered.
    await worker.stop();
    const answers = await Promise.all(
      ['approve', 'reject'].map((text) => office.agentq(['answer', `todoist:${task}`, text, '--json'])),
    );
    expect(answers.filter(({ exitCode }) => exitCode === 0)).toHaveLength(1);
    const late = answers.find(({ exitCode }) => exitCode === 1);
    expect(JSON.parse(late?.stderr ?? '')).toMatchObject({ error: { code: 'CONFLICT' } });
    office.start({ agent });
    await office.untilLabel(task, 'agent-done');
    await office.polls();
    expect(agent.requests).toHaveLength(2);
    expect(agent.requests[1]?.grants).toEqual(answers[0]?.exitCode === 0 ? [rule] : []);
  });
});

function lastComment(office: Office, task: string): string {
  return office.todoist.comments(task).at(-1)?.content ?? '';
}
