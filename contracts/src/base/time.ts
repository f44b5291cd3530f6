import { EventTime } from './domains.ts';

/** A moment as events tell it: RFC 3339 UTC with milliseconds, always 24 characters, so that times compare as text. */
export const Time = EventTime;

/** Milliseconds since the Unix epoch as such a time. */
export const timeOf = (ms: number): string => new Date(ms).toISOString();
