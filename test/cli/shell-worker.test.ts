/** Workers in a shell: what they claim is theirs until its lease ends, and what they deliver counts once. */
import { linkSync, mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { talker, openOffice, type Office } from '../worker/harness.ts';

const roles = { coder: ['lane: normal'], reviewer: ['lane: fast'] };

async function shellOffice(): Promise<Office> {
  const office = await openOffice({ roles });
  write(office, 'result.md', '# Result\nAll is well.\n');
  return office;
}

function write(office: Office, name: string, text: string): void {
  writeFileSync(join(office.root, name), text);
}

async function submit(office: Office, ...more: string[]): Promise<string> {
  const { stdout, stderr } = await office.agentq(['submit', 'A change', '--to', 'coder', '-q', ...more]);
  expect(stderr).toBe('');
  return stdout;
}

interface Claimed {
  id: string;
  attempt_id: string;
  lease_until: string;
  instructions: string;
  context: string;
  expected_output: unknown;
}

async function claim(office: Office, ...more: string[]): Promise<Claimed> {
  const { exitCode, stdout, stderr } = await office.agentq(['claim', '--as', 'coder', '--json', ...more]);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  return JSON.parse(stdout) as Claimed;
}

const delivery = ['--from', 'coder', '--result-file', 'result.md', '--summary', 'Done.'];

async function stateOf(office: Office, id: string): Promise<string | undefined> {
  const store = await office.store();
  return (await store.read(({ tasks }) => tasks.get(id)))?.state;
}

describe('agentq claim', () => {
  it('hands over the next task with all that is needed to do it', async () => {
    const office = await shellOffice();
    write(office, 'context.md', 'Some context.\n');
    const later = await submit(office, '--priority', 'low');
    const first = await submit(
      office,
      '--instructions',
      'Mend it.',
      '--file',
      'context.md',
      '--expect',
      'risks',
    );
    const claimed = await claim(office);
    expect(claimed).toMatchObject({
      id: first,
      state: 'running',
      instructions: 'Mend it.',
      context: 'Some context.\n',
      expected_output: { format: 'markdown', artifacts: ['risks'] },
    });
    expect(Date.parse(claimed.lease_until)).toBeGreaterThan(Date.now());
    const { stdout } = await office.agentq(['claim', '--as', 'coder']);
    expect(stdout).toContain(`${later}  claimed for coder, until `);
    expect(stdout).toContain(`→ agentq complete ${later} --from coder --attempt `);
    expect(await office.agentq(['claim', '--as', 'coder'])).toEqual({
      exitCode: 10,
      stdout: '',
      stderr: 'nothing to do for coder',
    });
    expect((await office.agentq(['claim', '--as', 'plumber'])).stderr).toContain('NO_ROLE');
    expect((await office.agentq(['claim'])).exitCode).toBe(2);
  });

  it('waits for one to come, and gives each to one only', async () => {
    const office = await shellOffice();
    const waiting = [1, 2].map(() =>
      office.program('agentq', ['claim', '--as', 'coder', '--wait', '10m', '-q']),
    );
    const ids = [await submit(office), await submit(office)];
    const claimed = await Promise.all(waiting.map(async ({ ended }) => (await ended).stdout));
    expect(claimed.sort()).toEqual(ids.sort());
  });

  it('takes nothing from whom its role does not accept, nor what nobody has approved, and says why', async () => {
    const office = await shellOffice();
    const strange = await submit(office, '--from', 'stranger');
    office.role('coder', ['accepts_from: [boss]']);
    const fine = await submit(office, '--from', 'boss');
    expect((await claim(office)).id).toBe(fine);
    const nothing = await office.agentq(['claim', '--as', 'coder']);
    expect(nothing.exitCode).toBe(10);
    expect(nothing.stderr).toContain(`${strange}: coder takes no tasks from stranger`);
    expect((await office.agentq(['complete', strange, ...delivery])).stderr).toMatch(/^Error: CONFLICT\n/);

    office.role('coder', ['irreversible: true']);
    const deed = await submit(office);
    const { left } = JSON.parse((await office.agentq(['claim', '--as', 'coder', '--json'])).stdout) as {
      left: { id: string; why: string }[];
    };
    expect(left.map(({ id }) => id)).toEqual([strange, deed]);
    const store = await office.store();
    await store.transaction(async ({ tasks, grants }) => {
      const task = await tasks.get(deed);
      const decided = { decision: 'approve', decidedBy: 'a person', at: Date.now() } as const;
      await grants.decide({ taskId: deed, rule: 'start', contentHash: task?.contentHash ?? '', ...decided });
    });
    expect((await claim(office)).id).toBe(deed);
  });

  it('leaves what stands on a desk in a to-do list to agent-workers', async () => {
    const office = await openOffice({ roles: talker });
    const task = office.add('A post');
    expect((await office.workerProgram(['--queue', 'todoist', '--max-attempts', '1']).ended).exitCode).toBe(
      0,
    );
    const claimed = await office.agentq(['claim', '--as', 'linkedin-writer']);
    expect(claimed.exitCode).toBe(10);
    write(office, 'result.md', 'A post.\n');
    const asWriter = ['--from', 'linkedin-writer', ...delivery.slice(2)];
    const completed = await office.agentq(['complete', `todoist:${task}`, ...asWriter]);
    expect(completed).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('CONFLICT') as unknown });
  });
});

