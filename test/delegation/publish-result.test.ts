/** Delivering where others may deliver as well: what lies below the artifact root is one whole result, and a known one. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { ArtifactStore } from '../../tools/artifacts/artifacts.ts';
import { openFolder } from '../../tools/artifacts/folder.ts';
import { verifyResult } from '../../tools/artifacts/verify.ts';
import { deliverResult, type Delivered } from '../../tools/delegation/publish-result.ts';
import { delegatedTask } from '../../tools/delegation/delegated.ts';
import { exampleRole, noon } from '../worker/examples.ts';
import { workerInMemory, type Bench } from '../worker/worker-in-memory.ts';

const taskId = 'task-1';
const role = exampleRole();

async function openArtifacts(): Promise<ArtifactStore> {
  const folder = mkdtempSync(join(tmpdir(), 'agent-deliver-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return openFolder(folder);
}

/** A machine with a store of its own, on which this attempt of the task runs. */
async function machine(artifacts: ArtifactStore, attemptId = 'a1'): Promise<Bench> {
  const bench = await workerInMemory([role]);
  bench.worker.artifacts = async () => artifacts;
  const envelope = {
    schema: 'agentq/task/1',
    task_id: taskId,
    from: 'coordinator',
    to: role.name,
    type: 'task',
    priority: 'normal',
    instructions: 'Write.',
    created_at: new Date(noon).toISOString(),
  } as const;
  const given = { envelope, context: undefined, queue: 'rabbitmq', availableAt: 0, submittedBy: 'me' };
  const task = { ...delegatedTask({ ...given, role }, noon), state: 'running' as const, attemptId };
  await bench.store.transaction(({ tasks }) => tasks.insert(task, noon));
  return bench;
}

async function deliver(bench: Bench, summary: string): Promise<Delivered> {
  const task = await bench.get(taskId);
  const claim = {
    task: { ...task, attemptId: 'a1' },
    role,
    attemptId: 'a1',
    attemptNumber: 1,
    resume: false,
    budgetUsd: undefined,
    grants: [],
    startedAt: noon,
  };
  const result = {
    outcome: { status: 'done' as const, summary, artifacts: [] },
    costUsd: undefined,
    turns: undefined,
    denials: [],
    sessionUsable: false,
    exit: { code: 0, signal: null },
  };
  return deliverResult(
    { worker: bench.worker, claim, result, ready: undefined },
    { artifacts: [], problems: [] },
  );
}

async function text(artifacts: ArtifactStore): Promise<string> {
  return String(await artifacts.read(`results/${taskId}.md`, 10_000));
}

describe('a result', () => {
  afterEach(() => vi.restoreAllMocks());

  it('of the machine that was faster stands: its asker knows it', async () => {
    const artifacts = await openArtifacts();
    const first = await deliver(await machine(artifacts), 'The first.');
    const second = await deliver(await machine(artifacts), 'The second.');
    expect(second.result?.manifestSha256).toBe(first.result?.manifestSha256);
    expect(await text(artifacts)).toContain('The first.');
  });

  it('that is not whole is written anew', async () => {
    const artifacts = await openArtifacts();
    await deliver(await machine(artifacts), 'The first.');
    await artifacts.write(`results/${taskId}.md`, 'Half of');
    const { result } = await deliver(await machine(artifacts), 'The second.');
    expect(await text(artifacts)).toContain('The second.');
    expect(await verifyResult(artifacts, { taskId, ...result })).toMatchObject({ ok: true });
  });

  it('of an attempt that has lost its task is not written', async () => {
    const artifacts = await openArtifacts();
    expect(await deliver(await machine(artifacts, 'a2'), 'Too late.')).toMatchObject({ result: undefined });
    expect(await artifacts.list('results')).toEqual([]);
  });

  it('of an attempt that loses its task between two files goes no further', async () => {
    const artifacts = await openArtifacts();
    const bench = await machine(artifacts);
    const now = performance.now();
    // As if the machine had slept while the first file was written.
    const write = artifacts.write.bind(artifacts);
    artifacts.write = async (ref, bytes, before) => {
      const stored = await write(ref, bytes, before);
      await bench.store.transaction(({ tasks }) => tasks.patch(taskId, { attemptId: 'a2' }, noon));
      vi.spyOn(performance, 'now').mockReturnValue(now + 60_000);
      return stored;
    };
    expect(await deliver(bench, 'Too late.')).toMatchObject({ result: undefined });
    expect(await artifacts.list('artifacts')).toEqual([]);
  });
});
