import assert from 'node:assert/strict';
import type { Log } from '../runtime/log.ts';
import type { Runtime } from '../runtime/runtime.ts';
import {
  type Codec,
  type EventStore,
  type Filter,
  filtersOf,
  type Landmark,
  type Page,
  type Recorded,
} from './eventStore.ts';
import { eventStoreDbAppends } from './eventstoredb/append.ts';
import { eventStoreDbCatchUp } from './eventstoredb/catchUp.ts';
import { eventStoreDbConnection } from './eventstoredb/client.ts';
import { serverExpression, wantedOf } from './eventstoredb/filter.ts';
import { eventStoreDbIdentity } from './eventstoredb/identity.ts';
import { type EventStoreDbReads, eventStoreDbReads } from './eventstoredb/reads.ts';
import { eventStoreDbTail } from './eventstoredb/tail.ts';
import {
  isReadable,
  markOf,
  type PlacedEvent,
  placed,
  recorded,
  type WireEvent,
} from './eventstoredb/wire.ts';

/**
 * The event store on EventStoreDB or KurrentDB. The commit position of an event is its position, so positions are
 * not dense. A page is taken from the window at the end of the store where that covers it; from a subscription
 * that the server filters, far behind; and from a plain read, which is always right, in between.
 */
export async function eventStoreDb<E>(options: {
  url: string;
  codec: Codec<E>;
  runtime: Runtime;
  log?: Log | undefined;
}): Promise<EventStore<E>> {
  const { codec, runtime, log } = options;
  const connection = eventStoreDbConnection(options);
  let closed = false;
  const isClosed = () => closed;
  const reads = eventStoreDbReads({ connection, runtime, isClosed });
  const tail = eventStoreDbTail({ connection, reads, runtime, log });
  const onStrange = strangers(log);
  const append = eventStoreDbAppends({ connection, reads, codec, runtime, log, isClosed });
  const catchUp = eventStoreDbCatchUp({ connection, reads, codec, runtime, log, onStrange });
  /** As far as this process knows: it may be further. */
  let head = 0;
  const seen = <T extends number>(position: T): T => {
    head = Math.max(head, position);
    return position;
  };

  const cut = (
    placedEvents: readonly PlacedEvent[],
    to: number,
    filters: readonly Filter[],
    eventsMax: number,
  ) => {
    const isWanted = wantedOf(filters, codec, onStrange);
    const events: Recorded<E>[] = [];
    for (const each of placedEvents) {
      const event = isWanted(each);
      if (!event) continue;
      if (events.length === eventsMax)
        return { events, position: events.at(-1)?.position ?? to, isCut: true };
      events.push(event);
    }
    return { events, position: to, isCut: false };
  };

  /** From the window at the end; null where it does not cover it, or is not up to date. */
  const pageOfTail = async (after: number, filters: readonly Filter[], eventsMax: number) => {
    const held = tail.since(after);
    if (!held) return null;
    const first = cut(held.events, held.to, filters, eventsMax);
    if (first.isCut) return { ...first, atEnd: false };
    // Only the server knows where the end is now; then the window is waited for, not read a second time.
    const end = seen(await reads.lastPosition());
    if (end <= held.to) return { ...first, atEnd: true };
    if (!(await tail.reaches(end, TAIL_PATIENCE_MS))) return null;
    const grown = tail.since(after);
    if (!grown) return null;
    const page = cut(grown.events, grown.to, filters, eventsMax);
    return { ...page, atEnd: !page.isCut };
  };

  const plainPage = async (after: number, filters: readonly Filter[], eventsMax: number) => {
    const isWhole = filters.some((filter) => Object.keys(filter).length === 0);
    const count = isWhole ? eventsMax : Math.max(eventsMax, Math.min(FILTERED_EVENTS_LEAST, eventsMax * 16));
    const { events, atEnd } = await reads.after(after, count);
    const page = cut(events, seen(events.at(-1)?.position ?? after), filters, eventsMax);
    return { ...page, atEnd: atEnd && !page.isCut };
  };

  const id = await eventStoreDbIdentity({ connection, reads, runtime }).catch(async (error: unknown) => {
    await connection.close();
    throw error;
  });
  seen(await reads.lastPosition());
  return {
    id,
    codec,
    textOf: ({ events }) => codec.encode(events),
    async append(commits, given) {
      const verdicts = await append(commits, given);
      for (const verdict of verdicts) if (verdict.verdict === 'ok') tail.advanced(seen(verdict.position));
      return verdicts;
    },
    async readStream(stream, fromRevision, eventsMax) {
      assert(eventsMax > 0);
      if (!isReadable(stream)) return [];
      const found = await reads.stream(stream, fromRevision, eventsMax);
      return found.map((event) => ownEvent(codec, event));
    },
    streamRevision: (stream) => reads.streamRevision(stream),
    async readAll(after, filter, eventsMax): Promise<Page<E>> {
      assert(eventsMax > 0);
      const filters = filtersOf(filter);
      const expression = serverExpression(filters, codec);
      if (expression === 'nothing') {
        return { events: [], position: Math.max(after, seen(await reads.lastPosition())), atEnd: true };
      }
      const isFar =
        expression !== null && head - after > FAR_BEHIND_BYTES && eventsMax >= STREAMED_EVENTS_LEAST;
      const page =
        (await pageOfTail(after, filters, eventsMax)) ??
        (isFar ? await catchUp.page({ after, filters, expression, eventsMax }) : null) ??
        (await plainPage(after, filters, eventsMax));
      return { events: page.events, position: page.position, atEnd: page.atEnd };
    },
    head: async () => seen(await reads.lastPosition()),
    landmark: (position) => landmarkAt(reads, position),
    onAppend: (listener) => tail.onAppend(listener),
    async close() {
      if (closed) return;
      closed = true;
      catchUp.close();
      await Promise.all([tail.close(), connection.close()]);
    },
  };
}

/** An event of a stream that only BrokerX writes to. */
function ownEvent<E>(codec: Codec<E>, event: WireEvent): Recorded<E> {
  const mark = markOf(event);
  assert(mark, `revision ${event.revision} of ${event.streamId} was not written by BrokerX`);
  return recorded(codec, event, mark, placed({ event }).position);
}

async function landmarkAt(reads: EventStoreDbReads, position: number): Promise<Landmark | null> {
  if (position <= 0) return null;
  for await (const { event, position: at } of reads.backFrom(position)) {
    const mark = event && at <= position && isReadable(event.streamId) ? markOf(event) : null;
    if (mark) return { position: at, commitId: mark.id };
  }
  return null;
}

/** What a subscription lags behind the head in good health. Then the page is read plainly. */
const TAIL_PATIENCE_MS = 100;
/** Bytes of the log, some 5,000 events: beyond it a filtered subscription is cheaper than reading everything. */
const FAR_BEHIND_BYTES = 4_194_304;
/** Who reads smaller pages looks at a place, and does not catch up. */
const STREAMED_EVENTS_LEAST = 100;
/** Events of one plain read of which only some are wanted; fewer for a reader of tiny pages. */
const FILTERED_EVENTS_LEAST = 500;
const STRANGERS_MAX = 100;

/** Tells of each stream once that somebody else writes to it. */
function strangers(log: Log | undefined): (event: WireEvent) => void {
  const streams = new Set<string>();
  return ({ streamId, revision }) => {
    if (streams.has(streamId) || streams.size >= STRANGERS_MAX) return;
    streams.add(streamId);
    log?.warn(
      { stream: streamId, revision: String(revision) },
      'events that BrokerX did not write are left out',
    );
  };
}
