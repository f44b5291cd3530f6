import {
  type Event,
  keyOfStream,
  type MarketState,
  type SymbolRules,
  type TradingSession,
} from '@brokerx/contracts';
import type { Recorded } from '@brokerx/infra';
import { columns } from '../run/columns.ts';
import { type Database, statelessProjection } from '../run/projection.ts';

/** The table of symbols: name, rules and market state of each. */
export const symbols = () =>
  statelessProjection(
    {
      name: 'symbols',
      version: 1,
      tables: ['read.symbol_v1'],
      categories: ['book', 'market'],
      onFailure: 'park',
    },
    foldSymbols,
    write,
  );

/** What a batch changes of one symbol; what it leaves alone is absent. */
export type SymbolChange = {
  symbol: string;
  listed?: { name: string; rules: SymbolRules; matchingRules: number };
  /** Newer matching rules, adopted later. */
  matchingRules?: number;
  state?: MarketState;
  /** The static reference price in ticks, where an auction or a day has ended. */
  referenceTicks?: number;
  calendar?: { session: TradingSession | null; clockFactor: number };
  exemptions?: { bandsOff: boolean; quotasOff: boolean };
};

/** Returns one change for each symbol of a batch, sorted by symbol. */
export function foldSymbols(events: readonly Recorded<Event>[]): SymbolChange[] {
  const changes = new Map<string, SymbolChange>();
  const changeOf = (symbol: string): SymbolChange => {
    const change = changes.get(symbol) ?? { symbol };
    changes.set(symbol, change);
    return change;
  };
  for (const { event, stream } of events) {
    switch (event.type) {
      // A halt shows at once; every other state once the engine has announced it.
      case 'MarketStateChanged.v1':
        changeOf(keyOfStream(stream)).state = event.data.state;
        break;
      case 'AuctionUncrossed.v1':
        if (event.data.priceTicks !== null)
          changeOf(keyOfStream(stream)).referenceTicks = event.data.priceTicks;
        break;
      case 'SymbolListed.v1':
        changes.set(event.data.symbol, {
          symbol: event.data.symbol,
          listed: {
            name: event.data.name,
            rules: event.data.rules,
            matchingRules: event.data.matchingRules,
          },
          state: 'continuous',
        });
        break;
      case 'TradingCalendarSet.v1':
        changeOf(event.data.symbol).calendar = {
          session: event.data.session,
          clockFactor: event.data.clock.factor,
        };
        break;
      case 'TradingHalted.v1':
        changeOf(event.data.symbol).state = 'halt';
        break;
      case 'MatchingRulesAdopted.v1':
        changeOf(event.data.symbol).matchingRules = event.data.matchingRules;
        break;
      case 'DayEnded.v1':
        changeOf(event.data.symbol).referenceTicks = event.data.closeTicks;
        break;
      case 'SymbolExemptionsChanged.v1':
        changeOf(event.data.symbol).exemptions = {
          bandsOff: event.data.bandsOff,
          quotasOff: event.data.quotasOff,
        };
        break;
    }
  }
  return [...changes.values()].sort((a, b) => (a.symbol < b.symbol ? -1 : 1));
}

async function write(db: Database, rows: readonly SymbolChange[]): Promise<void> {
  const listings = rows.flatMap(({ symbol, listed }) => (listed ? { symbol, ...listed } : []));
  const statements = [];
  if (listings.length > 0) {
    statements.push({
      name: 'symbols_insert',
      text: `
        insert into read.symbol_v1
        select symbol, name, 'continuous', tick_cents, listing_cents, listing_cents, collar_ppm, fee_ppm,
               order_shares_max, daily_close, false, false, lot_shares, notional_min_cents, notional_max_cents,
               matching_rules, band_ppm, null, 1, collar_ticks_min
          from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
                      $8::text[], $9::bigint[], $10::bigint[], $11::bigint[], $12::integer[], $13::bigint[],
                      $14::bigint[])
            as n (symbol, name, tick_cents, listing_cents, collar_ppm, fee_ppm, order_shares_max, daily_close,
                  lot_shares, notional_min_cents, notional_max_cents, matching_rules, band_ppm, collar_ticks_min)`,
      values: columns(listings, [
        (row) => row.symbol,
        (row) => row.name,
        (row) => row.rules.tickCents,
        (row) => row.rules.listingTicks * row.rules.tickCents,
        (row) => row.rules.collarPpm,
        (row) => row.rules.feePpm,
        (row) => row.rules.orderSharesMax,
        (row) => row.rules.dailyClose,
        (row) => row.rules.lotShares ?? 1,
        (row) => row.rules.notionalMinCents ?? null,
        (row) => row.rules.notionalMaxCents ?? null,
        (row) => row.matchingRules,
        (row) => row.rules.bandPpm ?? null,
        (row) => row.rules.collarTicksMin ?? 1,
      ]),
    });
  }
  if (rows.length > 0) {
    statements.push({
      name: 'symbols_update',
      text: `
        update read.symbol_v1 s set
          state = coalesce(u.state, s.state),
          reference_cents = coalesce(u.reference_ticks * s.tick_cents, s.reference_cents),
          bands_off = coalesce(u.bands_off, s.bands_off),
          quotas_off = coalesce(u.quotas_off, s.quotas_off),
          matching_rules = coalesce(u.matching_rules, s.matching_rules),
          session = case when u.clock_factor is null then s.session else u.session end,
          clock_factor = coalesce(u.clock_factor, s.clock_factor)
        from unnest($1::text[], $2::text[], $3::bigint[], $4::boolean[], $5::boolean[], $6::integer[],
                    $7::text[], $8::integer[])
          as u (symbol, state, reference_ticks, bands_off, quotas_off, matching_rules, session, clock_factor)
        where s.symbol = u.symbol`,
      values: columns(rows, [
        (row) => row.symbol,
        (row) => row.state ?? null,
        (row) => row.referenceTicks ?? null,
        (row) => row.exemptions?.bandsOff ?? null,
        (row) => row.exemptions?.quotasOff ?? null,
        (row) => row.matchingRules ?? null,
        (row) => (row.calendar?.session ? JSON.stringify(row.calendar.session) : null),
        (row) => row.calendar?.clockFactor ?? null,
      ]),
    });
  }
  await Promise.all(statements.map((statement) => db.query(statement)));
}
