import type { Event } from '@brokerx/contracts';
import type { Recorded, Snapshots } from '@brokerx/infra';

/**
 * Events that no topic can take (larger than the brokers allow), and all later ones of the same key in that topic: order
 * within a key is what readers rely on, so a gap would be worse than a stop. What is withheld is remembered for the
 * next relay, and for whoever mends it.
 */
export type Withholding = {
  /** Whether the event must not be sent there. */
  holds(place: { topic: string; key: string }, position: number): boolean;
  /** Begins with this event; the next relay knows when it resolves (if the database does not crash that second). */
  begin(place: { topic: string; key: string }, event: Recorded<Event>, reason: string): Promise<void>;
  /** `topic/key` of all of them. */
  keys(): string[];
};

/** Its place among the snapshots: `topic/key`, at the position of the first event withheld. */
export const WITHHELD = { kind: 'relay-withheld', version: 1 };

export async function withholding(snapshots: Snapshots, storeId: string): Promise<Withholding> {
  const { kind, version } = WITHHELD;
  const from = new Map<string, number>();
  for (const key of await snapshots.keys(kind, version)) {
    const first = await snapshots.load({ kind, version, key });
    if (first) from.set(key, first.cursor.position);
  }
  const keyOf = ({ topic, key }: { topic: string; key: string }) => `${topic}/${key}`;
  return {
    holds: (place, position) => from.size > 0 && position >= (from.get(keyOf(place)) ?? Infinity),
    async begin(place, { event, position, revision }, reason) {
      const key = keyOf(place);
      await snapshots.save(
        { kind, version, key },
        { cursor: { storeId, position }, revision, state: JSON.stringify({ event: event.id, reason }) },
      );
      from.set(key, position);
    },
    keys: () => [...from.keys()].sort(),
  };
}
