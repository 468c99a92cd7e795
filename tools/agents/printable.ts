/**
 * Text an agent printed, made fit for a person: no control sequences, no invisible or direction-changing characters.
 * Everything an agent says goes through here before it reaches a comment, a log line or a terminal.
 */
import { stripVTControlCharacters } from 'node:util';

const carriageReturn = /\r\n?/gu;
/** Control characters but tab and newline, zero-width space, bidirectional overrides, byte order mark. */
const unseen = /[^\P{Cc}\t\n]|[\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu;

export function printable(text: string): string {
  return stripVTControlCharacters(text.replace(carriageReturn, '\n')).replace(unseen, '');
}

/** One line of at most `max` characters; what was cut is marked with an ellipsis. */
export function oneLine(text: string, max = 300): string {
  const flat = printable(text.slice(0, max * 8))
    .replace(/\s+/gu, ' ')
    .trim();
  const cut = text.length > max * 8 || flat.length > max;
  return cut ? `${wholeCharacters(flat, max - 1)}…` : flat;
}

/** Never ends in half of a surrogate pair. */
function wholeCharacters(text: string, max: number): string {
  const head = text.slice(0, max);
  return head.isWellFormed() ? head : head.slice(0, -1);
}
