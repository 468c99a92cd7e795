/**
 * A store as a worker of another machine sees it: whose processes it can look at is told by the boot id that workers
 * register with, so each machine gets one of its own. Workers on the same one see each other's deaths at once; of
 * the others only the silence is known.
 */
import type { Store, Tables } from '../../../tools/store/store.ts';

export function onMachine(store: Store, machine: string): Store {
  const prefix = `${machine} `;
  const seen = ({ workers, ...tables }: Tables): Tables => ({
    ...tables,
    workers: {
      ...workers,
      register: (row) => workers.register({ ...row, bootId: prefix + row.bootId }),
      list: async () =>
        (await workers.list()).map((row) => ({
          ...row,
          bootId: row.bootId.startsWith(prefix) ? row.bootId.slice(prefix.length) : row.bootId,
        })),
    },
  });
  return {
    ...store,
    transaction: (work, isolation) => store.transaction((tables) => work(seen(tables)), isolation),
    read: (work) => store.read((tables) => work(seen(tables))),
  };
}
