import { centsFromDecimal, decimalFromCents, type views } from '@brokerx/contracts';
import type { z } from 'zod';
import { type Api, ApiError } from '../client.ts';
import type { AuditedAccount } from './account.ts';
import type { HistoryAudit } from './history.ts';
import { leavesOf, statusOf } from './order.ts';

type Wallet = z.infer<typeof views.WalletView>;
type Holding = z.infer<typeof views.HoldingView>;
type Page<T> = { items: T[]; next: string | null };

export type ReadModelOptions = {
  token: () => Promise<string>;
  /** Position token that every reply must reflect. */
  minPosition: string;
};

/** Accounts compared at the same time: enough to keep both sides busy, few enough to leave room for others. */
const ACCOUNTS_AT_ONCE = 4;
const PAGE_ITEMS = 200;

/** Differences between what the query API shows and what the history says, one text each, by account. */
export async function compareReadModels(
  api: Api,
  history: HistoryAudit,
  accountIds: readonly string[],
  options: ReadModelOptions,
): Promise<Map<string, string[]>> {
  const differences = new Map<string, string[]>();
  let next = 0;
  const worker = async () => {
    for (let index = next++; index < accountIds.length; index = next++) {
      const account = history.accounts.get(accountIds[index] as string) as AuditedAccount;
      const found = await compareAccount(api, history, account, options);
      if (found.length > 0) differences.set(account.id, found);
    }
  };
  await Promise.all(Array.from({ length: ACCOUNTS_AT_ONCE }, worker));
  return differences;
}

async function compareAccount(
  api: Api,
  history: HistoryAudit,
  account: AuditedAccount,
  { token, minPosition }: ReadModelOptions,
): Promise<string[]> {
  const differences: string[] = [];
  const differs = (what: string, shown: unknown, expected: unknown) => {
    if (shown !== expected)
      differences.push(`${what}: shown ${String(shown)}, should be ${String(expected)}`);
  };
  const get = async <T>(path: string) => api.query<T>(path, { token: await token(), minPosition });
  const wallet = await get<Wallet>(`/v1/wallet?account_id=${account.id}`).catch(nothingThere);
  if (wallet || account.cashCents > 0) {
    differs(`wallet ${account.id} cash`, wallet?.cash, decimalFromCents(account.cashCents));
    differs(`wallet ${account.id} held`, wallet?.held, decimalFromCents(account.heldCents));
    differs(
      `wallet ${account.id} available`,
      wallet?.available,
      decimalFromCents(account.cashCents - account.heldCents),
    );
  }

  const holdings = new Map<string, Holding>();
  for await (const holding of pages<Holding>(get, `/v1/holdings?account_id=${account.id}`)) {
    holdings.set(holding.symbol, holding);
  }
  for (const [symbol, { shares, held }] of account.holdings) {
    const shown = holdings.get(symbol);
    holdings.delete(symbol);
    if (!shown && shares === 0) continue;
    differs(`${account.id} ${symbol} shares`, shown?.qty, String(shares));
    differs(`${account.id} ${symbol} held`, shown?.held, String(held));
  }
  for (const extra of holdings.values()) {
    if (extra.qty !== '0')
      differences.push(`${account.id} shows ${extra.qty} ${extra.symbol} that it never had`);
  }

  const unseen = new Set(account.orders.map(({ id }) => id));
  for await (const shown of pages<views.OrderView>(get, `/v1/orders?account_id=${account.id}`)) {
    if (history.refused.has(shown.id)) {
      differs(
        `refused order ${shown.id}`,
        `${shown.status} ${shown.reason}`,
        `rejected ${history.refused.get(shown.id)?.code}`,
      );
      continue;
    }
    if (!unseen.delete(shown.id)) {
      differences.push(
        `order ${shown.id} is shown ${history.orders.has(shown.id) ? 'again or to another' : 'and was never placed'}`,
      );
      continue;
    }
    compareOrder(history, shown, differs);
  }
  for (const id of unseen) differences.push(`order ${id} is not shown`);
  return differences;
}

function compareOrder(
  history: HistoryAudit,
  shown: views.OrderView,
  differs: (what: string, shown: unknown, expected: unknown) => void,
): void {
  const order = history.orders.get(shown.id);
  if (!order) return;
  differs(`order ${order.id} status`, shown.status, statusOf(order));
  differs(
    `order ${order.id} symbol and side`,
    `${shown.symbol} ${shown.side}`,
    `${order.symbol} ${order.side}`,
  );
  differs(`order ${order.id} qty`, shown.qty, String(order.quantity));
  differs(`order ${order.id} filled_qty`, shown.filled_qty, String(order.filled));
  differs(`order ${order.id} leaves_qty`, shown.leaves_qty, String(leavesOf(order)));
  differs(`order ${order.id} fees`, shown.fees, decimalFromCents(order.feesCents));
  const price = order.type === 'limit' ? shown.limit_price : shown.protection_price;
  differs(`order ${order.id} price`, price && centsFromDecimal(price), order.limitTicks * order.tickCents);
  if (order.reason) differs(`order ${order.id} reason`, shown.reason, order.reason);
}

async function* pages<T>(get: <P>(path: string) => Promise<P>, path: string): AsyncGenerator<T> {
  let token: string | null = '';
  while (token !== null) {
    const page: Page<T> | T[] = await get(
      `${path}&limit=${PAGE_ITEMS}${token ? `&page_token=${encodeURIComponent(token)}` : ''}`,
    );
    if (Array.isArray(page)) {
      yield* page;
      return;
    }
    yield* page.items;
    token = page.next;
  }
}

/** An account on which nothing was ever booked has no wallet to show. */
function nothingThere(error: unknown): undefined {
  if (error instanceof ApiError && error.status === 404) return undefined;
  throw error;
}
