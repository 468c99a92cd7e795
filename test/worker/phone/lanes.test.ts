/** Lanes: each has its own slots, and nothing starves. Agents here end only when the test lets them. */
import { describe, expect, it } from 'vitest';
import { finished, gate, type Office, openOffice, portAgent, type PortAgent } from '../harness.ts';

const dayMs = 24 * 3_600_000;

interface Held {
  agent: PortAgent;
  /** Ids of the tasks that run. */
  running: () => string[];
  letGo: (task: string) => void;
}

/** Every run waits for its task to be let go. */
function held(): Held {
  const gates = new Map<string, ReturnType<typeof gate>>();
  const of = (taskId: string): ReturnType<typeof gate> => {
    const known = gates.get(taskId) ?? gate();
    gates.set(taskId, known);
    return known;
  };
  const agent = portAgent(async ({ request }) => {
    await of(request.taskId).passed;
    return finished();
  });
  return {
    agent,
    running: () => [...agent.running].map((id) => id.replace('todoist:', '')),
    letGo: (task) => of(`todoist:${task}`).open(),
  };
}

async function queued(office: Office, ...tasks: string[]): Promise<void> {
  for (const task of tasks)
    await office.until('it to be known', async () => (await office.state(task)) !== undefined);
  await office.polls(2);
}

describe('lanes', () => {
  const roles = {
    analyst: ['project: Analysis', 'lane: heavy'],
    clerk: ['project: Notes', 'lane: fast'],
    writer: ['project: Posts', 'lane: normal'],
  };

  it('keep heavy work from delaying fast work', async () => {
    const office = await openOffice({ roles });
    const { agent, running, letGo } = held();
    const heavy = Array.from({ length: 10 }, (_, index) =>
      office.add(`Analysis ${index}`, { project: 'Analysis', priority: 4 }),
    );
    office.start({ agent });
    await queued(office, ...heavy);
    expect(running()).toHaveLength(1);
    const fast = office.add('A note', { project: 'Notes' });
    letGo(fast);
    await office.untilLabel(fast, 'agent-done');
    expect(running()).toHaveLength(1);
  });

  it('have as many slots as they are given, and no more', async () => {
    const office = await openOffice({ roles });
    const { agent, running, letGo } = held();
    const tasks = ['Analysis', 'Notes', 'Posts'].flatMap((project) =>
      [1, 2, 3, 4].map((index) => office.add(`${project} ${index}`, { project })),
    );
    office.start({ agent, lanes: { fast: 3, normal: 2, heavy: 1 } });
    await queued(office, ...tasks);
    const titles = (): string[] => running().map((id) => office.todoist.task(id).content.slice(0, -2));
    expect(titles().sort((a, b) => a.localeCompare(b))).toEqual([
      'Analysis',
      'Notes',
      'Notes',
      'Notes',
      'Posts',
      'Posts',
    ]);
    for (const task of tasks) letGo(task);
    for (const task of tasks) await office.untilLabel(task, 'agent-done');
    expect(agent.requests).toHaveLength(tasks.length);
  });

  it('let what has waited for days go before what is urgent but new', async () => {
    const office = await openOffice({ roles });
    const { agent, running, letGo } = held();
    const [first, old] = [office.add('first', { project: 'Posts' }), office.add('old', { project: 'Posts' })];
    office.start({ agent, lanes: { fast: 1, normal: 1, heavy: 1 } });
    await queued(office, first, old);
    expect(running()).toEqual([first]);
    office.clock.advance(2 * dayMs);
    const urgent = office.add('urgent', { project: 'Posts', priority: 4 });
    await queued(office, urgent);
    office.clock.advance(2 * dayMs);
    const late = office.add('urgent, too late', { project: 'Posts', priority: 4 });
    await queued(office, late);
    const order: string[] = [];
    for (let next = first; ; next = order.at(-1) ?? '') {
      letGo(next);
      await office.untilLabel(next, 'agent-done');
      if (order.length === 3) break;
      await office.until('the next one to start', () => running().length === 1 && running()[0] !== next);
      order.push(running()[0] ?? '');
    }
    expect(order.map((id) => office.todoist.task(id).content)).toEqual(['urgent', 'old', 'urgent, too late']);
  });
});

describe('two roles with one output folder', () => {
  it.each([
    ['never write it at the same moment', [], 1],
    ['write it together when both say that they may', ['shares_output: true'], 2],
  ])('%s', async (_what, more, together) => {
    const lines = ['output: workspace/site', ...more];
    const office = await openOffice({
      roles: { editor: ['project: Edit', ...lines], designer: ['project: Design', ...lines] },
    });
    const { agent, running, letGo } = held();
    const edit = office.add('Text', { project: 'Edit' });
    const design = office.add('Layout', { project: 'Design' });
    office.start({ agent, lanes: { fast: 2, normal: 4, heavy: 1 } });
    await queued(office, edit, design);
    expect(running()).toHaveLength(together);
    for (const task of running()) letGo(task);
    await office.until('both to have started', () => agent.requests.length === 2);
  });

  it('never do so where one folder lies in the other, nor when two workers serve them', async () => {
    const office = await openOffice({
      roles: {
        editor: ['project: Edit', 'output: workspace/site'],
        designer: ['project: Design', 'output: workspace/site/images'],
      },
    });
    const edit = office.add('Text', { project: 'Edit' });
    const design = office.add('Layout', { project: 'Design' });
    const { agent, running, letGo } = held();
    office.start({ agent, serves: ['editor'] });
    await queued(office, edit);
    office.start({ agent, serves: ['designer'] });
    await queued(office, design);
    expect(running()).toEqual([edit]);
    letGo(edit);
    await office.until('the other to start', () => running().includes(design));
  });

  it('do so where each task has a folder of its own', async () => {
    const lines = ['output: workspace/site', 'isolation: folder'];
    const office = await openOffice({
      roles: { editor: ['project: Edit', ...lines], designer: ['project: Design', ...lines] },
    });
    const { agent, running } = held();
    const tasks = [office.add('Text', { project: 'Edit' }), office.add('Layout', { project: 'Design' })];
    office.start({ agent });
    await queued(office, ...tasks);
    expect(running()).toHaveLength(2);
    expect(new Set(agent.requests.map(({ outputDir }) => outputDir)).size).toBe(2);
  });
});
