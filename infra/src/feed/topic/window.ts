import assert from 'node:assert/strict';
import { type Codec, type Filter, matcher, type Recorded } from '../../eventStore/eventStore.ts';
import { firstAfter } from '../../eventStore/firstAfter.ts';
import type { FetchedMessage } from '../../kafka/fetch.ts';
import { type Gathered, lowest, type Places } from '../division.ts';
import { parseTopicMessage, type TopicEvent } from './message.ts';
import {
  beginAnew,
  dropEntries,
  type Entry,
  type Load,
  type Partition,
  takeMessage,
  unreadPartition,
} from './partition.ts';

/**
 * The newest messages of a topic's partitions, each complete after a certain position. That rests on three things: the relay
 * sends an event to a partition only after all earlier ones; offsets within a partition have no gaps; and a new relay is
 * trusted about its own messages, not about those of its predecessors. So each partition begins with the first message seen,
 * and begins anew wherever one of these does not hold; earlier events are in the store. While the relay withholds an event of
 * a partition, the partition does not begin.
 */
export type TopicWindow<E> = {
  /** Adds messages, in the order of the partition. */
  put(partition: number, messages: readonly FetchedMessage[]): void;
  /** The reader's events after its places, in the order of positions; null if there may be a gap before them. */
  gather(reader: WindowReader<E>, places: Places, eventsMax: number): Gathered<E> | null;
  /** Whether the window has everything after these places that was read at all. */
  covers(reader: WindowReader<E>, places: Places): boolean;
  /** Whether nothing after these places was read. */
  hasNothingFor(reader: WindowReader<E>, places: Places): boolean;
  /** Position up to which all these partitions were read; -1 if one of them has not begun. */
  reached(partitions: readonly number[]): number;
  /** Whether the window exceeds its bounds: readers must take events, or the oldest be dropped. */
  isFull(): boolean;
  /** Drops the entries at or below these places, once they are many enough. */
  forget(places: Places): void;
  dropOldest(): void;
  /** Forgets the partition: there may be a gap before the next message. */
  beginAnew(partition: number): void;
};

/** A reader's filter, prepared once for many events. */
export type WindowReader<E> = {
  partitions: readonly number[];
  /** Whether the reader may want an event, judged by its text: `wants` decides after decoding. */
  mayWant(event: TopicEvent): boolean;
  wants(recorded: Recorded<E>): boolean;
};

export function windowReader<E>(
  filter: Filter,
  partitions: readonly number[],
  codec: Codec<E>,
): WindowReader<E> {
  // Without types the matcher does not look at the event itself, which is still text.
  const matchesCommit = matcher({ ...filter, types: undefined }, codec);
  const marks = filter.types && codec.marksOf(filter.types);
  return {
    partitions,
    mayWant: (event) =>
      matchesCommit(event as typeof event & { event: E }) &&
      (!marks || marks.some((mark) => event.text.includes(mark))),
    wants: filter.types ? matcher(filter, codec) : () => true,
  };
}

type WindowOptions<E> = {
  storeId: string;
  codec: Codec<E>;
  partitions: number;
  eventsMax: number;
  bytesMax: number;
  /** Called with the reason when a partition begins anew. */
  onGap: (partition: number, why: string) => void;
};

export function topicWindow<E>(options: WindowOptions<E>): TopicWindow<E> {
  const window: WindowState<E> = {
    ...options,
    partitions: Array.from({ length: options.partitions }, unreadPartition<E>),
    load: { events: 0, bytes: 0 },
  };
  return {
    put: (partition, messages) => put(window, partition, messages),
    gather: (reader, places, eventsMax) => gather(window, reader, places, eventsMax),
    covers: (reader, places) => covers(window, reader, places),
    hasNothingFor: (reader, places) => hasNothingFor(window, reader, places),
    reached: (partitions) => reached(window, partitions),
    isFull: () => window.load.events > window.eventsMax || window.load.bytes > window.bytesMax,
    forget: (places) => forget(window, places),
    dropOldest: () => dropOldest(window),
    beginAnew(number) {
      const partition = window.partitions[number];
      if (partition) beginAnew(partition, window.load);
    },
  };
}

/** What the window knows: its bounds, and the partitions with what they hold. */
type WindowState<E> = Omit<WindowOptions<E>, 'partitions'> & {
  /** The partitions by their numbers. */
  readonly partitions: readonly Partition<E>[];
  readonly load: Load;
};

function put<E>(window: WindowState<E>, number: number, messages: readonly FetchedMessage[]): void {
  const { storeId, load, onGap } = window;
  const partition = window.partitions[number];
  assert(partition, `partition ${number} is not one of the topic's`);
  for (const fetched of messages) {
    const { offset } = fetched;
    if (partition.nextOffset !== null && offset !== partition.nextOffset) {
      onGap(number, `offset ${offset} came instead of ${partition.nextOffset}`);
      beginAnew(partition, load);
    }
    const message = parseTopicMessage(fetched);
    const gap = message?.storeId === storeId ? takeMessage(partition, message, load) : null;
    if (gap) onGap(number, gap);
    partition.nextOffset = offset + 1n;
  }
}

