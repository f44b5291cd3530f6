import type { Codec } from '../src/eventStore/eventStore.ts';
import type { StoredEvent } from '../src/eventStore/migration/storeDigest.ts';

/** Events of any type, for tests of tools that move them without knowing what they say. */
export const storedEventCodec: Codec<StoredEvent> = {
  encode: (events) => JSON.stringify(events),
  decode: (text) => JSON.parse(text) as StoredEvent[],
  pack: (_commitId, events) => JSON.stringify(events),
  unpack: (text) => JSON.parse(text) as StoredEvent[],
  typeOf: ({ type }) => type,
  marksOf: (types) => types.map((type) => `"type":${JSON.stringify(type)}`),
  storedTypesOf: (types) => types,
  parts: ({ type, data, correlationId, causationId, ...rest }) => ({
    type,
    data,
    metadata: { ...rest, $correlationId: correlationId, $causationId: causationId },
  }),
  whole: ({ type, data, metadata }) => {
    const { id, time, actor, $correlationId, $causationId, traceparent, ...rest } = metadata;
    const [correlationId, causationId] = [$correlationId, $causationId];
    return { id, type, time, actor, correlationId, causationId, traceparent, ...rest, data };
  },
};
