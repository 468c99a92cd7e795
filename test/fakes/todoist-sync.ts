/**
 * POST /sync: what changed since a token, and commands. A command whose uuid was executed before is not executed
 * again; it gets the same answer.
 */
import type { FakeAccount } from './todoist-account.ts';
import { badArgument, Refusal } from './todoist-refusals.ts';
import { isActive, type WireNote, type WireTask } from './todoist-shapes.ts';

type Json = Record<string, unknown>;
type Status = 'ok' | Refusal['body'];

interface View {
  items: WireTask[];
  notes: WireNote[];
  revision: number;
}

export class FakeSync {
  readonly #account: FakeAccount;
  /** Of each executed command: the temp ids it gave. */
  readonly #executed = new Map<string, Record<string, string>>();
  readonly #withoutNotes = new Set<string>();
  #epoch = 1;
  #expired: 'refuse' | 'full' = 'full';
  #lagging: View | undefined;

  constructor(account: FakeAccount) {
    this.#account = account;
  }

  /** All tokens given so far are refused with 400, or answered with everything. */
  expireTokens(how: 'refuse' | 'full'): void {
    this.#epoch += 1;
    this.#expired = how;
  }

  /** The next full answer shows what is there now, whatever happens until then. */
  lagNextFull(): void {
    this.#lagging = structuredClone(this.#fullView());
  }

  /** Full answers leave this task's comments out and say so. */
  omitNotes(taskId: string): void {
    this.#withoutNotes.add(taskId);
  }

  isFull(token: string): boolean {
    return this.#revisionOf(token) === undefined;
  }

