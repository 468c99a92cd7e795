/**
 * What a Todoist account holds and does, in memory: objects with a version each, so that a delta is everything newer
 * than the token; commands executed once per uuid; the limits that Todoist enforces.
 */
import { randomBytes, randomInt } from 'node:crypto';

export interface Item {
  id: string;
  user_id: string;
  project_id: string;
  section_id: string | null;
  parent_id: string | null;
  added_by_uid: string | null;
  assigned_by_uid: string | null;
  responsible_uid: string | null;
  labels: string[];
  deadline: { date: string; lang: string } | null;
  duration: null;
  checked: boolean;
  is_deleted: boolean;
  added_at: string;
  completed_at: string | null;
  updated_at: string;
  due: { date: string; string: string; lang: string; timezone: null; is_recurring: boolean } | null;
  priority: number;
  child_order: number;
  content: string;
  description: string;
  day_order: number;
  is_collapsed: boolean;
}

export interface Note {
  id: string;
  item_id: string;
  content: string;
  posted_at: string;
  posted_uid: string;
  file_attachment: { resource_type: string; file_name: string } | null;
  uids_to_notify: null;
  reactions: null;
  is_deleted: boolean;
}

export interface RawCommand {
  type: string;
  uuid: string;
  temp_id?: string;
  args: Record<string, unknown>;
}

export interface CommandError {
  error: string;
  error_code: number;
  error_tag: string;
  error_extra: Record<string, unknown>;
  http_code: number;
}

const alphabet = '23456789CFGHJMPQRVWXcfghjmpqrvwx';
export function newId(): string {
  return Array.from(randomBytes(16), (byte) => alphabet[byte % alphabet.length]).join('');
}

export const limits = { comment: 15_000, title: 500, activePerProject: 300, commands: 100 };

export class TodoistState {
  readonly items = new Map<string, Item>();
  readonly notes = new Map<string, Note>();
  readonly projects = new Map<string, { id: string; name: string }>();
  /** Every label list a task ever had, to find a human's edit overwritten. */
  readonly labelHistory = new Map<string, string[][]>();
  readonly executed = new Map<string, { status: 'ok' | CommandError; mapping: Record<string, string> }>();
  /** How often each uuid was really executed; more than once is a defect of this server. */
  commandsExecuted = 0;
  version = 1;
  readonly #versions = new Map<string, number>();
  #clock: () => number;

  constructor(clock: () => number = Date.now) {
    this.#clock = clock;
  }

  touch(kind: 'item' | 'note', object: Item | Note): void {
    this.version += 1;
    this.#versions.set(`${kind}:${object.id}`, this.version);
    if (kind === 'item') {
      const item = object as Item;
      item.updated_at = this.#time();
      const history = this.labelHistory.get(item.id) ?? [];
      history.push([...item.labels]);
      this.labelHistory.set(item.id, history);
    }
  }

  #time(): string {
    return new Date(this.#clock()).toISOString();
  }

