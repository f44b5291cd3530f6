import type { FetchedMessage, KafkaFetcher, Landmark, PartitionOf } from '@brokerx/infra';
import type { TopicLayout } from './topicLayout.ts';
import { landmarkOf } from './topicMessages.ts';

/**
 * Where the topics stand, read from the topics themselves: of each partition, the position up to which everything was
 * sent. A relay begins at the lowest of them, so that what one partition acknowledged and another lost is sent again, and
 * gives each partition only what lies above its own.
 */
export type TopicFloors = {
  /** By slot; 0 where there is nothing of this store. */
  positions: number[];
  /** The highest epoch of this store's relays that was found; 0 when none was. */
  epoch: number;
  /** The last event that any of these messages rests on; null where none of them says. */
  landmark: Landmark | null;
  /** The offset that comes next, by slot. */
  next: bigint[];
  /** Whether there are messages of other stores. */
  foreign: boolean;
};

/**
 * Messages that are looked through where the last one cannot be trusted. A relay has one request on its way, so a
 * paused one leaves no more than that (`SEND_MESSAGES_MAX`) behind the first message of its successor; twice
 * as many and more, if there were two of them.
 */
const LOOK_BACK_MESSAGES = 5_000n;
const FETCH = { waitMs: 1_000, bytesMax: 16 * 1024 * 1024 };
/** Replies without any progress until it is given up. */
const EMPTY_FETCHES_MAX = 10;

/** `epoch`: of the relay that begins; what it finds is of earlier ones. */
export async function readFloors(
  fetcher: KafkaFetcher,
  { topics, slots }: TopicLayout,
  { storeId, epoch }: { storeId: string; epoch: number },
): Promise<TopicFloors> {
  const bounds = new Map((await fetcher.bounds(topics)).map((each) => [keyOf(each), each]));
  const filled = slots.flatMap((slot) => {
    const { first = 0n, next = 0n } = bounds.get(keyOf(slot)) ?? {};
    return next > first ? [{ ...slot, first, next }] : [];
  });
  const marks = new Map<string, Mark>();
  let foreign = false;
  let landmark: Landmark | null = null;
  let isOfOldForm = false;

  const look = async (partitions: typeof filled, back: bigint): Promise<void> => {
    const from = partitions.map((each) => ({
      ...each,
      offset: each.next - back < each.first ? each.first : each.next - back,
    }));
    await readUpTo(fetcher, from, (partition, message) => {
      const mark = markOf(message);
      if (mark?.storeId !== storeId) {
        foreign = true;
        return;
      }
      if (!mark.landmark) isOfOldForm = true;
      else if (mark.landmark.position >= (landmark?.position ?? 0)) landmark = mark.landmark;
      const best = marks.get(keyOf(partition));
      // Of one epoch the last one counts, and a later epoch before an earlier one, wherever it stands.
      if (!best || mark.epoch >= best.epoch) marks.set(keyOf(partition), mark);
    });
  };

  await look(filled, 1n);
  // Nobody can have written between the relay of the epoch just before and this one. Anything older may have been
  // written by a relay that was paused, behind what a successor of it wrote and then nobody else.
  // And where a watermark does not say what it rests on, an earlier version wrote it: the last event is looked for.
  const doubtful = filled.filter((each) => isOfOldForm || (marks.get(keyOf(each))?.epoch ?? -1) < epoch - 1);
  await look(doubtful, LOOK_BACK_MESSAGES);

  return {
    positions: slots.map((slot) => marks.get(keyOf(slot))?.position ?? 0),
    epoch: Math.max(0, ...marks.values().map((mark) => mark.epoch)),
    next: slots.map((slot) => bounds.get(keyOf(slot))?.next ?? 0n),
    foreign,
    landmark,
  };
}

const keyOf = ({ topic, partition }: PartitionOf): string => `${topic}/${partition}`;

type Mark = { storeId: string; position: number; epoch: number; landmark: Landmark | null };

/** Null: not one of a relay's messages. */
function markOf({ headers }: FetchedMessage): Mark | null {
  const { store, position, epoch } = headers;
  if (!store || !position || !epoch) return null;
  return { storeId: store, position: Number(position), epoch: Number(epoch), landmark: landmarkOf(headers) };
}

/** Gives every message from the offsets up to what came next when they were taken. */
async function readUpTo(
  fetcher: KafkaFetcher,
  from: readonly (PartitionOf & { offset: bigint; next: bigint })[],
  give: (partition: PartitionOf, message: FetchedMessage) => void,
): Promise<void> {
  let open = [...from];
  for (let empty = 0; open.length > 0; ) {
    const replies = await fetcher.fetch(open, FETCH);
    const last = new Map<string, bigint>();
    for (const { messages, ...partition } of replies) {
      for (const message of messages) give(partition, message);
      const end = messages.at(-1)?.offset;
      if (end !== undefined) last.set(keyOf(partition), end);
    }
    empty = last.size === 0 ? empty + 1 : 0;
    if (empty === EMPTY_FETCHES_MAX) throw new Error('the brokers do not give what they say they have');
    open = open
      .map((each) => ({ ...each, offset: (last.get(keyOf(each)) ?? each.offset - 1n) + 1n }))
      .filter(({ offset, next }) => offset < next);
  }
}
