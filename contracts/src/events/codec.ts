import type { Event } from './events.ts';
import { pack, unpack } from './packed/packed.ts';
import { type Upcasters, upcast, upcasters } from './upcast.ts';

/**
 * Encodes and decodes events: as JSON that everybody reads, and packed, as a store of texts keeps a commit. What was written
 * is never written again, because hashes cover it. Decoding trusts it and upcasts it; events of unknown types pass,
 * for readers that ignore them.
 */
export function eventCodec(steps: Upcasters = upcasters) {
  const oldTypes = Object.keys(steps);
  const hasNoOldTypes = oldTypes.length === 0;
  const today = (events: Event[]): Event[] =>
    hasNoOldTypes ? events : events.map((event) => upcast(event, steps) as Event);
  const storedTypesOf = (types: readonly string[]): string[] => [...new Set([...types, ...oldTypes])];
  return {
    encode: (events: readonly Event[]): string => JSON.stringify(events),
    decode: (text: string): Event[] => today(JSON.parse(text) as Event[]),
    pack: (commitId: string, events: readonly Event[]): string => pack(commitId, events),
    unpack: (text: string, commitId: string): Event[] => today(unpack(text, commitId) as Event[]),
    typeOf: (event: Event): string => event.type,
    /**
     * Substrings to search a commit's text for: if it holds an event of one of these types, it holds one of them. Quotes
     * within JSON strings are escaped, so that only a whole string can look like this. Old types are always included: what
     * an old event becomes is known only once it is decoded.
     */
    marksOf: (types: readonly string[]): string[] => storedTypesOf(types).map((type) => JSON.stringify(type)),
    storedTypesOf,
    parts: ({ type, data, correlationId, causationId, ...rest }: Event): EventParts => ({
      type,
      data,
      // EventStoreDB's own tools know the two ids by these names.
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
      return hasNoOldTypes ? event : (upcast(event, steps) as Event);
    },
  };
}

/** The form of an event in a store with one record per event: its data, and the rest of the envelope as metadata. */
type EventParts = { type: string; data: unknown; metadata: Readonly<Record<string, unknown>> };
