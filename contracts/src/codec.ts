import type { Event } from './events.ts';
import { type Upcasters, upcast, upcasters } from './upcast.ts';

/**
 * The stored form of a commit: a JSON array of envelopes. The text is kept as it was written (it is hashed later).
 * Reading trusts what was written, and upcasts; an event of an unknown type passes through, for readers that ignore it.
 */
export function eventCodec(steps: Upcasters = upcasters) {
  const plain = Object.keys(steps).length === 0;
  return {
    encode: (events: readonly Event[]): string => JSON.stringify(events),
    decode: (text: string): Event[] => {
      const events = JSON.parse(text) as Event[];
      return plain ? events : events.map((event) => upcast(event, steps) as Event);
    },
  };
}