  changedSince(version: number): { items: Item[]; notes: Note[] } {
    const newer = (kind: string, id: string): boolean => (this.#versions.get(`${kind}:${id}`) ?? 0) > version;
    return {
      items: [...this.items.values()].filter((item) => newer('item', item.id)),
      notes: [...this.notes.values()].filter((note) => newer('note', note.id)),
    };
  }

  active(): { items: Item[]; notes: Note[] } {
    const items = [...this.items.values()].filter((item) => !item.checked && !item.is_deleted);
    const ids = new Set(items.map((item) => item.id));
    return { items, notes: [...this.notes.values()].filter((note) => !note.is_deleted && ids.has(note.item_id)) };
  }

  addProject(name: string): string {
    const id = newId();
    this.projects.set(id, { id, name });
    return id;
  }

  addItem(given: Partial<Item> & { content: string; project_id: string }): Item {
    const siblings = [...this.items.values()].filter((item) => item.project_id === given.project_id);
    const open = siblings.filter((item) => !item.checked && !item.is_deleted);
    if (open.length >= limits.activePerProject) throw commandError(49, 'MAX_ITEMS_LIMIT_REACHED', 403, 'Maximum number of items per user project limit reached');
    const item: Item = {
      id: newId(),
      user_id: '1',
      section_id: null,
      parent_id: null,
      added_by_uid: '1',
      assigned_by_uid: null,
      responsible_uid: null,
      labels: [],
      deadline: null,
      duration: null,
      checked: false,
      is_deleted: false,
      added_at: this.#time(),
      completed_at: null,
      updated_at: this.#time(),
      due: null,
      priority: 1,
      child_order: siblings.length + 1,
      description: '',
      day_order: -1,
      is_collapsed: false,
      ...given,
    };
    this.items.set(item.id, item);
    this.touch('item', item);
    return item;
  }

  addNote(itemId: string, content: string, attachment: string | null = null): Note {
    const item = this.mustItem(itemId);
    if (content.length > limits.comment) throw commandError(19, 'INVALID_ARGUMENT_VALUE', 400, 'comment is too long');
    if (content === '') throw commandError(20, 'ARGUMENT_MISSING', 400, 'content is missing');
    const note: Note = {
      id: newId(),
      item_id: item.id,
      content,
      posted_at: this.#time(),
      posted_uid: '1',
      file_attachment: attachment === null ? null : { resource_type: 'file', file_name: attachment },
      uids_to_notify: null,
      reactions: null,
      is_deleted: false,
    };
    this.notes.set(note.id, note);
    this.touch('note', note);
    return note;
  }

  mustItem(id: unknown): Item {
    const item = this.items.get(String(id));
    if (!item || item.is_deleted) throw commandError(22, 'ITEM_NOT_FOUND', 404, 'Item not found');
    return item;
  }

  /** Closing a recurring task moves it on by a day and keeps its labels; any other is completed with its sub-tasks. */
  close(id: unknown): void {
    const item = this.mustItem(id);
    if (item.due?.is_recurring) {
      const next = new Date(`${item.due.date.slice(0, 10)}T12:00:00Z`);
      next.setUTCDate(next.getUTCDate() + 1);
      item.due = { ...item.due, date: next.toISOString().slice(0, 10) };
    } else {
      item.checked = true;
      item.completed_at = this.#time();
      for (const child of this.items.values()) if (child.parent_id === item.id && !child.checked) this.close(child.id);
    }
    this.touch('item', item);
  }

  update(id: unknown, change: Partial<Item>): void {
    const item = this.mustItem(id);
    Object.assign(item, change);
    this.touch('item', item);
  }

  delete(id: unknown): void {
    const item = this.mustItem(id);
    item.is_deleted = true;
    this.touch('item', item);
  }

  run(commands: RawCommand[]): { sync_status: Record<string, 'ok' | CommandError>; temp_id_mapping: Record<string, string> } {
    const sync_status: Record<string, 'ok' | CommandError> = {};
    const temp_id_mapping: Record<string, string> = {};
    for (const command of commands) {
      const known = this.executed.get(command.uuid) ?? this.#execute(command);
      this.executed.set(command.uuid, known);
      sync_status[command.uuid] = known.status;
      Object.assign(temp_id_mapping, known.mapping);
    }
    return { sync_status, temp_id_mapping };
  }

  #execute(command: RawCommand): { status: 'ok' | CommandError; mapping: Record<string, string> } {
    this.commandsExecuted += 1;
    try {
      const made = this.#effect(command);
      return { status: 'ok', mapping: made && command.temp_id !== undefined ? { [command.temp_id]: made } : {} };
    } catch (error) {
      if (isCommandError(error)) return { status: error, mapping: {} };
      throw error;
    }
  }

  #effect({ type, args }: RawCommand): string | undefined {
    switch (type) {
      case 'note_add':
        return this.addNote(String(args['item_id']), String(args['content'] ?? '')).id;
      case 'note_update': {
        const note = this.notes.get(String(args['id']));
        if (!note || note.is_deleted) throw commandError(15, 'NOTE_NOT_FOUND', 404, 'Note not found');
        note.content = String(args['content']);
        this.touch('note', note);
        return undefined;
      }
      case 'item_update':
        this.update(args['id'], { ...(Array.isArray(args['labels']) ? { labels: args['labels'] as string[] } : {}) });
        return undefined;
      case 'item_close':
        this.close(args['id']);
        return undefined;
      case 'item_delete':
        this.delete(args['id']);
        return undefined;
      case 'item_add':
        return this.addItem({ content: String(args['content']), project_id: String(args['project_id']) }).id;
      default:
        throw commandError(25, 'INVALID_COMMAND', 400, `unknown command ${type}`);
    }
  }
}

export function commandError(error_code: number, error_tag: string, http_code: number, error: string): CommandError & Error {
  return Object.assign(new Error(error), { error, error_code, error_tag, http_code, error_extra: { event_id: String(randomInt(1e9)) } });
}

export function isCommandError(value: unknown): value is CommandError {
  return typeof value === 'object' && value !== null && 'error_tag' in value;
}
