import { createHash, hash } from 'node:crypto';
import type { EventStore, Recorded } from '../eventStore.ts';

/** An event as it lies in a store, for tools that move it without knowing what it says; nothing is upcast. */
export type StoredEvent = { type: string; data: unknown } & Readonly<Record<string, unknown>>;

/**
 * What a store's streams hold, as a hash for each: of every event in order, with its revision, commit and symbol. The
 * order of an event's own fields is no part of it, and positions are none: those are each store's own.
 */
export type StreamDigest = { events: number; digest: string };
export type StreamDigests = Map<string, StreamDigest>;

/** Events in one page, about 1 MB. */
const PAGE_EVENTS = 1_000;

/** Adds an event to its stream's digest. */
export function digest(streams: StreamDigests, recorded: Recorded<StoredEvent>): StreamDigest {
  const { stream, revision, commitId, symbol, event } = recorded;
  const before = streams.get(stream) ?? { events: 0, digest: '' };
  const line = JSON.stringify([before.digest, revision, commitId, symbol, inOrder(event)]);
  const after = { events: before.events + 1, digest: hash('sha256', line, 'base64') };
  streams.set(stream, after);
  return after;
}

/** Everything in the store, a page at a time, up to its end as it then is. */
export async function* everything(
  store: EventStore<StoredEvent>,
  after: number,
  signal: AbortSignal,
): AsyncGenerator<{ events: Recorded<StoredEvent>[]; before: number; position: number }> {
  for (let before = after, atEnd = false; !atEnd; ) {
    signal.throwIfAborted();
    const page = await store.readAll(before, {}, PAGE_EVENTS);
    yield { events: page.events, before, position: page.position };
    ({ position: before, atEnd } = page);
  }
}

/** A store as a whole: its streams, and the order in which their events lie. */
export function storeDigest() {
  const streams: StreamDigests = new Map();
  const order = createHash('sha256');
  return {
    streams,
    add(recorded: Recorded<StoredEvent>): void {
      digest(streams, recorded);
      order.update(`${recorded.stream} ${recorded.revision}\n`);
    },
    /** To be asked once, in the end. */
    order: () => order.digest('base64'),
  };
}

/** The same value with the fields of every object sorted. */
function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, field]) => field !== undefined);
  return Object.fromEntries(
    entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, field]) => [name, inOrder(field)]),
  );
}