function gather<E>(
  window: WindowState<E>,
  reader: WindowReader<E>,
  places: Places,
  eventsMax: number,
): Gathered<E> | null {
  if (!covers(window, reader, places)) return null;
  const heads = reader.partitions.map((number) => {
    const { entries } = window.partitions[number] as Partition<E>;
    return { entries, next: firstAfter(entries, places[number] ?? 0) };
  });
  const entries: Entry<E>[] = [];
  let cut: number | null = null;
  for (let entry = takeLowest(heads); entry; entry = takeLowest(heads)) {
    if (!reader.mayWant(entry.event)) continue;
    if (entries.length === eventsMax) {
      cut = entries.at(-1)?.position ?? 0;
      break;
    }
    entries.push(entry);
  }
  decode(entries, window.codec);
  const events = entries.flatMap(({ recorded }) => (recorded && reader.wants(recorded) ? [recorded] : []));
  return { events, places: placesAfter(window, reader, places, cut), live: cut === null };
}

/** The reader's places after a batch, which was cut at a position or, where that is null, has all that was read. */
function placesAfter<E>(
  window: WindowState<E>,
  reader: WindowReader<E>,
  places: Places,
  cut: number | null,
): Places {
  const to = [...places];
  for (const number of reader.partitions) {
    const read = window.partitions[number]?.to ?? 0;
    to[number] = Math.max(places[number] ?? 0, cut === null ? read : Math.min(read, cut));
  }
  // Other partitions hold nothing for this reader: they count as equally far.
  const low = lowest(to, reader.partitions);
  return to.map((place) => Math.max(place, low));
}

/** Decodes together the entries that no reader has wanted before. */
function decode<E>(entries: readonly Entry<E>[], codec: Codec<E>): void {
  const missing = entries.filter(({ recorded }) => recorded === null);
  if (missing.length === 0) return;
  const decoded = codec.decode(`[${missing.map(({ event }) => event.text.toString()).join(',')}]`);
  assert.equal(decoded.length, missing.length, 'a message holds another number of events than one');
  for (const [i, entry] of missing.entries()) {
    const { text: _, ...place } = entry.event;
    entry.recorded = { ...place, event: decoded[i] as E };
  }
}

function covers<E>({ partitions }: WindowState<E>, reader: WindowReader<E>, places: Places): boolean {
  return reader.partitions.every((number) => {
    const partition = partitions[number];
    return partition?.mode === 'begun' && (places[number] ?? 0) >= partition.from;
  });
}

function hasNothingFor<E>({ partitions }: WindowState<E>, reader: WindowReader<E>, places: Places): boolean {
  return reader.partitions.every((number) => (places[number] ?? 0) >= (partitions[number]?.to ?? 0));
}

function reached<E>({ partitions }: WindowState<E>, numbers: readonly number[]): number {
  return Math.min(
    ...numbers.map((number) => (partitions[number]?.mode === 'unread' ? -1 : (partitions[number]?.to ?? 0))),
  );
}

function forget<E>({ partitions, load, eventsMax, bytesMax }: WindowState<E>, places: Places): void {
  // Rarely enough that moving the rest costs nothing; the rest serves consumers that come from the store.
  if (load.events < eventsMax / KEPT && load.bytes < bytesMax / KEPT) return;
  for (const [number, partition] of partitions.entries()) {
    dropEntries(partition, firstAfter(partition.entries, places[number] ?? 0), load);
  }
}

function dropOldest<E>({ partitions, load, eventsMax, bytesMax }: WindowState<E>): void {
  const heads = partitions.map(({ entries }) => ({ entries, next: 0 }));
  let { events, bytes } = load;
  // Drops a tenth more than necessary, so that this is not done for each message.
  const enough = 1 - 1 / KEPT;
  while (events > eventsMax * enough || bytes > bytesMax * enough) {
    const entry = takeLowest(heads);
    if (!entry) break;
    events -= 1;
    bytes -= entry.event.text.length;
  }
  for (const [number, { next }] of heads.entries()) {
    dropEntries(partitions[number] as Partition<E>, next, load);
  }
}

/** A tenth of the window is kept even if all readers have it, and a tenth is dropped at a time. */
const KEPT = 10;

/** The entry of the lowest position among the next of each partition. */
function takeLowest<E>(heads: { entries: readonly Entry<E>[]; next: number }[]): Entry<E> | null {
  let first: (typeof heads)[number] | null = null;
  let position = Number.POSITIVE_INFINITY;
  for (const head of heads) {
    const entry = head.entries[head.next];
    if (entry && entry.position < position) {
      first = head;
      position = entry.position;
    }
  }
  if (!first) return null;
  const entry = first.entries[first.next];
  first.next += 1;
  return entry ?? null;
}
