import type { Envelope } from './envelope.ts';

/**
 * Turns events of old versions into today's; no other code does. An upcaster takes an event of the version in its key
 * and returns the next version, so several may apply in turn. A published version is never edited: it gets an entry
 * here and keeps its fixture.
 */
export type Upcasters = Readonly<Record<string, (event: Envelope) => Envelope>>;

export const upcasters: Upcasters = {};

export function upcast(event: Envelope, steps: Upcasters = upcasters): Envelope {
  let current = event;
  for (let step = steps[current.type]; step; step = steps[current.type]) current = step(current);
  return current;
}
