import assert from 'node:assert/strict';
import { type Event, partitionOf } from '@brokerx/contracts';
import { type KafkaTopic, partitionKey, type Recorded, type Snapshots } from '@brokerx/infra';
import type { Place } from './topicLayout.ts';

/**
 * Events that no topic can take (larger than the brokers allow), and all later ones of the same key in that topic: order
 * within a key is what readers rely on, so a gap would be worse than a stop. What is withheld is remembered for the
 * next relay, and for whoever mends it. All messages of such a partition say that it does not tell everything, for
 * readers who can read the store instead.
 */
export type Withholding = {
  /** Whether the event must not be sent there. */
  holds(place: { topic: string; key: string }, position: number): boolean;
  /** Whether something is withheld of this partition. */
  touches(place: { topic: string; partition: number }): boolean;
  /** Begins with this event; the next relay knows when it resolves (if the database does not crash that second). */
  begin(place: Omit<Place, 'slot'>, event: Recorded<Event>, reason: string): Promise<void>;
  /** `topic/key` of all of them. */
  keys(): string[];
};

/** Its place among the snapshots: `topic/key`, at the position of the first event withheld. */
const WITHHELD = { kind: 'relay-withheld', version: 1 };

type Remembered = {
  /** Id of the first one; null where it is not known any more. */
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
    // Since when is not known any more: all of the key is withheld, which readers can bear, unlike a gap.
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
