import { type Event, eventCodec } from '@brokerx/contracts';
import { COMMITS_PER_APPEND_MAX, type Commit, type EventStore, memoryEventStore } from '@brokerx/infra';
import type pg from 'pg';
import { expect } from 'vitest';
import { allProjections } from '../src/tables/allProjections.ts';
import { type History, isOpen } from './history.ts';
import { TICK_CENTS } from './historyBook.ts';

/** What tests ask of the read models. */
export const STORE_ID = '7b5f0d0e-6f3a-4c7e-9a54-0a4c2a3f9d11';
export const storeInMemory = (id = STORE_ID): EventStore<Event> =>
  memoryEventStore<Event>({ id, codec: eventCodec() });

export async function appendAll(store: EventStore<Event>, commits: readonly Commit<Event>[]): Promise<void> {
  for (let done = 0; done < commits.length; done += COMMITS_PER_APPEND_MAX) {
    const verdicts = await store.append(commits.slice(done, done + COMMITS_PER_APPEND_MAX));
    expect(verdicts.filter(({ verdict }) => verdict !== 'ok')).toEqual([]);
  }
}

/** Waits until every projection stands at the position; of this store, where others were projected before. */
export async function allReached(
  pool: pg.Pool,
  position: number,
  storeId: string | null = null,
): Promise<void> {
  const count = allProjections().length;
  const standing = async () => {
    const { rows } = await pool.query(REACHED, [position, storeId]).catch(() => ({ rows: [{ there: 0 }] }));
    return rows[0]?.there;
  };
  await expect.poll(standing, { interval: 20 }).toBe(count);
}

const REACHED = `select count(*)::int as there from read.projection
  where position >= $1 and ($2::uuid is null or store_id = $2)`;

/** Every row of every table, as PostgreSQL's own text, in the order of the text. */
export async function dump(pool: pg.Pool): Promise<Record<string, string[]>> {
  const tables = allProjections().flatMap((projection) => projection.tables);
  const texts = await Promise.all(
    tables.map(async (table) => {
      const { rows } = await pool.query<{ row: string }>(`select t::text as row from ${table} t order by 1`);
      return [table, rows.map(({ row }) => row)] as const;
    }),
  );
  return Object.fromEntries(texts);
}

const rowsOf = async (pool: pg.Pool, statement: string) => (await pool.query(statement)).rows;

/** The totals that the read models must show after the whole history, and those that they do show. */
export async function shown(pool: pg.Pool) {
  return {
    wallets: await rowsOf(
      pool,
      'select account_id as id, client_id, cash_cents::int as cash, held_cents::int as held from read.wallet order by id',
    ),
    holdings: await rowsOf(
      pool,
      'select account_id as id, symbol, shares::int, held_shares::int as held from read.holding order by id, symbol',
    ),
    orders: await rowsOf(
      pool,
      `select order_id as id, status, quantity::int, filled_quantity::int as filled, filled_value_cents::int as value,
              fees_cents::int as fees, leaves_quantity::int as leaves from read.orders order by order_id`,
    ),
    candles: await rowsOf(
      pool,
      `select symbol, interval, sum(volume)::int as volume, sum(trades)::int as trades, max(high_cents)::int as high,
              min(low_cents)::int as low from read.candle group by 1, 2 order by 1, 2`,
    ),
    executions: await rowsOf(
      pool,
      'select count(*)::int as legs, sum(quantity)::int as shares from read.execution',
    ),
    // Every entry balances by constraint; over all of them each clearing account is empty too.
    ledger: await rowsOf(
      pool,
      `select sum(cash_available + cash_held)::int as cash, sum(cash_clearing)::int as clearing, sum(cash_fees)::int as fees,
              sum(shares_clearing)::int as shares_clearing from read.ledger`,
    ),
  };
}

export function expected(history: History): Awaited<ReturnType<typeof shown>> {
  const accounts = [...history.accounts.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  const orders = [...history.orders.values()];
  const sum = (numbers: number[]) => numbers.reduce((a, b) => a + b, 0);
  const symbols = [...history.books.keys()]
    .sort()
    .filter((symbol) => history.trades.some((t) => t.symbol === symbol));
  return {
    wallets: accounts.map(({ id, clientId, cash, held }) => ({ id, client_id: clientId, cash, held })),
    holdings: accounts.flatMap(({ id, holdings }) =>
      [...holdings]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([symbol, { shares, held }]) => ({ id, symbol, shares, held })),
    ),
    orders: orders
      .map((order) => ({
        id: order.id,
        status: isOpen(order) ? openStatus(order) : order.status,
        quantity: order.quantity,
        filled: order.filled,
        value: order.valueCents,
        fees: order.feesCents,
        leaves: isOpen(order) ? order.quantity - order.filled : 0,
      }))
      .sort((a, b) => (a.id < b.id ? -1 : 1)),
    candles: symbols.flatMap((symbol) => {
      const trades = history.trades.filter((trade) => trade.symbol === symbol);
      const prices = trades.map(({ ticks }) => ticks * TICK_CENTS);
      const figures = {
        volume: sum(trades.map(({ quantity }) => quantity)),
        trades: trades.length,
        high: Math.max(...prices),
        low: Math.min(...prices),
      };
      return ['1d', '1h', '1m', '1s'].map((interval) => ({ symbol, interval, ...figures }));
    }),
    executions: [
      { legs: history.trades.length * 2, shares: sum(history.trades.map(({ quantity }) => quantity)) * 2 },
    ],
    ledger: [
      {
        cash: sum(accounts.map(({ cash }) => cash)),
        clearing: 0,
        fees: sum(orders.map(({ feesCents }) => feesCents)),
        shares_clearing: 0,
      },
    ],
  };
}

const openStatus = ({
  canceling,
  amending,
  filled,
  accepted,
}: {
  canceling: number;
  amending: boolean;
  filled: number;
  accepted: boolean;
}) =>
  canceling > 0
    ? 'pending_cancel'
    : amending
      ? 'pending_replace'
      : filled > 0
        ? 'partially_filled'
        : accepted
          ? 'new'
          : 'pending_new';
