import type { Codec } from '../src/eventStore/eventStore.ts';

/** The texts of a codec that packs nothing: both forms are the events' JSON. */
export const plainText = <E>(): Pick<Codec<E>, 'encode' | 'decode' | 'pack' | 'unpack'> => ({
  encode: (events) => JSON.stringify(events),
  decode: (text) => JSON.parse(text) as E[],
  pack: (_commitId, events) => JSON.stringify(events),
  unpack: (text) => JSON.parse(text) as E[],
});
