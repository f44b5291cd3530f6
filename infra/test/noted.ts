import { randomUUID } from 'node:crypto';
import { memoryEventStore } from '../src/eventStore/eventStore.memory.ts';
import type { Codec, Commit, EventStore, Verdict } from '../src/eventStore/eventStore.ts';
import { plainText } from './plainText.ts';

/** The event of these tests; its type is its text's first word. */
export type Noted = { text: string };
export const notedCodec: Codec<Noted> = {
  ...plainText<Noted>(),
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

/** A store of so many events, each a commit of its own. */
export async function storeOf(events: number, id: string = randomUUID()): Promise<EventStore<Noted>> {
  const store = memoryEventStore({ id, codec: notedCodec });
  await appendTo(store, events);
  return store;
}

/** The store as it was at this position, put back from a backup; then as many other events happened. */
export async function putBack(
  store: EventStore<Noted>,
  position: number,
  events: number,
): Promise<EventStore<Noted>> {
  const restored = await storeOf(0, store.id);
  for (const kept of (await store.readAll(0, {}, Math.max(1, position))).events.slice(0, position)) {
    const { commitId: id, stream, revision, symbol, event } = kept;
    await restored.append([
      { id, stream, expectedRevision: revision - 1, chained: false, symbol, events: [event] },
    ]);
  }
  await appendTo(restored, events);
  return restored;
}

async function appendTo(store: EventStore<Noted>, events: number): Promise<void> {
  for (let i = 0; i < events; i++) {
    const revision = await store.streamRevision('account-1');
    await store.append([commit('account-1', revision, [`event ${revision + 1}`])]);
  }
}
