import { onTestFinished } from 'vitest';
import { openTodoistQueue } from '../../tools/queues/todoist/todoist.ts';
import { queueContract } from '../contracts/queue-contract.ts';
import { startTodoistServer } from '../fakes/todoist-server.ts';

queueContract({
  name: 'todoist',
  supports: { poll: true, editComments: true },
  open: async () => {
    const server = await startTodoistServer();
    onTestFinished(() => server.shutdown());
    const [project, elsewhere] = ['LinkedIn Writer', 'Private'].map((name) => {
      return { id: server.addProject(name).id, name };
    }) as [{ id: string; name: string }, { id: string; name: string }];
    const queue = openTodoistQueue({ token: server.token, baseUrl: server.url, timeoutMs: 1000 });
    queue.watch([project]);
    return {
      queue,
      person: {
        project,
        elsewhere,
        add: (content, labels = []) => server.addTask({ projectId: project.id, content, labels }).id,
        comment: (task, text) => void server.comment(task, text),
        addLabel: (task, label) => void server.addLabel(task, label),
        close: (task) => void server.close(task),
        delete: (task) => server.delete(task),
        move: (task, projectId) => void server.move(task, projectId),
        comments: (task) => server.comments(task).map(({ content }) => content),
        labels: (task) => server.task(task).labels,
        loseAnswer: () => server.fault({ kind: 'commit-then-drop', match: /^POST sync$/ }),
        goDark: () => server.fault({ kind: 'reset-before', times: 1000 }),
      },
    };
  },
});
