/** Which messages are held for which tasks, and which of them were lost with their connection. Asks the broker nothing. */
import type { GetMessage } from 'amqplib';
import type { Priority } from '../priority.ts';
import type { Link } from './connection.ts';
import { acknowledge } from './messages.ts';

export interface Held {
  taskId: string;
  role: string;
  priority: Priority;
  link: Link;
  message: GetMessage;
  /** Epoch ms of this delivery. */
  since: number;
  /** It is a copy in our own holding queue, or has one there. */
  ours: boolean;
}

export interface HeldMessages {
  /** Instead of what was held for the same task: one message of it is enough. */
  hold: (held: Held) => void;
  /** Acknowledges what is held for a task, if anything. */
  release: (taskId: string) => void;
  isHeld: (held: Held) => boolean;
  all: () => Held[];
  /** Forgets what a lost connection held; what has a copy in our own queue is to be taken back from there. */
  lose: (link: Link) => void;
  /** The copy in our own queue is to be taken back from there. */
  markLost: (held: Held) => void;
  isLost: (taskId: string) => boolean;
  lostRoles: () => Set<string>;
}

export function heldMessages(): HeldMessages {
  const held = new Map<string, Held>();
  /** Task → role. */
  const lost = new Map<string, string>();
  const markLost = ({ taskId, role }: Held): void => void lost.set(taskId, role);
  return {
    hold: (entry) => {
      const before = held.get(entry.taskId);
      if (!entry.link.alive) {
        if (entry.ours && !before) markLost(entry);
        return;
      }
      held.set(entry.taskId, entry);
      lost.delete(entry.taskId);
      if (before && before.message !== entry.message) acknowledge(before.link.deliveries, before.message);
    },
    release: (taskId) => {
      const entry = held.get(taskId);
      held.delete(taskId);
      lost.delete(taskId);
      if (entry) acknowledge(entry.link.deliveries, entry.message);
    },
    isHeld: (entry) => held.get(entry.taskId) === entry,
    all: () => [...held.values()],
    lose: (link) => {
      for (const entry of held.values()) {
        if (entry.link !== link) continue;
        held.delete(entry.taskId);
        if (entry.ours) markLost(entry);
      }
    },
    markLost,
    isLost: (taskId) => lost.has(taskId),
    lostRoles: () => new Set(lost.values()),
  };
}
