/**
 * The live view of `--watch` on a terminal: what happened scrolls by, and below it stand a few calm lines: what
 * runs, since when, its last step, what waits, what today has cost. Redrawn in place once a second.
 */
import { duration } from '../worker/messages.ts';
import { shown } from './render-worker.ts';

export interface Standing {
  running: { title: string; role: string; startedAt: number; lastStep: string }[];
  waiting: number;
  review: number;
  costToday: number;
  trouble: string | undefined;
}

export function standingLines(standing: Standing, now: number, width: number): string[] {
  const lines = standing.running.map((attempt) => {
    const head = `  ▶ ${shown(attempt.title, 40)}  ${duration(now - attempt.startedAt)}`;
    return `${head}  ${shown(attempt.lastStep || 'starting', Math.max(10, width - head.length - 4))}`;
  });
  const facts = [
    standing.running.length === 0 ? 'idle' : `${standing.running.length} running`,
    `${standing.waiting} waiting`,
    `${standing.review} for you to decide`,
    `$${standing.costToday.toFixed(2)} today`,
  ];
  if (standing.trouble !== undefined) facts.push(shown(standing.trouble, 60));
  return ['', ...lines, `  ${facts.join(' · ')}   (Ctrl-C stops)`];
}

export interface LiveView {
  print: (line: string) => void;
  stop: () => void;
}

export function startLiveView(
  out: NodeJS.WriteStream,
  read: () => Promise<Standing>,
  now: () => number,
): LiveView {
  let drawn = 0;
  let last: string[] = [];

  const erase = (): string => (drawn === 0 ? '' : `\u001b[${drawn}A\u001b[0J`);
  const draw = (above: string): void => {
    out.write(erase() + above + last.map((line) => `${line}\n`).join(''));
    drawn = last.length;
  };
  const refresh = async (): Promise<void> => {
    const standing = await read();
    last = standingLines(standing, now(), out.columns || 80).map((line) =>
      line.slice(0, (out.columns || 80) - 1),
    );
    draw('');
  };
  const tick = (): void => void refresh().catch(() => undefined);
  const timer = setInterval(tick, 1000);
  tick();
  return {
    print: (line) => draw(`${line}\n`),
    stop() {
      clearInterval(timer);
      out.write(erase());
      drawn = 0;
      last = [];
    },
  };
}
