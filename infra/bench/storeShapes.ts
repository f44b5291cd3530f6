import { type Commit, type EventStore, NO_STREAM } from '../src/eventStore/eventStore.ts';
import type { OrderNote } from './orderNotes.ts';

/** What a store is asked to do by the benches of all stores: calls of several shapes, and reading them back. */
export type Shape = { name: string; commits: number; events: number; streams: number };

/** An order or two from each of many accounts; a hot stream; wider commands; an engine's runs. */
export const SHAPES: Shape[] = [
  { name: '50 × 1, 1,000 streams', commits: 50, events: 1, streams: 1_000 },
  { name: '200 × 1, 1,000 streams', commits: 200, events: 1, streams: 1_000 },
  { name: '200 × 1, one stream, chained', commits: 200, events: 1, streams: 1 },
  { name: '200 × 4, 1,000 streams', commits: 200, events: 4, streams: 1_000 },
  { name: '1 × 100 (an engine’s run)', commits: 1, events: 100, streams: 1 },
  { name: '4 × 100', commits: 4, events: 100, streams: 4 },
];
export const READ_PAGE_EVENTS = 1_000;

/** Does something once; tells how many events it did. */
export type Step = () => Promise<number>;

export async function timed(budgetMs: number, step: Step): Promise<{ events: number; ms: number }> {
  const startedMs = performance.now();
  let events = 0;
  while (performance.now() - startedMs < budgetMs) events += await step();
  return { events, ms: performance.now() - startedMs };
}

export function appendCalls(
  store: EventStore<OrderNote>,
  { name, commits, events, streams }: Shape,
  eventOf: () => OrderNote,
) {
  const revisions = new Map<string, number>();
  let next = 0;
  let appended = 0;
  const step = async () => {
    const calls = Array.from({ length: commits }, (): Commit<OrderNote> => {
      const stream = `bench-${name.replaceAll(/\W+/g, '.')}-${next++ % streams}`;
      const expectedRevision = revisions.get(stream) ?? NO_STREAM;
      revisions.set(stream, expectedRevision + events);
      const id = crypto.randomUUID();
      const list = Array.from({ length: events }, eventOf);
      return { id, stream, expectedRevision, chained: streams === 1, symbol: null, events: list };
    });
    for (const { verdict } of await store.append(calls)) if (verdict !== 'ok') throw new Error(verdict);
    appended += commits * events;
    return commits * events;
  };
  return Object.assign(step, { appended: () => appended });
}

/** Pages through the store from its beginning, again and again. */
export function pagesBack(store: EventStore<OrderNote>): Step {
  let after = 0;
  return async () => {
    const page = await store.readAll(after, {}, READ_PAGE_EVENTS);
    after = page.atEnd ? 0 : page.position;
    return page.events.length;
  };
}

export async function readWhole(store: EventStore<OrderNote>): Promise<number> {
  let count = 0;
  for (let after = 0, atEnd = false; !atEnd; ) {
    const page = await store.readAll(after, {}, READ_PAGE_EVENTS);
    count += page.events.length;
    after = page.position;
    atEnd = page.atEnd;
  }
  return count;
}
