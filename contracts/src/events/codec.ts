import type { Event } from './events.ts';
import { type Upcasters, upcast, upcasters } from './upcast.ts';

/**
 * The stored form of a commit: a JSON array of envelopes. The text is kept as it was written (it is hashed later).
 * Reading trusts what was written, and upcasts; an event of an unknown type passes through, for readers that ignore it.
 */
export function eventCodec(steps: Upcasters = upcasters) {
  const oldTypes = Object.keys(steps);
  const plain = oldTypes.length === 0;
  const storedTypesOf = (types: readonly string[]): string[] => [...new Set([...types, ...oldTypes])];
  return {
    encode: (events: readonly Event[]): string => JSON.stringify(events),
    decode: (text: string): Event[] => {
      const events = JSON.parse(text) as Event[];
      return plain ? events : events.map((event) => upcast(event, steps) as Event);
    },
    typeOf: (event: Event): string => event.type,
    /**
     * One of these is in every text that holds an event of one of the types: quotes within JSON strings are escaped, so
     * that only a property looks like this. What an old event becomes is known when it is read, not before.
     */
    marksOf: (types: readonly string[]): string[] =>
      storedTypesOf(types).map((type) => `"type":${JSON.stringify(type)}`),
    storedTypesOf,
    parts: ({ type, data, correlationId, causationId, ...rest }: Event): EventParts => ({
      type,
      data,
      // By these two names other tools of that store know them.
      metadata: { ...rest, $correlationId: correlationId, $causationId: causationId },
    }),
    whole: ({ type, data, metadata }: EventParts): Event => {
      const { id, time, actor, $correlationId, $causationId, traceparent, ...rest } = metadata;
      const [correlationId, causationId] = [$correlationId, $causationId];
      const event = {
        id,
        type,
        time,
        actor,
        correlationId,
        causationId,
        traceparent,
        ...rest,
        data,
      } as Event;
      return plain ? event : (upcast(event, steps) as Event);
    },
  };
}

/** An event where it is a record of its own: its data, and the rest of the envelope. */
type EventParts = { type: string; data: unknown; metadata: Readonly<Record<string, unknown>> };
