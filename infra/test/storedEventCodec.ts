import type { Codec } from '../src/eventStore/eventStore.ts';
import type { StoredEvent } from '../src/eventStore/migration/storeDigest.ts';
import { plainText } from './plainText.ts';

/** Events of any type, for tests of tools that move them without knowing what they say. */
export const storedEventCodec: Codec<StoredEvent> = {
  ...plainText<StoredEvent>(),
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
