import type { Codec } from '../src/eventStore/eventStore.ts';
import { plainText } from '../test/plainText.ts';

/** Events like those of orders, to be appended: about 450 bytes of JSON each. */
export type OrderNote = { type: string; id: string } & Record<string, string>;

export const codec: Codec<OrderNote> = {
  ...plainText<OrderNote>(),
  typeOf: ({ type }) => type,
  marksOf: (types) => types.map((type) => `"type":${JSON.stringify(type)}`),
  parts: ({ type, orderId, symbol, side, priceCents, quantity, ...metadata }) => ({
    type,
    data: { orderId, symbol, side, priceCents, quantity },
    metadata,
  }),
  whole: ({ type, data, metadata }) => ({ type, ...metadata, ...(data as object) }) as OrderNote,
  storedTypesOf: (types) => types,
};

/** Events made beforehand, in turn: making them is no part of what is measured. */
export function events(seed: number): () => OrderNote {
  const made = Array.from({ length: 5_000 }, eventMaker(seed));
  let next = 0;
  return () => made[next++ % made.length] as OrderNote;
}

/** An order's event of about 450 bytes of JSON, from a seed (mulberry32). */
function eventMaker(seed: number): () => OrderNote {
  let state = seed >>> 0;
  const random = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0).toString(16).padStart(8, '0');
  };
  const uuid = () =>
    `${random()}-${random().slice(4)}-7${random().slice(5)}-8${random().slice(5)}-${random()}${random().slice(4)}`;
  return () => ({
    type: 'OrderPlaced.v1',
    id: uuid(),
    at: '2026-01-05T14:30:00.000Z',
    actor: `client-${uuid()}`,
    correlation: uuid(),
    causation: uuid(),
    traceparent: `00-${random()}${random()}${random()}${random()}-${random()}${random()}-01`,
    orderId: uuid(),
    symbol: 'ACME',
    side: 'buy',
    priceCents: String(Number.parseInt(random(), 16) % 100_000),
    quantity: String(Number.parseInt(random(), 16) % 1_000),
  });
}
