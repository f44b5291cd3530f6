import type { Event } from '@brokerx/contracts';
import { partitionKey, type Recorded, type Snapshots } from '@brokerx/infra';
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
export const WITHHELD = { kind: 'relay-withheld', version: 1 };

type Remembered = {
  event: string;
  reason: string;
  /** `topic/partition`. */
  partition: string;
};

export async function withholding(snapshots: Snapshots, storeId: string): Promise<Withholding> {
  const { kind, version } = WITHHELD;
  const from = new Map<string, number>();
  const touched = new Set<string>();
  for (const key of await snapshots.keys(kind, version)) {
    const first = await snapshots.load({ kind, version, key });
    if (!first) continue;
    from.set(key, first.cursor.position);
    touched.add((JSON.parse(first.state) as Remembered).partition);
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
