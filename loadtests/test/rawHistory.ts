import type { Event } from '@brokerx/contracts';
import type { RawEvent } from '../src/audit/rawEvent.ts';
import { type SeedOptions, seedHistory } from '../src/seed/seed.ts';

/** A seeded history as the query API would stream it. */
export function rawHistory(options: Partial<SeedOptions> = {}): RawEvent[] {
  let position = 0;
  const raw: RawEvent[] = [];
  const seedOptions = {
    seed: 7,
    events: 400,
    startMs: Date.UTC(2026, 0, 5, 14),
    accounts: 10,
    symbols: 2,
    ...options,
  };
  for (const { stream, revision, events } of seedHistory(seedOptions)) {
    for (const [index, event] of events.entries()) {
      position += 1;
      raw.push(rawEvent(event, stream, revision + index, position));
    }
  }
  return raw;
}

export function rawEvent(event: Event, stream: string, revision: number, position: number): RawEvent {
  const { id, type, time, actor, correlationId, causationId, traceparent, key, data } = event;
  return {
    position,
    stream,
    revision,
    id,
    type,
    time,
    actor,
    correlation_id: correlationId,
    causation_id: causationId,
    traceparent,
    ...(key ? { key } : {}),
    data,
  } as RawEvent;
}

/** Numbers the events of a tampered history anew, so that the audit finds only the tampering. */
export function renumbered(events: readonly RawEvent[]): RawEvent[] {
  const revisions = new Map<string, number>();
  return events.map((event, index) => {
    const revision = (revisions.get(event.stream) ?? -1) + 1;
    revisions.set(event.stream, revision);
    return { ...event, revision, position: index + 1 };
  });
}
