import { type Api, ApiError } from '@brokerx/client';
import { centsFromDecimal, decimalFromCents, hasLimit, type views } from '@brokerx/contracts';
import type { z } from 'zod';
import type { AuditedAccount } from '../account.ts';
import type { HistoryAudit } from '../history.ts';
import { leavesOf, statusOf } from '../order.ts';
import { compareCandles, INTERVALS, shownOf } from './candles.ts';
import { compareExecutions } from './executions.ts';
import { compareLedger } from './postings.ts';

type Wallet = z.infer<typeof views.WalletView>;
type Holding = z.infer<typeof views.HoldingView>;
type LedgerEntry = z.infer<typeof views.LedgerEntryView>;
type Execution = z.infer<typeof views.ExecutionView>;
type Candle = z.infer<typeof views.CandleView>;
type Page<T> = { items: T[]; next: string | null };

export type ReadModelOptions = {
  token: () => Promise<string>;
  /** The position that every reply must reflect. */
  minPosition: string;
  /** The accounts and symbols whose long lists (ledger, executions, candles) are read: see `withinRows`. */
  listed: ReadonlySet<string>;
};

/** Comparisons at a time: enough to keep both sides busy, few enough to leave room for other clients. */
const AT_ONCE = 4;
const PAGE_ITEMS = 200;
const CANDLES_PAGE_ITEMS = 1_000;

/** The subjects of comparison: names of symbols and ids of accounts. */
export const subjectsOf = (history: HistoryAudit): string[] => [
  ...history.markets.keys(),
  ...history.accounts.keys(),
];

/**
 * Chooses the subjects whose long lists are compared, so that together they have at most `rowsMax` rows. The lists of a
 * subject are compared completely or not at all.
 */
export function withinRows(history: HistoryAudit, rowsMax: number) {
  const listed = new Set<string>();
  let rows = 0;
  let rowsInAll = 0;
  for (const subject of subjectsOf(history)) {
    const own = rowsOf(history, subject);
    rowsInAll += own;
    if (rows + own > rowsMax) continue;
    rows += own;
    listed.add(subject);
  }
  return { listed, rows, rowsInAll };
}

function rowsOf(history: HistoryAudit, subject: string): number {
  const account = history.accounts.get(subject);
  if (account) return account.entries + account.fills.length;
  const candles = history.markets.get(subject)?.candles;
  return candles ? INTERVALS.reduce((sum, interval) => sum + candles[interval].size, 0) : 0;
}

