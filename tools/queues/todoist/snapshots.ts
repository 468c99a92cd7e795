/** The SDK's objects as the port's snapshots. Pure. */
import type { Comment, Task } from '@doist/todoist-api-typescript';
import type { CommentSnapshot, TaskSnapshot } from '../queue.ts';
import { deadlineEnd, dueAt } from './dates.ts';

export function taskSnapshot(task: Task): TaskSnapshot {
  return {
    nativeId: task.id,
    projectId: task.projectId,
    parentId: task.parentId ?? undefined,
    title: task.content,
    description: task.description,
    // Todoist counts the other way: 4 is the most urgent, shown as p1.
    priority: 5 - Math.min(4, Math.max(1, task.priority)),
    labels: task.labels,
    presence: task.isDeleted ? 'deleted' : task.checked ? 'closed' : 'open',
    due: task.due
      ? {
          date: task.due.date,
          at: dueAt(task.due.date),
          recurring: task.due.isRecurring,
          text: task.due.string,
        }
      : undefined,
    deadlineAt: task.deadline ? deadlineEnd(task.deadline.date) : undefined,
    position: task.childOrder,
    addedAt: task.addedAt?.getTime(),
  };
}

/** A task of which nothing is left but its id. */
export function deletedTask(nativeId: string): TaskSnapshot {
  return {
    nativeId,
    projectId: '',
    parentId: undefined,
    title: '',
    description: '',
    priority: 4,
    labels: [],
    presence: 'deleted',
    due: undefined,
    deadlineAt: undefined,
    position: 0,
    addedAt: undefined,
  };
}

type AnyComment = Pick<Comment, 'id' | 'content' | 'postedAt' | 'fileAttachment' | 'isDeleted'>;

export function commentSnapshot(comment: AnyComment, taskNativeId: string): CommentSnapshot {
  const file = comment.fileAttachment;
  return {
    nativeId: comment.id,
    taskNativeId,
    text: comment.content,
    attachment: file ? (file.fileName ?? file.title ?? file.fileUrl ?? file.url ?? 'a file') : undefined,
    postedAt: comment.postedAt.getTime(),
    deleted: comment.isDeleted,
  };
}

/** A comment of which nothing is left but its id. */
export function deletedComment(nativeId: string): CommentSnapshot {
  return { nativeId, taskNativeId: '', text: '', attachment: undefined, postedAt: 0, deleted: true };
}
