/** A throw-away project with a `.claude` folder, for tests that change role files. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export interface TestProject {
  root: string;
  write(path: string, text: string): void;
  remove(path: string): void;
  [Symbol.dispose](): void;
}

export function makeProject(): TestProject {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'roles-')));
  const project: TestProject = {
    root,
    write: (path, text) => {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    },
    remove: (path) => rmSync(join(root, path), { recursive: true }),
    [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }),
  };
  project.write('.claude/skills/writing/SKILL.md', '---\nname: writing\ndescription: Writes.\n---\nWrite.');
  project.write('.claude/skills/writing/scripts/publish.ts', '');
  project.write('.claude/skills/writing/scripts/notes.txt', '');
  project.write('.claude/skills/broken/SKILL.md', '---\nname: other\ndescription: Broken.\n---\n');
  return project;
}

/** A role file; `worker` are the lines of its block. Line 1 is `---`, `worker:` stands on line 4. */
export function roleText(name: string, worker: string[], more: string[] = []): string {
  const block = worker.length === 0 ? [] : ['worker:', ...worker.map((line) => `  ${line}`)];
  return ['---', `name: ${name}`, 'description: Does x.', ...block, ...more, '---', 'Work well.'].join('\n');
}
