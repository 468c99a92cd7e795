/**
 * The person in front of the phone: adds tasks, labels and comments, answers questions, closes and reopens. Keeps
 * account of what it did, because that, and not what the worker thinks, is what must be found in the end.
 */
import { allAgentLabels } from '../../tools/queues/queue.ts';
import type { TodoistServer } from '../fakes/todoist-server.ts';
import { isActive, type WireTask } from '../fakes/todoist-shapes.ts';
import { type Plan, pickPlan } from './plans.ts';

/** How many of each act for a hundred tasks; a task that is added is an act too. */
const acts = {
  addLabel: 30,
  removeLabel: 8,
  comment: 5,
  thank: 2,
  followUp: 4,
  takeOurLabelOff: 3,
  close: 4,
  reopen: 2,
  delete: 1,
} as const;
type Act = keyof typeof acts | 'addTask';

/** A human's label, as it should be; `call` is the number of requests Todoist had seen when it was set so. */
export interface LabelEdit {
  label: string;
  present: boolean;
  call: number;
}

/** What was done to one task. */
export interface Account {
  plan: Plan;
  labels: Map<string, LabelEdit>;
  comments: Set<string>;
  /** Acts that may each open another round. */
  triggers: number;
}

export class Human {
  readonly accounts = new Map<string, Account>();
  readonly done = new Map<string, number>();
  readonly #server: TodoistServer;
  readonly #projectIds: string[];
  readonly #random: () => number;
  readonly #todo: Act[];
  readonly #total: number;
  /** Of each task: how many of the worker's comments there were when its question was answered. */
  readonly #answered = new Map<string, number>();

  constructor(server: TodoistServer, options: { projectIds: string[]; tasks: number; random: () => number }) {
    this.#server = server;
    this.#projectIds = options.projectIds;
    this.#random = options.random;
    const first = Math.ceil(options.tasks * 0.3);
    for (let n = 0; n < first; n += 1) this.#addTask();
    const later: Act[] = Array.from({ length: options.tasks - first }, () => 'addTask' as const);
    for (const [act, share] of Object.entries(acts) as [keyof typeof acts, number][])
      later.push(...Array.from({ length: Math.ceil((options.tasks * share) / 100) }, () => act));
    this.#todo = this.#shuffled(later);
    this.#total = later.length;
  }

  /** Does what is to be done until this part (0…1) of the time has passed, and answers some of what is asked. */
  act(part: number): void {
    const left = Math.floor(this.#total * (1 - part));
    while (this.#todo.length > left) this.#do(this.#todo.pop() as Act);
    for (const task of this.#open()) if (this.#random() < 0.5) this.#answer(task);
  }

  #do(act: Act): void {
    if (act === 'addTask') this.#addTask();
    else if (!this.#deed(act)) return;
    this.done.set(act, (this.done.get(act) ?? 0) + 1);
  }

  /** False: there was nothing to do it to. */
  #deed(act: keyof typeof acts): boolean {
    const ended = (...labels: string[]) =>
      this.#open((task) => labels.some((one) => task.labels.includes(one)));
    switch (act) {
      case 'addLabel':
        return this.#to(this.#open(), (task) =>
          this.#label(task, `human-${this.#server.calls.length}`, true),
        );
      case 'removeLabel':
        return this.#to(
          this.#open((task) => task.labels.some((one) => one.startsWith('human-'))),
          (task) => {
            this.#label(task, task.labels.find((one) => one.startsWith('human-')) ?? '', false);
          },
        );
      case 'comment':
        return this.#to(
          this.#open((task) => ours(task).length === 0),
          (task) => this.#say(task, 'Mind the tone, please'),
        );
      case 'thank':
        return this.#to(ended('agent-done'), (task) => this.#say(task, 'Thank you!'));
      case 'followUp':
        return this.#to(
          ended('agent-done', 'agent-failed').filter(({ id }) => this.#of(id).triggers < 3),
          (task) => this.#say(task, 'Shorter, and mention the price'),
        );
      case 'takeOurLabelOff':
        return this.#to(ended('agent-done', 'agent-failed'), (task) => {
          this.#of(task.id).triggers += 1;
          for (const label of ours(task)) this.#server.removeLabel(task.id, label);
        });
      case 'close':
        return this.#to(this.#open(), (task) => this.#server.close(task.id));
      case 'reopen':
        return this.#to(
          this.#tasks().filter((task) => task.checked),
          (task) => {
            this.#of(task.id).triggers += 1;
            this.#server.reopen(task.id);
          },
        );
      case 'delete':
        return this.#to(this.#open(), (task) => this.#server.delete(task.id));
    }
  }

  #addTask(): void {
    const plan = pickPlan(this.#random);
    const number = this.accounts.size + 1;
    const projectId = this.#projectIds[number % this.#projectIds.length] as string;
    const content = `Task ${number} [plan: ${plan.words}]`;
    const priority = 1 + Math.floor(this.#random() * 4);
    const { id } = this.#server.addTask({ projectId, content, priority });
    this.accounts.set(id, { plan, labels: new Map(), comments: new Set(), triggers: 0 });
  }

  #label(task: WireTask, label: string, present: boolean): void {
    if (present) this.#server.addLabel(task.id, label);
    else this.#server.removeLabel(task.id, label);
    this.#of(task.id).labels.set(label, { label, present, call: this.#server.calls.length });
  }

  #say(task: WireTask, text: string): void {
    const account = this.#of(task.id);
    account.triggers += 1;
    account.comments.add(this.#server.comment(task.id, text).id);
  }

  #answer(task: WireTask): void {
    if (!task.labels.includes('agent-review')) return;
    const { comments } = this.#of(task.id);
    const asked = this.#server.comments(task.id).filter(({ id }) => !comments.has(id)).length;
    if (this.#answered.get(task.id) === asked) return;
    this.#answered.set(task.id, asked);
    this.#say(task, this.#random() < 0.5 ? 'approve' : 'The first one');
    this.done.set('answer', (this.done.get('answer') ?? 0) + 1);
  }

  #to(tasks: WireTask[], deed: (task: WireTask) => unknown): boolean {
    const task = tasks[Math.floor(this.#random() * tasks.length)];
    if (task) deed(task);
    return task !== undefined;
  }

  #of(taskId: string): Account {
    return this.accounts.get(taskId) as Account;
  }

  #tasks(): WireTask[] {
    return this.#server.tasks().filter((task) => this.accounts.has(task.id) && !task.is_deleted);
  }

  #open(which: (task: WireTask) => boolean = () => true): WireTask[] {
    return this.#tasks().filter((task) => isActive(task) && which(task));
  }

  #shuffled<T>(list: T[]): T[] {
    return list
      .map((one) => ({ one, at: this.#random() }))
      .sort((a, b) => a.at - b.at)
      .map(({ one }) => one);
  }
}

export function ours(task: WireTask): string[] {
  return task.labels.filter((label) => allAgentLabels.includes(label));
}
