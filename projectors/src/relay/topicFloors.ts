import type { FetchedMessage, KafkaFetcher, Landmark, PartitionOf } from '@brokerx/infra';
import type { TopicLayout } from './topicLayout.ts';
import { landmarkOf } from './topicMessages.ts';

/**
 * The floor of each partition: the position up to which everything was sent to it, read from the topics themselves. A relay begins
 * at the lowest floor, so that events which one partition has and another lost are sent again, and sends to each partition only
 * what lies above its own floor.
 */
export type TopicFloors = {
  /** The floors by slot; 0 where the partition has no message of this store. */
  positions: number[];
  /** The highest epoch of an earlier relay of this store; 0 without any. */
  epoch: number;
  /** The last event that a message names as its landmark; null where none does. */
  landmark: Landmark | null;
  /** The offset of the next message, by slot. */
  next: bigint[];
  /** True where there are messages of other stores. */
  foreign: boolean;
};

/**
 * Messages that are searched where the last one cannot be trusted. A relay has one request on its way, so a paused relay can leave
 * at most `SEND_MESSAGES_MAX` messages behind the first one of its successor. This is enough for two such relays.
 */
const LOOK_BACK_MESSAGES = 5_000n;
const FETCH = { waitMs: 1_000, bytesMax: 16 * 1024 * 1024 };
/** Replies without progress before the read fails. */
const EMPTY_FETCHES_MAX = 10;

/** Reads the floors for a relay that begins with this epoch; all messages are of earlier epochs. */
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
      // The highest epoch counts, wherever its message is; within one epoch the last message counts.
      if (!best || mark.epoch >= best.epoch) marks.set(keyOf(partition), mark);
    });
  };

  await look(filled, 1n);
  // A last message of the epoch just before this one can be trusted. One of an older epoch may come from a relay that was
  // paused, and wrote behind its successor. A watermark without a landmark is of an earlier version: then the last event is
  // searched for.
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

/** The position and epoch that a message states; null where it is no message of a relay. */
function markOf({ headers }: FetchedMessage): Mark | null {
  const { store, position, epoch } = headers;
  if (!store || !position || !epoch) return null;
  return { storeId: store, position: Number(position), epoch: Number(epoch), landmark: landmarkOf(headers) };
}

/** Calls `give` with every message of the partitions, from `offset` up to `next`. */
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