  answer(request: Json): Json {
    const types = Array.isArray(request['resource_types']) ? request['resource_types'].map(String) : [];
    const commands = request['commands'] === undefined ? {} : this.#executeAll(request['commands']);
    return { ...(types.length > 0 ? this.#read(words(request['sync_token'], '*'), types) : {}), ...commands };
  }

  #read(token: string, types: string[]): Json {
    const since = this.#revisionOf(token);
    if (since === undefined && token !== '*' && this.#expired === 'refuse')
      throw new Refusal(400, 20, 'INVALID_SYNC_TOKEN', 'The sync token is invalid or has expired');
    const view = since === undefined ? this.#takeFullView() : this.#changesSince(since);
    const wants = (type: string): boolean => types.includes(type) || types.includes('all');
    return {
      sync_token: Buffer.from(`${this.#epoch}:${view.revision}:${'x'.repeat(40)}`).toString('base64url'),
      full_sync: since === undefined,
      ...(since === undefined ? { full_sync_date_utc: new Date().toISOString() } : {}),
      ...(wants('items') ? { items: view.items } : {}),
      ...(wants('projects') ? { projects: this.#projectsSince(since) } : {}),
      ...(wants('notes')
        ? {
            notes: view.notes.filter((note) => since !== undefined || !this.#withoutNotes.has(note.item_id)),
            incomplete_item_ids: since === undefined ? [...this.#withoutNotes] : [],
            incomplete_project_ids: [],
          }
        : {}),
      temp_id_mapping: {},
    };
  }

  #takeFullView(): View {
    const view = this.#lagging ?? this.#fullView();
    this.#lagging = undefined;
    return view;
  }

  #fullView(): View {
    const items = this.#account
      .tasks()
      .filter((task) => isActive(task) && !this.#account.project(task.project_id).is_archived);
    const active = new Set(items.map((task) => task.id));
    const notes = this.#account.notes().filter((note) => !note.is_deleted && active.has(note.item_id));
    return { items, notes, revision: this.#account.revision };
  }

  #changesSince(revision: number): View {
    const isNew = ({ id }: { id: string }): boolean => this.#account.revisionOf(id) > revision;
    const items = this.#account.tasks().filter(isNew);
    return { items, notes: this.#account.notes().filter(isNew), revision: this.#account.revision };
  }

  #projectsSince(revision: number | undefined): unknown[] {
    return this.#account
      .projects()
      .filter(({ id }) => revision === undefined || this.#account.revisionOf(id) > revision);
  }

  #revisionOf(token: string): number | undefined {
    const [epoch, revision] = Buffer.from(token, 'base64url').toString().split(':');
    return Number(epoch) === this.#epoch && revision !== undefined ? Number(revision) : undefined;
  }

  #executeAll(commands: unknown): Json {
    if (!Array.isArray(commands)) throw badArgument('commands', 'expected a list');
    if (commands.length > 100)
      throw new Refusal(400, 42, 'MAX_COMMANDS', 'Too many commands', { max_count: 100 });
    const sync_status: Record<string, Status> = {};
    const temp_id_mapping: Record<string, string> = {};
    for (const command of commands as Json[]) {
      const uuid = words(command['uuid']);
      try {
        const mapping = this.#executed.get(uuid) ?? this.#execute(command);
        this.#executed.set(uuid, mapping);
        Object.assign(temp_id_mapping, mapping);
        sync_status[uuid] = 'ok';
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        sync_status[uuid] = error.body;
      }
    }
    return { sync_status, temp_id_mapping };
  }

  #execute(command: Json): Record<string, string> {
    const args = command['args'] as Json;
    const id = words(args['id'] ?? args['item_id']);
    const made = this.#carryOut(words(command['type']), id, args);
    return made !== undefined && typeof command['temp_id'] === 'string' ? { [command['temp_id']]: made } : {};
  }

  /** Yields the id of what was made. */
  #carryOut(type: string, id: string, args: Json): string | undefined {
    const account = this.#account;
    switch (type) {
      case 'note_add':
        return account.comment(id, words(args['content'])).id;
      case 'note_update':
        return void account.editComment(id, words(args['content']));
      case 'note_delete':
        account.deleteComment(id);
        return undefined;
      case 'item_add':
        return account.addTask({
          ...editFrom(args),
          projectId: words(args['project_id']),
          content: words(args['content']),
        }).id;
      case 'item_update':
        return void account.edit(id, editFrom(args));
      case 'item_close':
      case 'item_complete':
        return void account.close(id);
      case 'item_uncomplete':
        return void account.reopen(id);
      case 'item_delete':
        account.delete(id);
        return undefined;
      case 'item_move':
        if (args['parent_id'] !== undefined) account.nest(id, words(args['parent_id']));
        else account.move(id, words(args['project_id']));
        return undefined;
      default:
        throw badArgument('type', `this fake does not know ${type}`);
    }
  }
}

export function words(value: unknown, otherwise = ''): string {
  return typeof value === 'string' ? value : otherwise;
}

/** The changes in the arguments of a command or the body of a request. */
export function editFrom(args: Json): Parameters<FakeAccount['edit']>[1] {
  const due = args['due'] as { date?: string; string?: string; is_recurring?: boolean } | undefined;
  const date = due?.date ?? args['due_date'] ?? args['due_datetime'];
  const schedule = due?.is_recurring === true ? due.string : args['due_string'];
  const deadline = args['deadline'] as { date?: string } | undefined;
  return {
    ...(typeof args['content'] === 'string' ? { content: args['content'] } : {}),
    ...(typeof args['description'] === 'string' ? { description: args['description'] } : {}),
    ...(typeof args['priority'] === 'number' ? { priority: args['priority'] } : {}),
    ...(Array.isArray(args['labels']) ? { labels: args['labels'].map(String) } : {}),
    ...(typeof args['child_order'] === 'number' ? { order: args['child_order'] } : {}),
    ...(typeof args['parent_id'] === 'string' ? { parentId: args['parent_id'] } : {}),
    ...(typeof date === 'string' ? { due: date } : {}),
    ...(typeof schedule === 'string' && /^every/i.test(schedule) ? { recurring: schedule } : {}),
    ...(typeof (deadline?.date ?? args['deadline_date']) === 'string'
      ? { deadline: String(deadline?.date ?? args['deadline_date']) }
      : {}),
  };
}
