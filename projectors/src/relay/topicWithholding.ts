import assert from 'node:assert/strict';
import { type Event, partitionOf } from '@brokerx/contracts';
import { type KafkaTopic, partitionKey, type Recorded, type Snapshots } from '@brokerx/infra';
import type { Place } from './topicLayout.ts';

/**
 * The events that are withheld from a topic: each event that is larger than the brokers allow, and all later ones of the same key.
 * Readers rely on the order within a key, so a gap would be worse than a stop. The first withheld event is remembered for the next
 * relay, and for the person who mends it. All messages of such a partition say that it is incomplete, for readers that can read
 * the store instead.
 */
export type Withholding = {
  /** True where an event of this key at this position must not be sent. */
  holds(place: { topic: string; key: string }, position: number): boolean;
  /** True where a key of this partition is withheld. */
  touches(place: { topic: string; partition: number }): boolean;
  /** Withholds this event and all later ones. Once it resolves, the next relay knows (unless the database crashes that second). */
  begin(place: Omit<Place, 'slot'>, event: Recorded<Event>, reason: string): Promise<void>;
  /** The withheld keys, as `topic/key`. */
  keys(): string[];
};

/** Snapshots of this kind remember it: the key is `topic/key`, the position that of the first withheld event. */
const WITHHELD = { kind: 'relay-withheld', version: 1 };

type Remembered = {
  /** Id of the first withheld event; null where that is no longer known. */
  event: string | null;
  reason: string;
  /** `topic/partition`. */
  partition: string;
};

export async function withholding(
  snapshots: Snapshots,
  { storeId, topics }: { storeId: string; topics: readonly KafkaTopic[] },
): Promise<Withholding> {
  const { kind, version } = WITHHELD;
  const from = new Map<string, number>();
  const touched = new Set<string>();
  for (const key of await snapshots.keys(kind, version)) {
    const first = await snapshots.load({ kind, version, key }, ({ state }) => rememberedFrom(state));
    if (first) {
      from.set(key, first.cursor.position);
      touched.add(first.state.partition);
      continue;
    }
    // The beginning is no longer known, so the whole key is withheld: readers can bear that, unlike a gap.
    const partition = partitionOfKey(topics, key);
    const state: Remembered = { event: null, reason: 'what was remembered of it is damaged', partition };
    await snapshots.save(
      { kind, version, key },
      { cursor: { storeId, position: 0 }, revision: -1, state: JSON.stringify(state) },
    );
    from.set(key, 0);
    touched.add(partition);
  }
  const keyOf = ({ topic, key }: { topic: string; key: string }) => `${topic}/${key}`;
  return {
    holds: (place, position) => from.size > 0 && position >= (from.get(keyOf(place)) ?? Infinity),
    touches: (place) => touched.has(partitionKey(place)),
    async begin(place, { event, position, revision }, reason) {
      const key = keyOf(place);
      const partition = partitionKey(place);
      const remembered: Remembered = { event: event.id, reason, partition };
      await snapshots.save(
        { kind, version, key },
        { cursor: { storeId, position }, revision, state: JSON.stringify(remembered) },
      );
      from.set(key, position);
      touched.add(partition);
    },
    keys: () => [...from.keys()].sort(),
  };
}

function rememberedFrom(state: string): Remembered {
  const remembered = JSON.parse(state) as Remembered;
  assert(typeof remembered.partition === 'string', 'it says no partition');
  return remembered;
}

function partitionOfKey(topics: readonly KafkaTopic[], named: string): string {
  const slash = named.indexOf('/');
  const topic = named.slice(0, slash);
  const partitions = topics.find(({ name }) => name === topic)?.partitions ?? 1;
  return partitionKey({ topic, partition: partitionOf(named.slice(slash + 1), partitions) });
}
