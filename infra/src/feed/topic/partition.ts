import type { Recorded } from '../../eventStore/eventStore.ts';
import type { TopicEvent, TopicMessage } from './message.ts';

/**
 * One partition of a topic, as the window holds it. Its mode says whether readers are served from it:
 *
 *     unread ──a whole message──▶ begun ──a gap is possible──▶ unread
 *
 * A gap is possible where an offset is missing, where a new relay continues beyond the last position, and where the relay withholds an
 * event. The tail begins a partition anew as well, when its fetching breaks off or a message cannot be decoded.
 */
export type Partition<E> = {
  mode: 'unread' | 'begun';
  /** Offset that the next message must have; null: any. */
  nextOffset: bigint | null;
  /** The highest epoch of the relays whose messages were read. */
  epoch: number;
  /** Once begun, the window has everything after this position. */
  from: number;
  /** Position of the last message. */
  to: number;
  entries: Entry<E>[];
};

/** An event, which stays text until the first reader wants it. */
export type Entry<E> = { position: number; event: TopicEvent; recorded: Recorded<E> | null };

/** The events that the partitions of a window hold together, and the bytes of their text. */
export type Load = { events: number; bytes: number };

export const unreadPartition = <E>(): Partition<E> => ({
  mode: 'unread',
  nextOffset: null,
  epoch: 0,
  from: 0,
  to: 0,
  entries: [],
});

/** Takes the next message of this store; returns why the partition began anew, or null. */
export function takeMessage<E>(partition: Partition<E>, message: TopicMessage, load: Load): string | null {
  if (message.epoch < partition.epoch) return null;
  let gap: string | null = null;
  if (message.epoch > partition.epoch) {
    // If the new relay continues beyond our last position, only its predecessor could say whether an event lies between.
    if (partition.mode === 'begun' && message.position > partition.to) {
      gap = `a relay of epoch ${message.epoch} goes on after one of epoch ${partition.epoch}`;
      beginAnew(partition, load);
    }
    partition.epoch = message.epoch;
  }
  if (!message.isWhole) {
    if (partition.mode === 'begun') gap = `the relay has withheld something at or below ${message.position}`;
    beginAnew(partition, load);
    return gap;
  }
  if (partition.mode === 'unread') {
    partition.mode = 'begun';
    partition.from = partition.to = message.position;
  } else if (message.position > partition.to) {
    partition.to = message.position;
    if (message.event) {
      partition.entries.push({ position: message.position, event: message.event, recorded: null });
      load.events += 1;
      load.bytes += message.event.text.length;
    }
  }
  return gap;
}

/** Forgets everything: there may be a gap before the next message. */
export function beginAnew<E>(partition: Partition<E>, load: Load): void {
  dropEntries(partition, partition.entries.length, load);
  Object.assign(partition, unreadPartition<E>());
}

/** Drops the oldest entries: the partition is complete after the last of them. */
export function dropEntries<E>(partition: Partition<E>, count: number, load: Load): void {
  if (count === 0) return;
  const dropped = partition.entries.splice(0, count);
  load.events -= count;
  for (const { event } of dropped) load.bytes -= event.text.length;
  partition.from = Math.max(partition.from, dropped.at(-1)?.position ?? 0);
}