/** Compares what the query API shows with the history. Returns the differences as texts, by subject. */
export async function compareReadModels(
  api: Api,
  history: HistoryAudit,
  subjects: readonly string[],
  options: ReadModelOptions,
): Promise<Map<string, string[]>> {
  const differences = new Map<string, string[]>();
  const refused = Map.groupBy(history.refused.keys(), (id) => history.refused.get(id)?.accountId ?? '');
  let next = 0;
  const worker = async () => {
    for (let index = next++; index < subjects.length; index = next++) {
      const subject = subjects[index] as string;
      const account = history.accounts.get(subject);
      const texts = account
        ? await compareAccount(api, history, account, { ...options, refused: refused.get(account.id) ?? [] })
        : await compareMarket(api, history, subject, options);
      if (texts.length > 0) differences.set(subject, texts);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return differences;
}

/** The events that projections have left out, one text each. */
export async function parkedEvents(
  api: Api,
  { token, minPosition }: Pick<ReadModelOptions, 'token' | 'minPosition'>,
): Promise<string[]> {
  const get = async <T>(path: string) => api.query<T>(path, { token: await token(), minPosition });
  const parked: string[] = [];
  for await (const event of pages<views.ParkedEventView>(get, '/v1/parked-events?')) {
    parked.push(
      `projection ${event.projection}:${event.version} is without event ${event.event_id} at ${event.position}: ${event.error}`,
    );
  }
  return parked;
}

async function compareMarket(
  api: Api,
  history: HistoryAudit,
  symbol: string,
  { token, minPosition, listed }: ReadModelOptions,
): Promise<string[]> {
  const candles = history.markets.get(symbol)?.candles;
  if (!candles) return [];
  const get = async <T>(path: string) => api.query<T>(path, { token: await token(), minPosition });
  const differences: string[] = [];
  const shownSymbol = await get<unknown>(`/v1/symbols/${symbol}`).catch(undefinedIfMissing);
  if (!shownSymbol) differences.push(`symbol ${symbol} is not shown`);
  if (!listed.has(symbol)) return differences;
  for (const interval of INTERVALS) {
    const path = `/v1/symbols/${symbol}/candles?interval=${interval}&from=${BEGINNING_OF_TIME}`;
    const shown = pages<Candle>(get, path, CANDLES_PAGE_ITEMS);
    const texts = await compareCandles(
      `${symbol} ${interval}`,
      shownOf(interval, candles[interval]),
      shown,
    ).catch(undefinedIfMissing);
    if (texts) differences.push(...texts);
  }
  return differences;
}

/** With `from`, candles come oldest first, in pages. */
const BEGINNING_OF_TIME = '1970-01-01T00:00:00.000Z';

async function compareAccount(
  api: Api,
  history: HistoryAudit,
  account: AuditedAccount,
  { token, minPosition, listed, refused }: ReadModelOptions & { refused: readonly string[] },
): Promise<string[]> {
  const differences: string[] = [];
  const differs = (what: string, shown: unknown, expected: unknown) => {
    if (shown !== expected)
      differences.push(`${what}: shown ${String(shown)}, should be ${String(expected)}`);
  };
  const get = async <T>(path: string) => api.query<T>(path, { token: await token(), minPosition });
  const wallet = await get<Wallet>(`/v1/wallet?account_id=${account.id}`).catch(undefinedIfMissing);
  if (wallet || account.cashCents > 0) {
    differs(`wallet ${account.id} cash`, wallet?.cash, decimalFromCents(account.cashCents));
    differs(`wallet ${account.id} kill switch`, (wallet?.kill_switch ?? null) !== null, account.killed);
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
  const unseenRefused = new Set(refused);
  for await (const shown of pages<views.OrderView>(get, `/v1/orders?account_id=${account.id}`)) {
    if (history.refused.has(shown.id)) {
      unseenRefused.delete(shown.id);
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
  for (const id of unseenRefused) differences.push(`refused order ${id} is not shown`);
  if (!listed.has(account.id)) return differences;

  const entries = pages<LedgerEntry>(get, `/v1/ledger?account_id=${account.id}`);
  const ledger = await compareLedger(account, entries);
  for (const id of ledger.ahead) history.expectLater(id, `ledger entry ${id} of ${account.id}`);
  const fills = pages<Execution>(get, `/v1/executions?account_id=${account.id}`);
  const executions = await compareExecutions(account, fills);
  for (const id of executions.ahead) history.expectLater(id, `execution ${id} of ${account.id}`);
  return [...differences, ...ledger.differences, ...executions.differences];
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
  const forMoney = order.notionalCents !== null;
  differs(`order ${order.id} qty`, shown.qty, forMoney ? null : String(order.quantity));
  const notional = shown.notional === null ? null : centsFromDecimal(shown.notional);
  differs(`order ${order.id} notional`, notional, order.notionalCents);
  differs(
    `order ${order.id} display_qty`,
    shown.display_qty,
    order.peak === null ? null : String(order.peak),
  );
  differs(`order ${order.id} filled_qty`, shown.filled_qty, String(order.filled));
  differs(`order ${order.id} leaves_qty`, shown.leaves_qty, String(leavesOf(order)));
  differs(`order ${order.id} fees`, shown.fees, decimalFromCents(order.feesCents));
  const price = hasLimit(order.type) ? shown.limit_price : shown.protection_price;
  differs(`order ${order.id} price`, price && centsFromDecimal(price), order.limitTicks * order.tickCents);
  differs(
    `order ${order.id} list`,
    `${shown.list_id} ${shown.list_role}`,
    `${order.list?.id ?? null} ${order.role}`,
  );
  if (order.reason) differs(`order ${order.id} reason`, shown.reason, order.reason);
}

async function* pages<T>(
  get: <P>(path: string) => Promise<P>,
  path: string,
  items = PAGE_ITEMS,
): AsyncGenerator<T> {
  let token: string | null = '';
  while (token !== null) {
    const page: Page<T> | T[] = await get(
      `${path}&limit=${items}${token ? `&page_token=${encodeURIComponent(token)}` : ''}`,
    );
    if (Array.isArray(page)) {
      yield* page;
      return;
    }
    yield* page.items;
    token = page.next;
  }
}

/** Makes undefined of a 404: an account without bookings has no wallet, and an unknown symbol has nothing. */
function undefinedIfMissing(error: unknown): undefined {
  if (error instanceof ApiError && error.status === 404) return undefined;
  throw error;
}
