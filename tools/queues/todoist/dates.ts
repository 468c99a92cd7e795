/**
 * Todoist's dates as instants, in the time zone of this machine. Pure. A date is YYYY-MM-DD, a floating local time,
 * or a time with `Z` (https://developer.todoist.com/api/v1/#tag/Due-dates). NaN for anything else.
 */
const day = /^(\d{4})-(\d\d)-(\d\d)$/;

/** A whole-day date is due from the start of that local day. */
export function dueAt(date: string): number {
  const match = day.exec(date);
  if (match) return startOfDay(match, 0);
  return /^\d{4}-\d\d-\d\dT/.test(date) ? Date.parse(date) : Number.NaN;
}

/** A deadline is a day: it passes with the last millisecond of it. */
export function deadlineEnd(date: string): number {
  const match = day.exec(date.slice(0, 10));
  return match ? startOfDay(match, 1) - 1 : Number.NaN;
}

function startOfDay([, year, month, date]: RegExpExecArray, daysLater: number): number {
  return new Date(Number(year), Number(month) - 1, Number(date) + daysLater).getTime();
}
