import type { Codec } from '../eventStore.ts';

/**
 * Events as they lie in a store, for tools that move them without knowing what they say: JSON with a type and data,
 * the rest of it kept as it is and nothing upcast. In parts they look as the services' own codec makes them.
 */
export type StoredEvent = { type: string; data: unknown } & Readonly<Record<string, unknown>>;

export const storedEventCodec: Codec<StoredEvent> = {
  encode: (events) => JSON.stringify(events),
  decode: (text) => JSON.parse(text) as StoredEvent[],
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