describe('a claim', () => {
  it('ends with its lease: the next one gets the task, and the first one may not deliver any more', async () => {
    const office = await shellOffice();
    const id = await submit(office);
    const first = await claim(office, '--lease', '1s');
    const second = await claim(office, '--wait', '10m');
    expect(second.id).toBe(id);
    expect(second.attempt_id).not.toBe(first.attempt_id);
    for (const args of [
      ['heartbeat', id],
      ['complete', id, ...delivery],
      ['fail', id, '--from', 'coder', '--reason', 'no'],
    ]) {
      const stale = await office.agentq([...args, '--attempt', first.attempt_id]);
      expect(stale).toMatchObject({ exitCode: 14, stdout: '' });
      expect(stale.stderr).toMatch(/^Error: CLAIM_LOST\nanother attempt works on /);
    }
    expect(await stateOf(office, id)).toBe('running');
    const done = await office.agentq(['complete', id, ...delivery, '--attempt', second.attempt_id]);
    expect(done.exitCode).toBe(0);
    const store = await office.store();
    const attempts = await store.read((tables) => tables.attempts.list(id));
    expect(attempts.map(({ agent, result }) => [agent, result])).toEqual([
      ['shell', 'parked'],
      ['shell', 'done'],
    ]);
    expect(await store.read(({ workers }) => workers.list())).toEqual([]);
  });

  it('lasts as long as there are heartbeats, each as long as it says', async () => {
    const office = await shellOffice();
    const {
      id,
      attempt_id: attempt,
      lease_until: before,
    } = await claim(office, '--lease', (await submit(office)) && '5m');
    const { stdout } = await office.agentq([
      'heartbeat',
      id,
      '--attempt',
      attempt,
      '--lease',
      '2h',
      '--json',
    ]);
    const after = (JSON.parse(stdout) as Claimed).lease_until;
    expect(Date.parse(after) - Date.parse(before)).toBeGreaterThan(3_600_000);
    const store = await office.store();
    const [worker] = await store.read(({ workers }) => workers.list());
    expect(worker).toMatchObject({ leaseMs: 7_200_000, serves: ['coder'] });
    const shown = (await office.agentq(['workers'])).stdout;
    expect(shown).toMatch(/^shell .* alive, seen \d+ s ago {2}serves coder\n {4}task-/);
    const { workers } = JSON.parse((await office.agentq(['workers', '--json'])).stdout) as {
      workers: unknown[];
    };
    expect(workers).toMatchObject([{ kind: 'shell', alive: true, running: [id] }]);
  });

  it('never outlives the deadline of its task', async () => {
    const office = await shellOffice();
    await submit(office, '--ttl', '10m');
    const { id, lease_until: until, ...rest } = await claim(office, '--lease', '24h');
    expect(until).toBe((rest as { deadline_at?: string }).deadline_at);
    const beat = JSON.parse(
      (await office.agentq(['heartbeat', id, '--lease', '24h', '--json'])).stdout,
    ) as Claimed;
    expect(beat.lease_until).toBe(until);
  });

  it('is over when a person cancels the task, and says so', async () => {
    const office = await shellOffice();
    const id = await submit(office);
    const { attempt_id: attempt } = await claim(office);
    await office.agentq(['cancel', id, '--reason', 'not needed']);
    const complete = await office.agentq(['complete', id, ...delivery]);
    expect(complete).toMatchObject({ exitCode: 14, stdout: '' });
    const beat = await office.agentq(['heartbeat', id, '--attempt', attempt, '--json']);
    expect(beat.exitCode).toBe(14);
    expect(JSON.parse(beat.stderr)).toMatchObject({
      error: { code: 'CLAIM_LOST', message: `${id} was cancelled: not needed` },
    });
    // It can be done again at once: nothing of the first attempt is left.
    await office.agentq(['redrive', id]);
    expect((await claim(office)).id).toBe(id);
  });
});

