import assert from 'node:assert/strict';
import { type Codec, type Filter, matcher, type Recorded } from '../../eventStore/eventStore.ts';
import { firstAfter } from '../../eventStore/firstAfter.ts';
import type { FetchedMessage } from '../../kafka/fetch.ts';
import { type Gathered, lowest, type Places } from '../division.ts';
import { parseTopicMessage, type TopicEvent, type TopicMessage } from './message.ts';

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

type Entry<E> = { position: number; event: TopicEvent; recorded: Recorded<E> | null };
type Partition<E> = {
  /** Offset that the next message must have; null: any. */
  nextOffset: bigint | null;
  epoch: number;
  /** The window has everything after this position; null: the partition has not begun. */
  from: number | null;
  /** Position of the last message. */
  to: number;
  entries: Entry<E>[];
};

export function topicWindow<E>(options: {
  storeId: string;
  codec: Codec<E>;
  partitions: number;
  eventsMax: number;
  bytesMax: number;
  /** Called with the reason when a partition begins anew. */
  onGap: (partition: number, why: string) => void;
}): TopicWindow<E> {
  const { storeId, codec, eventsMax, bytesMax, onGap } = options;
  const partitions = Array.from({ length: options.partitions }, unread<E>);
  let events = 0;
  let bytes = 0;

  const drop = (partition: Partition<E>, count: number) => {
    if (count === 0) return;
    const dropped = partition.entries.splice(0, count);
    events -= count;
    for (const { event } of dropped) bytes -= event.text.length;
    if (partition.from !== null) partition.from = Math.max(partition.from, dropped.at(-1)?.position ?? 0);
  };
  const beginAnew = (partition: Partition<E>) => {
    drop(partition, partition.entries.length);
    Object.assign(partition, unread<E>());
  };

  const putOne = (partition: Partition<E>, message: TopicMessage): string | null => {
    if (message.storeId !== storeId || message.epoch < partition.epoch) return null;
    let why: string | null = null;
    if (message.epoch > partition.epoch) {
      // If the new relay continues beyond our last position, only its predecessor could say whether an event lies between.
      if (partition.from !== null && message.position > partition.to) {
        why = `a relay of epoch ${message.epoch} goes on after one of epoch ${partition.epoch}`;
        beginAnew(partition);
      }
      partition.epoch = message.epoch;
    }
    if (!message.isWhole) {
      if (partition.from !== null) why = `the relay has withheld something at or below ${message.position}`;
      beginAnew(partition);
      return why;
    }
    if (partition.from === null) {
      partition.from = partition.to = message.position;
    } else if (message.position > partition.to) {
      partition.to = message.position;
      if (message.event) {
        partition.entries.push({ position: message.position, event: message.event, recorded: null });
        events += 1;
        bytes += message.event.text.length;
      }
    }
    return why;
  };

  const covers = (reader: WindowReader<E>, places: Places): boolean =>
    reader.partitions.every((number) => {
      const from = partitions[number]?.from ?? null;
      return from !== null && (places[number] ?? 0) >= from;
    });

  /** Decodes together the entries that no reader has wanted before. */
  const decode = (entries: readonly Entry<E>[]) => {
    const missing = entries.filter(({ recorded }) => recorded === null);
    if (missing.length === 0) return;
    const decoded = codec.decode(`[${missing.map(({ event }) => event.text.toString()).join(',')}]`);
    assert.equal(decoded.length, missing.length, 'a message holds another number of events than one');
    for (const [i, entry] of missing.entries()) {
      const { text: _, ...place } = entry.event;
      entry.recorded = { ...place, event: decoded[i] as E };
    }
  };

  return {
    put(number, messages) {
      const partition = partitions[number];
      assert(partition, `partition ${number} is not one of the topic's`);
      for (const fetched of messages) {
        const { offset } = fetched;
        if (partition.nextOffset !== null && offset !== partition.nextOffset) {
          onGap(number, `offset ${offset} came instead of ${partition.nextOffset}`);
          beginAnew(partition);
        }
        const message = parseTopicMessage(fetched);
        const why = message && putOne(partition, message);
        if (why) onGap(number, why);
        partition.nextOffset = offset + 1n;
      }
    },
    covers,
    hasNothingFor: (reader, places) =>
      reader.partitions.every((number) => (places[number] ?? 0) >= (partitions[number]?.to ?? 0)),
    gather(reader, places, eventsMaxOfBatch) {
      if (!covers(reader, places)) return null;
      const heads = reader.partitions.map((number) => {
        const { entries } = partitions[number] as Partition<E>;
        return { entries, next: firstAfter(entries, places[number] ?? 0) };
      });
      const entries: Entry<E>[] = [];
      let cut: number | null = null;
      for (let entry = takeLowest(heads); entry; entry = takeLowest(heads)) {
        if (!reader.mayWant(entry.event)) continue;
        if (entries.length === eventsMaxOfBatch) {
          cut = entries.at(-1)?.position ?? 0;
          break;
        }
        entries.push(entry);
      }
      decode(entries);
      const batch = entries.flatMap(({ recorded }) => (recorded && reader.wants(recorded) ? [recorded] : []));
      const to = [...places];
      for (const number of reader.partitions) {
        const read = partitions[number]?.to ?? 0;
        to[number] = Math.max(places[number] ?? 0, cut === null ? read : Math.min(read, cut));
      }
      // Other partitions hold nothing for this reader: they count as equally far.
      const low = lowest(to, reader.partitions);
      return { events: batch, places: to.map((place) => Math.max(place, low)), live: cut === null };
    },
    reached: (numbers) =>
      Math.min(
        ...numbers.map((number) => (partitions[number]?.from === null ? -1 : (partitions[number]?.to ?? 0))),
      ),
    isFull: () => events > eventsMax || bytes > bytesMax,
    forget(places) {
      // Rarely enough that moving the rest costs nothing; the rest serves consumers that come from the store.
      if (events < eventsMax / KEPT && bytes < bytesMax / KEPT) return;
      for (const [number, partition] of partitions.entries()) {
        drop(partition, firstAfter(partition.entries, places[number] ?? 0));
      }
    },
    dropOldest() {
      const heads = partitions.map(({ entries }) => ({ entries, next: 0 }));
      let [eventsLeft, bytesLeft] = [events, bytes];
      // Drops a tenth more than necessary, so that this is not done for each message.
      const enough = 1 - 1 / KEPT;
      while (eventsLeft > eventsMax * enough || bytesLeft > bytesMax * enough) {
        const entry = takeLowest(heads);
        if (!entry) break;
        eventsLeft -= 1;
        bytesLeft -= entry.event.text.length;
      }
      for (const [number, { next }] of heads.entries()) drop(partitions[number] as Partition<E>, next);
    },
    beginAnew(number) {
      const partition = partitions[number];
      if (partition) beginAnew(partition);
    },
  };
}

/** A tenth of the window is kept even if all readers have it, and a tenth is dropped at a time. */
const KEPT = 10;

const unread = <E>(): Partition<E> => ({ nextOffset: null, epoch: 0, from: null, to: 0, entries: [] });

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
