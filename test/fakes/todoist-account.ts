/**
 * One Todoist account: its projects, tasks and comments with the rules that the real one enforces, and what a human
 * does to them with the app. Every change gets the next revision number; sync tokens stand for one.
 */
import { seeded } from './faults.ts';
import { itemNotFound, notFound, projectFull } from './todoist-refusals.ts';
import {
  checkedComment,
  checkedEdit,
  isActive,
  type NewTask,
  nextDate,
  projectDefaults,
  type TaskEdit,
  taskDefaults,
  type WireNote,
  type WireProject,
  type WireTask,
} from './todoist-shapes.ts';

const idAlphabet = '23456789CFGHJMPQRVWXcfghjmpqrvwx';

export class FakeAccount {
  readonly userId = '49812337';
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #tasks = new Map<string, WireTask>();
  readonly #notes = new Map<string, WireNote>();
  readonly #projects = new Map<string, WireProject>();
  readonly #revisions = new Map<string, number>();
  #revision = 0;

  constructor(now: () => number, seed: number) {
    this.#now = now;
    this.#random = seeded(seed);
  }

  // What a human does, and the API on somebody's behalf.

  addProject(name: string): WireProject {
    const id = this.#newId();
    const order = this.#projects.size;
    const project = { ...projectDefaults, id, name, child_order: order, inbox_project: order === 0 };
    this.#projects.set(id, project);
    return this.#changed(project);
  }

  archiveProject(id: string): void {
    this.#changed(this.project(id)).is_archived = true;
  }

  addTask(input: NewTask): WireTask {
    this.project(input.projectId);
    const parent = input.parentId === undefined ? undefined : this.task(input.parentId);
    const siblings = this.tasks().filter((one) => one.project_id === input.projectId && isActive(one));
    if (siblings.length >= 300) throw projectFull();
    const at = this.#instant();
    const task: WireTask = {
      ...taskDefaults,
      id: this.#newId(),
      user_id: this.userId,
      added_by_uid: this.userId,
      project_id: parent?.project_id ?? input.projectId,
      parent_id: parent?.id ?? null,
      labels: [],
      child_order: input.order ?? siblings.length + 1,
      added_at: at,
      updated_at: at,
    };
    Object.assign(task, checkedEdit(input));
    this.#tasks.set(task.id, task);
    return this.#changed(task);
  }

  edit(id: string, edit: TaskEdit): WireTask {
    const change = checkedEdit(edit);
    return Object.assign(this.#changed(this.task(id)), change);
  }

  setLabels(id: string, labels: string[]): WireTask {
    return this.edit(id, { labels });
  }

  addLabel(id: string, label: string): WireTask {
    return this.setLabels(id, [...new Set([...this.task(id).labels, label])]);
  }

  removeLabel(id: string, label: string): WireTask {
    return this.setLabels(
      id,
      this.task(id).labels.filter((one) => one !== label),
    );
  }

  /** A schedule moves on to its next date and stays open, label and all; anything else is checked, sub-tasks too. */
  close(id: string): WireTask {
    const task = this.task(id);
    if (task.due?.is_recurring) {
      task.due = { ...task.due, date: nextDate(task.due) };
      return this.#changed(task);
    }
    for (const child of this.#children(id)) if (isActive(child)) this.close(child.id);
    task.checked = true;
    task.completed_at = this.#instant();
    return this.#changed(task);
  }

  reopen(id: string): WireTask {
    const task = this.task(id);
    task.checked = false;
    task.completed_at = null;
    if (task.parent_id !== null && this.task(task.parent_id).checked) this.reopen(task.parent_id);
    return this.#changed(task);
  }

  delete(id: string): void {
    for (const child of this.#children(id)) this.delete(child.id);
    this.#changed(this.task(id)).is_deleted = true;
  }

  move(id: string, projectId: string): WireTask {
    this.project(projectId);
    for (const child of this.#children(id)) this.move(child.id, projectId);
    return Object.assign(this.#changed(this.task(id)), { project_id: projectId });
  }

  /** Makes it a sub-task of another, or a task of its own again. */
  nest(id: string, parentId: string | null): WireTask {
    const parent = parentId === null ? undefined : this.task(parentId);
    const place = parent ? { parent_id: parent.id, project_id: parent.project_id } : { parent_id: null };
    return Object.assign(this.#changed(this.task(id)), place);
  }

  comment(taskId: string, text: string, attachment?: { file_name: string; file_url: string }): WireNote {
    const { id } = this.task(taskId);
    const note: WireNote = {
      id: this.#newId(),
      item_id: id,
      content: checkedComment(text),
      posted_at: this.#instant(),
      posted_uid: this.userId,
      file_attachment: attachment ? { resource_type: 'file', ...attachment } : null,
      uids_to_notify: null,
      reactions: null,
      is_deleted: false,
    };
    this.#notes.set(note.id, note);
    return this.#changed(note);
  }

  editComment(id: string, text: string): WireNote {
    const content = checkedComment(text);
    return Object.assign(this.#changed(this.note(id)), { content });
  }

  deleteComment(id: string): void {
    this.#changed(this.note(id)).is_deleted = true;
  }

  // What there is.

  /** Also when it is completed; refuses when it never was or is deleted. */
  task(id: string): WireTask {
    const task = this.#tasks.get(id);
    if (!task || task.is_deleted) throw itemNotFound();
    return task;
  }

  note(id: string): WireNote {
    const note = this.#notes.get(id);
    if (!note || note.is_deleted) throw notFound('NOTE_NOT_FOUND');
    return note;
  }

  project(id: string): WireProject {
    const project = this.#projects.get(id);
    if (!project || project.is_deleted) throw notFound('PROJECT_NOT_FOUND');
    return project;
  }

  /** A task's comments, oldest first. */
  comments(taskId: string): WireNote[] {
    return this.notes().filter((note) => note.item_id === taskId && !note.is_deleted);
  }

  tasks(): WireTask[] {
    return [...this.#tasks.values()];
  }

  notes(): WireNote[] {
    return [...this.#notes.values()];
  }

  projects(): WireProject[] {
    return [...this.#projects.values()];
  }

  get revision(): number {
    return this.#revision;
  }

  /** Of the last change to this object. */
  revisionOf(id: string): number {
    return this.#revisions.get(id) ?? 0;
  }

  #children(id: string): WireTask[] {
    return this.tasks().filter((task) => task.parent_id === id && !task.is_deleted);
  }

  #changed<T extends { id: string }>(object: T): T {
    this.#revision += 1;
    this.#revisions.set(object.id, this.#revision);
    if ('updated_at' in object) Object.assign(object, { updated_at: this.#instant() });
    return object;
  }

  #instant(): string {
    return `${new Date(this.#now()).toISOString().slice(0, -1)}000Z`;
  }

  #newId(): string {
    const letters = Array.from(
      { length: 13 },
      () => idAlphabet[Math.floor(this.#random() * idAlphabet.length)],
    );
    return `6X7${letters.join('')}`;
  }
}