describe('agentq complete', () => {
  it('said again is the same with the same file, and refused with another', async () => {
    const office = await shellOffice();
    const id = await submit(office);
    const first = await office.agentq(['complete', id, ...delivery]);
    expect(await office.agentq(['complete', id, ...delivery])).toEqual(first);
    write(office, 'result.md', '# Another result\n');
    const other = await office.agentq(['complete', id, ...delivery]);
    expect(other).toMatchObject({ exitCode: 1, stdout: '' });
    expect(other.stderr).toContain('is completed already, with another result');
    // What was delivered first stands.
    expect((await office.agentq(['result', id])).stdout).toBe('# Result\nAll is well.');
  });

  it('delivers once, whoever else does so at the same moment', async () => {
    const office = await shellOffice();
    const id = await submit(office);
    for (const name of ['a.md', 'b.md', 'c.md']) write(office, name, `# From ${name}\n`);
    const ended = await Promise.all(
      ['a.md', 'b.md', 'c.md'].map((name) =>
        office.agentq(['complete', id, '--from', 'coder', '--result-file', name, '--summary', name]),
      ),
    );
    expect(ended.filter(({ exitCode }) => exitCode === 0)).toHaveLength(1);
    const winner = ['a.md', 'b.md', 'c.md'][ended.findIndex(({ exitCode }) => exitCode === 0)];
    expect((await office.agentq(['status', id])).stdout).toContain('completed  verified');
    expect((await office.agentq(['result', id])).stdout).toBe(`# From ${winner}`);
  });

  it('waits for nobody who died while delivering, and disturbs nobody who does so now', async () => {
    const office = await shellOffice();
    const id = await submit(office);
    await claim(office);
    const store = await office.store();
    const publishing = (until: number): Promise<void> =>
      store.transaction(async ({ tasks }) => {
        const { meta } = (await tasks.get(id)) ?? {};
        await tasks.patch(id, { meta: { ...meta, publishing: { by: 'another', until } } }, Date.now());
      });
    await publishing(Date.now() + 60_000);
    const early = await office.agentq(['complete', id, ...delivery]);
    expect(early).toMatchObject({ exitCode: 1, stdout: '' });
    expect(early.stderr).toContain('another command is completing');
    await publishing(Date.now() - 1);
    expect(await office.agentq(['complete', id, ...delivery])).toMatchObject({ exitCode: 0, stderr: '' });
  });

  it('leaves the task as it was when the result is not what was asked for', async () => {
    const office = await shellOffice();
    const id = await submit(office, '--expect', 'risks');
    const early = await office.agentq(['complete', id, ...delivery]);
    expect(early).toMatchObject({ exitCode: 13, stdout: '' });
    expect(early.stderr).toContain('"risks"');
    expect(await stateOf(office, id)).toBe('queued');
    const { attempt_id: attempt } = await claim(office);
    expect((await office.agentq(['complete', id, ...delivery])).exitCode).toBe(13);
    write(office, 'risks.md', 'None.\n');
    const ours = ['--attempt', attempt, '--artifact', 'risks.md'];
    const done = await office.agentq(['complete', id, ...delivery, ...ours]);
    expect(done).toMatchObject({ exitCode: 0, stderr: '' });
  });

  it.each([
    ['a link', (path: string) => symlinkSync('/etc/hostname', path)],
    ['a folder', (path: string) => mkdirSync(path)],
    [
      'too large',
      (path: string) => {
        writeFileSync(path, '');
        truncateSync(path, 10_000_001);
      },
    ],
    ['not there', () => undefined],
  ])('refuses a result file that is %s', async (_, make) => {
    const office = await shellOffice();
    const id = await submit(office);
    make(join(office.root, 'strange.md'));
    const args = ['--from', 'coder', '--result-file', 'strange.md', '--summary', 'Done.'];
    const refused = await office.agentq(['complete', id, ...args]);
    expect(refused).toMatchObject({ exitCode: 1, stdout: '' });
    expect(refused.stderr).toMatch(/^Error: BAD_INPUT\n/);
    expect(await stateOf(office, id)).toBe('queued');
  });

  it("is refused in another role's name, and while an agent-worker has the task", async () => {
    const office = await shellOffice();
    const id = (await office.agentq(['submit', 'A change [wait ever]', '--to', 'coder', '-q'])).stdout;
    const other = [...delivery];
    other[1] = 'reviewer';
    expect((await office.agentq(['complete', id, ...other])).stderr).toContain('is a task for coder');
    const worker = office.workerProgram(['--watch', '--queue', 'local']);
    await office.until('the agent to run', () => office.noted().length === 1);
    for (const args of [
      ['complete', id, ...delivery],
      ['fail', id, '--from', 'coder', '--reason', 'no'],
      ['heartbeat', id],
    ]) {
      const refused = await office.agentq(args);
      expect(refused).toMatchObject({ exitCode: 1, stdout: '' });
      expect(refused.stderr).toMatch(/^Error: CONFLICT\nan agent-worker works on /);
    }
    await office.agentq(['cancel', id]);
    worker.kill('SIGTERM');
    expect((await worker.ended).exitCode).toBe(0);
  });

  it('delivers files of any name below the artifacts of the task', async () => {
    const office = await shellOffice();
    mkdirSync(join(office.root, 'out'));
    write(office, 'out/log file.txt', 'ok\n');
    linkSync(join(office.root, 'out', 'log file.txt'), join(office.root, 'again.txt'));
    const id = await submit(office);
    const files = ['--artifact', 'out/log file.txt', 'again.txt'];
    expect((await office.agentq(['complete', id, ...delivery, ...files])).exitCode).toBe(0);
    const { stdout } = await office.agentq(['artifacts', id, '--json']);
    expect(JSON.parse(stdout)).toMatchObject({
      files: [
        { name: 'out/log file.txt', size: 3 },
        { name: 'again.txt', ref: `artifacts/${id}/again.txt`, size: 3 },
      ],
    });
  });
});

describe('agentq fail', () => {
  it('ends a claimed task as a dead letter, which can be run again', async () => {
    const office = await shellOffice();
    const id = await submit(office);
    const { attempt_id: attempt } = await claim(office);
    const args = ['fail', id, '--from', 'coder', '--attempt', attempt, '--reason', 'Could not reproduce it'];
    const first = await office.agentq(args);
    expect(first).toEqual({ exitCode: 0, stdout: `${id}  failed`, stderr: '' });
    expect(await office.agentq(args)).toEqual(first);
    const { stdout } = await office.agentq(['show', id]);
    for (const part of ['failed (agent: gave_up)', '❌ This did not work. Could not reproduce it'])
      expect(stdout).toContain(part);
    expect((await office.agentq(['dlq', '-q'])).stdout).toBe(id);
    await office.agentq(['dlq', 'redrive', id]);
    expect((await claim(office)).id).toBe(id);
    expect((await office.agentq(['fail', id, '--from', 'coder', '--reason', ' '])).exitCode).toBe(2);
  });
});
