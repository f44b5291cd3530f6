import { EventTime } from './domains.ts';

/** A time in an event: RFC 3339 UTC with milliseconds, always 24 characters, so that times compare as text. */
export const Time = EventTime;

/** Converts milliseconds since the Unix epoch to a time as events write it. */
export function timeOf(ms: number): string {
  if (ms !== lastMs) {
    lastText = new Date(ms).toISOString();
    lastMs = ms;
  }
  return lastText;
}

/** Many events are of the same millisecond, and writing a time takes longer than most that is done with it. */
let lastMs = 0;
let lastText = new Date(lastMs).toISOString();
