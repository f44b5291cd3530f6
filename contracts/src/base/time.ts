import { EventTime } from './domains.ts';

/** A time in an event: RFC 3339 UTC with milliseconds, always 24 characters, so that times compare as text. */
export const Time = EventTime;

/** Converts milliseconds since the Unix epoch to a time as events write it. */
export const timeOf = (ms: number): string => new Date(ms).toISOString();
