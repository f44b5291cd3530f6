import assert from 'node:assert/strict';
import { type Codec, type Filter, matcher, type Recorded } from '../../eventStore/eventStore.ts';
import { firstAfter } from '../../eventStore/firstAfter.ts';
import type { FetchedMessage } from '../../kafka/fetch.ts';
import { type Gathered, lowest, type Places } from '../division.ts';
import { parseTopicMessage, type TopicEvent, type TopicMessage } from './message.ts';

/**
 * The newest messages of a topic's partitions, and what can be said of them: that nothing is missing after a certain
 * position. That rests on three things. The relay sends nothing to a partition before everything below it is there;
 * offsets within a partition have no gaps; and a new relay is believed about what it sends itself, not about what others
 * sent before. So each partition begins with the first message seen and begins anew wherever one of these does
 * not hold; what lies before the beginning is in the store. One of which the relay says that it withholds something never
 * begins.
 */
export type TopicWindow<E> = {
  /** Takes messages in the order of the partition. */
  put(partition: number, messages: readonly FetchedMessage[]): void;
  /** What the reader wants beyond its places, in the order of positions; null where there may be a gap before it. */
  gather(reader: WindowReader<E>, places: Places, eventsMax: number): Gathered<E> | null;
  /** Whether everything after these places is here, as far as it was read at all. */
  covers(reader: WindowReader<E>, places: Places): boolean;
  /** Whether nothing was read beyond these places. */
  hasNothingFor(reader: WindowReader<E>, places: Places): boolean;
  /** Position up to which all these partitions were read; -1 where one of them gives no word yet. */
  reached(partitions: readonly number[]): number;
  /** Whether it holds more than it should: somebody must take, or the oldest be dropped. */
  isFull(): boolean;
  /** Drops what lies at or below these places, when there is enough of it. */
  forget(places: Places): void;
  dropOldest(): void;
  /** There may be a gap before whatever comes next. */
  beginAnew(partition: number): void;
};

/** What a reader wants, made once for many events. */
export type WindowReader<E> = {
  partitions: readonly number[];
  /** Whether an event may be wanted, seen from outside: what it became in decoding is known only then. */
  mayWant(event: TopicEvent): boolean;
  wants(recorded: Recorded<E>): boolean;
};

export function windowReader<E>(
  filter: Filter,
  partitions: readonly number[],
  codec: Codec<E>,
): WindowReader<E> {
  // Without types it does not look at the event itself, which is still text.
  const ofCommit = matcher({ ...filter, types: undefined }, codec);
  const marks = filter.types && codec.marksOf(filter.types);
  return {
    partitions,
    mayWant: (event) =>
      ofCommit(event as typeof event & { event: E }) &&
      (!marks || marks.some((mark) => event.text.includes(mark))),
    wants: filter.types ? matcher(filter, codec) : () => true,
  };
}

type Entry<E> = { position: number; event: TopicEvent; recorded: Recorded<E> | null };
type Partition<E> = {
  /** Offset of the message that has to come next; null: any may. */
  nextOffset: bigint | null;
  epoch: number;
  /** Everything after this position is here; null: nothing is known. */
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
  /** A partition begins anew, and why. */
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
      // Where it goes on beyond what we have, only its predecessor could tell whether anything lies between.
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

  /** Decodes those that nobody has wanted yet, all at once. */
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
      const found: Entry<E>[] = [];
      let cut: number | null = null;
      for (let entry = takeLowest(heads); entry; entry = takeLowest(heads)) {
        if (!reader.mayWant(entry.event)) continue;
        if (found.length === eventsMaxOfBatch) {
          cut = found.at(-1)?.position ?? 0;
          break;
        }
        found.push(entry);
      }
      decode(found);
      const given = found.flatMap(({ recorded }) => (recorded && reader.wants(recorded) ? [recorded] : []));
      const to = [...places];
      for (const number of reader.partitions) {
        const read = partitions[number]?.to ?? 0;
        to[number] = Math.max(places[number] ?? 0, cut === null ? read : Math.min(read, cut));
      }
      // The others hold nothing for it: they are as far as all of them.
      const low = lowest(to, reader.partitions);
      return { events: given, places: to.map((place) => Math.max(place, low)), live: cut === null };
    },
    reached: (numbers) =>
      Math.min(
        ...numbers.map((number) => (partitions[number]?.from === null ? -1 : (partitions[number]?.to ?? 0))),
      ),
    isFull: () => events > eventsMax || bytes > bytesMax,
    forget(places) {
      // Seldom enough for the move of the rest to cost nothing; and what is left is there for who comes from the store.
      if (events < eventsMax / KEPT && bytes < bytesMax / KEPT) return;
      for (const [number, partition] of partitions.entries()) {
        drop(partition, firstAfter(partition.entries, places[number] ?? 0));
      }
    },
    dropOldest() {
      const heads = partitions.map(({ entries }) => ({ entries, next: 0 }));
      let [eventsLeft, bytesLeft] = [events, bytes];
      // Some more than is too much, so that it is not done for each message.
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

/** A tenth of the window is kept even where all have it, and is dropped at a time. */
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
