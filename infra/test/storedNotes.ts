import { randomUUID } from 'node:crypto';
import { type Commit, type EventStore, NO_STREAM } from '../src/eventStore/eventStore.ts';
import type { StoredEvent } from '../src/eventStore/migration/storeDigest.ts';

/** Events in the envelope that every service's events have. */
export const note = (text: string): StoredEvent => {
  const id = randomUUID();
  return {
    id,
    type: 'Noted.v1',
    time: '2026-01-05T14:30:00.000Z',
    actor: 'system:test',
    correlationId: id,
    causationId: id,
    traceparent: `00-${id.replaceAll('-', '')}-${id.slice(0, 8)}${id.slice(24, 32)}-01`,
    ...(text.length % 2 === 0 ? { more: true } : {}),
    data: { text, deep: { z: [1, { b: 2, a: null }], a: 'Zürich 🚀' } },
  };
};

/** Fills a store with commits of several sizes, streams and symbols; gives them. */
export async function fillWithNotes(
  store: EventStore<StoredEvent>,
  count: number,
): Promise<Commit<StoredEvent>[]> {
  const revisions = new Map<string, number>();
  const commits = Array.from({ length: count }, (_, n): Commit<StoredEvent> => {
    const stream = `${['account', 'book', 'market'][n % 3]}-${(n * 7) % 11}`;
    const expectedRevision = revisions.get(stream) ?? NO_STREAM;
    const events = Array.from({ length: 1 + ((n * 5) % 7) }, (_, i) => note(`${n}.${i}`));
    revisions.set(stream, expectedRevision + events.length);
    const symbol = n % 3 === 1 ? null : 'ACME';
    return { id: randomUUID(), stream, expectedRevision, chained: false, symbol, events };
  });
  for (let i = 0; i < count; i += 100) {
    for (const { verdict } of await store.append(commits.slice(i, i + 100))) {
      if (verdict !== 'ok') throw new Error(verdict);
    }
  }
  return commits;
}

/** All that a store holds, without what is the store's own. */
export async function contentOf(store: EventStore<StoredEvent>) {
  const content = [];
  for (let after = 0, atEnd = false; !atEnd; ) {
    const page = await store.readAll(after, {}, 1_000);
    for (const { position: _own, ...rest } of page.events) content.push(rest);
    ({ position: after, atEnd } = page);
  }
  return content;
}
