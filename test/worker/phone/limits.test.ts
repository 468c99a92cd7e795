/** What stops work for a while: an account at its limit, an agent that cannot start, money that is spent. */
import { describe, expect, it } from 'vitest';
import { fails, finished, gate, type Office, openOffice, portAgent, talker } from '../harness.ts';

const hourMs = 3_600_000;
const pausedComments = (office: Office): string[] =>
  office.todoist.notes().flatMap(({ content }) => (content.startsWith('⏸') ? [content] : []));

describe('an account that has reached its limit', () => {
  const roles = { editor: ['project: Edit'], designer: ['project: Design'] };

  it('parks all that waits, says so once, spends nothing, and lets one try before the others', async () => {
    const office = await openOffice({ roles });
    const tasks = [1, 2, 3, 4].map((n) => office.add(`Task ${n}`, { project: n % 2 ? 'Edit' : 'Design' }));
    const resetAt = office.clock.now() + 5 * hourMs;
    let limited = true;
    const probing = gate();
    const agent = portAgent(async () => {
      const message = 'You have reached your limit.';
      if (limited) return fails({ kind: 'usage_limit', code: 'usage_limit', message, resetAt });
      await probing.passed;
      return finished();
    });
    office.start({ agent, maxAttempts: 1 });
    await office.until('a comment about it', () => pausedComments(office).length > 0);
    await office.polls(4);
    expect(pausedComments(office)).toHaveLength(1);
    expect(pausedComments(office)[0]).toContain('all others that wait');
    expect(pausedComments(office)[0]).toMatch(/go on in (5 h|4 h 59 min) \(/);
    const tried = agent.requests.length;
    expect(tried).toBeLessThanOrEqual(2);
    for (const task of tasks) {
      await office.until('it to wait', async () => (await office.state(task)) === 'queued');
      expect((await office.task(task))?.failures).toBe(0);
    }
    const why = await office.agentq(['why', tasks[3] ?? '']);
    expect(why.stdout).toMatch(/is paused, next try .*reached your limit/);

    limited = false;
    await office.advance(5 * hourMs + 1000);
    await office.until('one to try', () => agent.requests.length === tried + 1);
    await office.polls(3);
    expect(agent.requests).toHaveLength(tried + 1);
    probing.open();
    for (const task of tasks) await office.untilLabel(task, 'agent-done');
    expect(pausedComments(office)).toHaveLength(1);
    expect(agent.requests).toHaveLength(tried + 4);
  });

  it('says nothing new when the first try after it fails too', async () => {
    const office = await openOffice({ roles: talker });
    const task = office.add('A post');
    const message = 'You have reached your limit.';
    const agent = portAgent(() =>
      agent.requests.length < 4 ? fails({ kind: 'usage_limit', code: 'usage_limit', message }) : finished(),
    );
    office.start({ agent, maxAttempts: 1 });
    for (const tries of [1, 2, 3]) {
      await office.until(`try ${tries}`, () => agent.requests.length === tries);
      await office.polls();
      await office.advance(hourMs);
    }
    await office.untilLabel(task, 'agent-done');
    expect(pausedComments(office)).toHaveLength(1);
  });
});

describe('an agent that cannot start', () => {
  it('stops its role with one comment, and goes on by itself when it can', async () => {
    const office = await openOffice({ roles: { editor: ['project: Edit'], designer: ['project: Design'] } });
    const broken = [office.add('A', { project: 'Edit' }), office.add('B', { project: 'Edit' })];
    const fine = office.add('C', { project: 'Design' });
    let mended = false;
    const message = 'Not logged in. Run: claude login.';
    const agent = portAgent(({ request }) =>
      request.role.name === 'editor' && !mended
        ? fails({ kind: 'setup', code: 'no_login', message })
        : finished(),
    );
    office.start({ agent, maxAttempts: 1, lanes: { fast: 1, normal: 1, heavy: 1 } });
    await office.untilLabel(fine, 'agent-done');
    await office.until('a comment about it', () => pausedComments(office).length > 0);
    await office.polls(3);
    expect(pausedComments(office)).toHaveLength(1);
    expect(pausedComments(office)[0]).toContain(message);
    expect(agent.requests.filter(({ role }) => role.name === 'editor')).toHaveLength(1);

    mended = true;
    await office.advance(2 * hourMs);
    for (const task of broken) await office.untilLabel(task, 'agent-done');
    expect(pausedComments(office)).toHaveLength(1);
  });

  it('is let go on at once by a changed role file, or by a check that passes again', async () => {
    const office = await openOffice({ roles: talker });
    const task = office.add('A post');
    let healthy = true;
    const agent = portAgent(
      () =>
        agent.requests.length < 3 ? fails({ kind: 'setup', code: 'x', message: 'Broken.' }) : finished(),
      async () => ({ ok: healthy, detail: '', hints: [] }),
    );
    office.start({ agent, patience: 1 });
    await office.until('a first try', () => agent.requests.length === 1);
    await office.polls();
    office.role('linkedin-writer', ['project: LinkedIn Writer', 'attempts: 4']);
    await office.until('a second try', () => agent.requests.length === 2);
    healthy = false;
    await office.advance(31_000);
    await office.polls();
    expect(agent.requests).toHaveLength(2);
    healthy = true;
    await office.advance(31_000);
    await office.untilLabel(task, 'agent-done');
  });
});

describe('money', () => {
  it('of the day that is spent stops its role, with one comment, until tomorrow', async () => {
    const daily = ['project: LinkedIn Writer', 'daily_budget: 1.00'];
    const office = await openOffice({ roles: { 'linkedin-writer': daily, editor: ['project: Edit'] } });
    const agent = portAgent(({ request }) => {
      return finished('Done.', { costUsd: Math.min(0.6, request.budgetUsd ?? 0.6) });
    });
    const tasks = ['A', 'B', 'C', 'D'].map((title) => office.add(title));
    office.start({ agent, lanes: { fast: 1, normal: 1, heavy: 1 } });
    await office.until('a comment about it', () => pausedComments(office).length > 0);
    const other = office.add('E', { project: 'Edit' });
    await office.untilLabel(other, 'agent-done');
    await office.polls(3);
    const ofRole = agent.requests.filter(({ role }) => role.name === 'linkedin-writer');
    expect(ofRole.map(({ budgetUsd }) => budgetUsd)).toEqual([1, 0.4]);
    expect(pausedComments(office)).toHaveLength(1);
    expect(pausedComments(office)[0]).toContain("Today's budget of linkedin-writer is spent.");
    const stats = JSON.parse((await office.agentq(['stats', '--json'])).stdout) as Record<string, unknown>;
    expect(stats).toMatchObject({
      cost_usd: { by_role: { 'linkedin-writer': 1 } },
      pauses: [{ scope: 'budget:linkedin-writer', kind: 'budget' }],
    });
    expect((await office.agentq(['stats'])).stdout).toMatch(/paused +budget:linkedin-writer/);

    await office.advance(24 * hourMs);
    await office.untilLabel(tasks[2] ?? '', 'agent-done');
  });

  it('that is only set aside for what runs is not called spent', async () => {
    const office = await openOffice({
      roles: { 'linkedin-writer': ['project: LinkedIn Writer', 'daily_budget: 1.00'] },
    });
    const tasks = [office.add('A'), office.add('B')];
    const running = gate();
    const agent = portAgent(async () => {
      await running.passed;
      return finished('Done.', { costUsd: 0.1 });
    });
    office.start({ agent });
    await office.until('the first to run', () => agent.requests.length === 1);
    await office.polls(3);
    expect(agent.requests).toHaveLength(1);
    running.open();
    for (const task of tasks) await office.untilLabel(task, 'agent-done');
    expect(agent.requests.map(({ budgetUsd }) => budgetUsd)).toEqual([1, 0.9]);
    expect(pausedComments(office)).toEqual([]);
  });

  it('of the worker for a day counts for all roles', async () => {
    const office = await openOffice({ roles: { editor: ['project: Edit'], designer: ['project: Design'] } });
    const first = office.add('A', { project: 'Edit' });
    const agent = portAgent(() => finished('Done.', { costUsd: 0.5 }));
    office.start({ agent, dailyBudgetUsd: 0.5 });
    await office.untilLabel(first, 'agent-done');
    office.add('B', { project: 'Design' });
    await office.until('a comment about it', () => pausedComments(office).length > 0);
    await office.polls(2);
    expect(agent.requests).toHaveLength(1);
  });

  it('of the task that is used up is a question, and an answer gives it as much again', async () => {
    const office = await openOffice({
      roles: { 'linkedin-writer': ['project: LinkedIn Writer', 'budget: 2.00'] },
    });
    const task = office.add('A post');
    const agent = portAgent(() => {
      if (agent.requests.length > 1) return finished('Done.', { costUsd: 0.5 });
      const message = 'The cost cap of $2.00 is reached.';
      return fails({ kind: 'budget', code: 'max_budget', message }, { costUsd: 2.01 });
    });
    office.start({ agent });
    await office.untilLabel(task, 'agent-review');
    expect(office.last(task)).toContain('The cost cap of $2.00 is reached.');
    expect(office.last(task)).toContain('$2.01');
    office.comment(task, 'yes, finish it');
    await office.untilLabel(task, 'agent-done');
    expect(agent.requests.map(({ budgetUsd }) => budgetUsd)).toEqual([2, 2]);
    expect(office.last(task)).toContain('$2.51');
  });

  it('spent by a first attempt is not there for the second one', async () => {
    const office = await openOffice({
      roles: { 'linkedin-writer': ['project: LinkedIn Writer', 'budget: 2.00'] },
    });
    const task = office.add('A post');
    const message = 'Overloaded.';
    const agent = portAgent(() => fails({ kind: 'transient', code: 'api_529', message }, { costUsd: 1.5 }));
    office.start({ agent });
    await office.untilLabel(task, 'agent-review');
    expect(agent.requests.map(({ budgetUsd }) => budgetUsd)).toEqual([2, 0.5]);
    expect(agent.requests[1]?.sessionCostUsd).toBe(1.5);
    expect(office.last(task)).toContain("The task's budget is used up ($3.00 spent).");
  });
});
