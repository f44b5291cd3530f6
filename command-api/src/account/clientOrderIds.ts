import assert from 'node:assert/strict';
import type { AccountEvent } from '@brokerx/contracts';
import { type KeyLog, keep, shortHash } from '../idempotencyKeys.ts';

/** Client order ids in use, each with the number of open orders and kept keys that use it. */
export type Names = Map<string, number>;

/** Keeps a command's key, and the names that its orders took with it. */
export function keepKey(
  { names, keys }: { names: Names; keys: KeyLog },
  event: AccountEvent,
  key: { id: string; hash: string },
  revision: number,
) {
  const clientOrderId = namesTaken(event);
  for (const name of namesOf(clientOrderId)) takeName(names, name);
  const kept = { hash: shortHash(key.hash), revision, timeMs: Date.parse(event.time), clientOrderId };
  keep(keys, key.id, kept, (old) => {
    for (const name of namesOf(old.clientOrderId)) giveName(names, name);
  });
}

const namesOf = (joined: string | null): string[] => joined?.split(',') ?? [];

/** The names that the event's orders take, joined by commas. An order refused for its name does not take that name. */
function namesTaken(event: AccountEvent): string | null {
  if (event.type === 'OrderPlaced.v1') return event.data.clientOrderId;
  if (event.type === 'OrderListPlaced.v1') {
    const names = event.data.orders.flatMap(({ clientOrderId }) => clientOrderId ?? []);
    return names.length === 0 ? null : names.join(',');
  }
  if (event.type !== 'OrderRefused.v1' || event.data.code === 'DUPLICATE_CLIENT_ORDER_ID') return null;
  return event.data.clientOrderId;
}

export function takeName(names: Names, name: string): void {
  names.set(name, (names.get(name) ?? 0) + 1);
}
export function giveName(names: Names, name: string): void {
  const takers = names.get(name) ?? 0;
  assert(takers > 0);
  if (takers === 1) names.delete(name);
  else names.set(name, takers - 1);
}
