import { randomUUID } from 'node:crypto';
import type { Codec, Commit, EventStore, Verdict } from '../src/eventStore/eventStore.ts';

/** The event of these tests; its type is its text's first word. */
export type Noted = { text: string };
export const notedCodec: Codec<Noted> = {
  encode: (events) => JSON.stringify(events),
  decode: (text) => JSON.parse(text) as Noted[],
  typeOf: ({ text }) => text.split(' ', 1)[0] ?? '',
  // Without the closing quote, so that a type that begins with another is marked like it.
  marksOf: (types) => types.map((type) => `"text":${JSON.stringify(type).slice(0, -1)}`),
  parts: (event) => ({ type: wireType(notedCodec.typeOf(event)), data: { text: event.text }, metadata: {} }),
  whole: ({ data }) => data as Noted,
  storedTypesOf: (types) => types.map(wireType),
};

/** A type that any store takes: texts of these tests begin with the strangest words. */
const wireType = (word: string) => (/^[a-z]{1,20}$/.test(word) ? word : 'text');

export const commit = (
  stream: string,
  expectedRevision: number,
  texts: readonly string[],
  { symbol = null, chained = false }: { symbol?: string | null; chained?: boolean } = {},
): Commit<Noted> => ({
  id: randomUUID(),
  stream,
  expectedRevision,
  chained,
  symbol,
  events: texts.map((text) => ({ text })),
});

export const ok = (revision: number, position: number): Verdict => ({ verdict: 'ok', revision, position });
export const duplicate = (revision: number, position: number): Verdict => ({
  verdict: 'duplicate',
  revision,
  position,
});
export const conflict = (actualRevision: number): Verdict => ({ verdict: 'conflict', actualRevision });
export const broken: Verdict = { verdict: 'broken-chain' };

/** Every event's text, in order. */
export async function texts(store: EventStore<Noted>): Promise<string[]> {
  return (await store.readAll(0, {}, 100_000)).events.map(({ event }) => event.text);
}
