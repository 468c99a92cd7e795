/** The result as a text: what was asked, what the agent says, its first text file, and the list of all its files. */
import { oneLine, printable } from '../agents/printable.ts';
import type { ArtifactStore } from './artifacts.ts';
import { decoded } from './expected.ts';
import type { ManifestFile } from './manifest.ts';

/** Bytes. Longer texts are only listed. */
const maxText = 256 * 1024;

export interface Composition {
  title: string;
  summary: string;
  text: string | undefined;
  files: ManifestFile[];
}

/** The first Markdown or text file that is short enough and valid UTF-8. */
export async function textOf(store: ArtifactStore, files: ManifestFile[]): Promise<string | undefined> {
  for (const file of files) {
    if (!/\.(?:md|markdown|txt)$/i.test(file.name) || file.size > maxText) continue;
    const bytes = await store.read(file.ref, maxText);
    const text = bytes === undefined ? undefined : decoded(bytes);
    if (text !== undefined) return text;
  }
  return undefined;
}

export function composeMarkdown({ title, summary, text, files }: Composition): string {
  const listed = files.map(({ ref, size, sha256 }) => `- \`${ref}\`, ${size} bytes, sha256 ${sha256}`);
  const parts = [
    `# ${oneLine(title, 200) || 'Result'}`,
    printable(summary).trim(),
    printable(text ?? '').trim(),
    ...(listed.length === 0 ? [] : ['## Files', listed.join('\n')]),
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

export function composeJson(summary: string, files: ManifestFile[]): string {
  const said = { summary: printable(summary).trim() };
  return `${JSON.stringify(files.length === 0 ? said : { ...said, files }, null, 2)}\n`;
}
