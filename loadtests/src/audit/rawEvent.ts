import type { Fact, views } from '@brokerx/contracts';

/** A line of `GET /v1/events`: a fact at its place in the store. */
export type RawEvent = Omit<views.RawEventView, 'type' | 'data'> & Fact;
export type RawEventOf<T extends RawEvent['type']> = Extract<RawEvent, { type: T }>;

export const parseRawEvent = (line: string): RawEvent => JSON.parse(line) as RawEvent;
