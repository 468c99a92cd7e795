/** What each part of the contract is handed: a fresh store, further connections to it, and two shortcuts. */
import type { State } from '../../../tools/store/states.ts';
import type { Store } from '../../../tools/store/store.ts';
import type { Task, TaskPatch } from '../../../tools/store/tasks.ts';

export interface StoreDesk {
  readonly store: Store;
  /** Another connection to the same store, as another process has. */
  connect(): Promise<Store>;
  insert(patch?: Partial<Task>): Promise<Task>;
  get(id: string): Promise<Task | undefined>;
  move(task: Task, to: State, patch?: TaskPatch): Promise<void>;
}
