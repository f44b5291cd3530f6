import { decimalFromCents, sessionView, type TradingSession, type views } from '@brokerx/contracts';
import { safeInteger } from '@brokerx/infra';
import type { z } from 'zod';
import { type Page, pageOf, symbolOfToken } from '../http/paging.ts';
import type { Rows } from '../reading/readDatabase.ts';
import { statement } from '../reading/statement.ts';

export type SymbolView = z.infer<typeof views.SymbolView>;

export const symbolsToken = (token: string): string | undefined => symbolOfToken('symbols', token);

/** Reads a page of symbols in alphabetical order. */
export async function readSymbols(
  tables: Rows,
  query: { symbol?: string | undefined; after?: string | undefined; limit: number },
): Promise<Page<SymbolView>> {
  const rows = await tables.query<Row>(
    statement({
      name: 'symbols',
      select: `select symbol, name, state, tick_cents, listing_cents, reference_cents, collar_ppm, fee_ppm,
        order_shares_max, daily_close, bands_off, quotas_off, lot_shares, notional_min_cents,
        notional_max_cents, matching_rules, band_ppm, collar_ticks_min,
        session, clock_factor from read.symbol`,
      conditions: [
        { name: 'symbol', sql: 'symbol = ?', value: query.symbol },
        { name: 'after', sql: 'symbol > ?', value: query.after },
      ],
      orderBy: 'symbol',
      limit: query.limit + 1,
    }),
  );
  return pageOf('symbols', query.limit, rows, ({ symbol }) => symbol, symbolView);
}

function symbolView(row: Row): SymbolView {
  return {
    symbol: row.symbol,
    name: row.name,
    state: row.state,
    tick_size: decimalFromCents(safeInteger(row.tick_cents)),
    listing_price: decimalFromCents(safeInteger(row.listing_cents)),
    reference_price: decimalFromCents(safeInteger(row.reference_cents)),
    collar_ppm: safeInteger(row.collar_ppm),
    collar_ticks_min: safeInteger(row.collar_ticks_min),
    band_ppm: row.band_ppm === null ? null : safeInteger(row.band_ppm),
    fee_ppm: safeInteger(row.fee_ppm),
    order_qty_max: row.order_shares_max,
    daily_close: row.daily_close,
    session: row.session === null ? null : sessionView(JSON.parse(row.session) as TradingSession),
    clock_factor: row.clock_factor,
    lot_size: row.lot_shares,
    notional_min: moneyOrNull(row.notional_min_cents),
    notional_max: moneyOrNull(row.notional_max_cents),
    matching_rules: row.matching_rules,
    bands_off: row.bands_off,
    quotas_off: row.quotas_off,
  };
}

const moneyOrNull = (cents: string | null): string | null =>
  cents === null ? null : decimalFromCents(safeInteger(cents));

type Row = {
  symbol: string;
  name: string;
  state: SymbolView['state'];
  tick_cents: string;
  listing_cents: string;
  reference_cents: string;
  collar_ppm: string;
  collar_ticks_min: string;
  band_ppm: string | null;
  fee_ppm: string;
  order_shares_max: string;
  daily_close: string;
  session: string | null;
  clock_factor: number;
  bands_off: boolean;
  quotas_off: boolean;
  lot_shares: string;
  notional_min_cents: string | null;
  notional_max_cents: string | null;
  matching_rules: number;
};
