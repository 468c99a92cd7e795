/** Pauses end by themselves: a changed role file, or a check that fails no longer, lets the next task through. */
import type { Worker } from './worker.ts';

const checkEveryMs = 30_000;

export interface PauseWatch {
  turn(): Promise<void>;
}

export function watchPauses(worker: Worker): PauseWatch {
  let nextCheckAt = 0;
  let healthy: boolean | undefined;
  let hashes = new Map(worker.roles().map((role) => [role.name, role.hash]));

  async function release(scope: string): Promise<void> {
    const pause = await worker.store.read(async ({ pauses }) =>
      (await pauses.list()).find((each) => each.scope === scope),
    );
    if (!pause) return;
    await worker.store.transaction(({ pauses }) => pauses.release(scope, worker.now()));
  }

  async function rolesChanged(): Promise<void> {
    const now = new Map(worker.roles().map((role) => [role.name, role.hash]));
    for (const [name, hash] of now) if (hashes.get(name) !== hash) await release(`role:${name}`);
    hashes = now;
  }

  return {
    async turn() {
      await rolesChanged();
      if (worker.now() < nextCheckAt) return;
      nextCheckAt = worker.now() + checkEveryMs * worker.options.patience;
      const broken = await worker.store.read(async ({ pauses }) =>
        (await pauses.list()).filter((pause) => pause.kind === 'setup'),
      );
      if (broken.length === 0) return;
      const { ok } = await worker.agent.check();
      // Only the change counts: a check that passes all along (a key that looks right) has nothing new to say.
      if (ok && healthy === false) for (const pause of broken) await release(pause.scope);
      healthy = ok;
    },
  };
}
