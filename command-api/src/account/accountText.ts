import { keyLogFrom, keyLogText } from '../idempotencyKeys.ts';
import type { Account, Holding } from './account.ts';
import type { OpenList } from './openList.ts';
import type { OpenOrder } from './openOrder.ts';

/**
 * Writes an account's state as text for snapshots. The version must rise whenever `accountText` writes something else or
 * events fold differently: older snapshots are then ignored.
 */
export const ACCOUNT_SNAPSHOT_VERSION = 10;

/** Writes the state as JSON; `accountFrom` reads it back. */
export function accountText(account: Account): string {
  const { holdings, orders, lists, closed, names, depositsPending, keys, ...plain } = account;
  return JSON.stringify({
    ...plain,
    holdings: [...holdings],
    orders: [...orders.values()],
    lists: [...lists.values()],
    closed: [...closed],
    names: [...names],
    depositsPending: [...depositsPending],
    keys: keyLogText(keys),
  });
}

export function accountFrom(text: string): Account {
  const stored = JSON.parse(text) as Omit<
    Account,
    'holdings' | 'orders' | 'lists' | 'closed' | 'names' | 'depositsPending' | 'keys'
  > & {
    holdings: [string, Holding][];
    orders: OpenOrder[];
    lists: OpenList[];
    closed: string[];
    names: [string, number][];
    depositsPending: [string, number][];
    keys: ReturnType<typeof keyLogText>;
  };
  return {
    ...stored,
    holdings: new Map(stored.holdings),
    orders: new Map(stored.orders.map((order) => [order.orderId, order])),
    lists: new Map(stored.lists.map((list) => [list.listId, list])),
    closed: new Set(stored.closed),
    names: new Map(stored.names),
    depositsPending: new Map(stored.depositsPending),
    keys: keyLogFrom(stored.keys),
  };
}
