import type { Api, Outcome, Session } from '@brokerx/client';
import { centsFromDecimal, decimalFromCents, type views } from '@brokerx/contracts';
import type { z } from 'zod';
import type { Operator } from '../operator.ts';
import type { Person } from '../people.ts';
import type { Random } from '../random.ts';
import { adjust, ladder, nextMid, type Quote, type Standing, stepCents } from './quotes.ts';

type Wallet = z.infer<typeof views.WalletView>;
type Holding = z.infer<typeof views.HoldingView>;
type SymbolInfo = z.infer<typeof views.SymbolView>;
type Page<T> = { items: T[]; next: string | null };

/** The symbols that the traders list. */
const DEMO_SYMBOLS = [
  { symbol: 'XEQT', name: 'iShares Core Equity ETF Portfolio', listingCents: 3_450 },
  { symbol: 'AAPL', name: 'Apple Inc.', listingCents: 23_000 },
  { symbol: 'SHOP', name: 'Shopify Inc.', listingCents: 15_200 },
  { symbol: 'RY', name: 'Royal Bank of Canada', listingCents: 19_850 },
  { symbol: 'BTO', name: 'B2Gold Corp.', listingCents: 512 },
] as const;

/** A trader with less cash or fewer shares than the low mark gets the given amount from the operator. */
const CASH_LOW_CENTS = 100_000_000;
const CASH_GIVEN_CENTS = 1_000_000_000;
const SHARES_LOW = 5_000;
const SHARES_GIVEN = 100_000;
/** The most standing orders of a maker in a symbol that are read. A ladder has fewer, the others are being canceled. */
const STANDING_MAX = 30;
const TAKE_CHANCE = 0.35;
const TAKE_LOT = 10;
const GATHER_CHANCE = 0.8;
/** How often a buying taker orders for an amount of money. */
const SPEND_CHANCE = 0.2;
/** Larger quotes are icebergs now and then. */
const ICEBERG_SHARES = 20;
const ICEBERG_CHANCE = 0.2;
/** How far a taker's price reaches through the mid: three levels of the ladder. */
const TAKE_STEPS = 3;

/** The orders that takers place in each call, which end with it. */
const CALL_ORDERS = {
  opening_auction: { type: 'limit', time_in_force: 'opg' },
  volatility_auction: { type: 'market', time_in_force: 'day' },
  closing_auction: { type: 'limit', time_in_force: 'cls' },
} as const;

/** A trader, and the WebSocket session over which orders and market data go. */
export type Trader = { person: Person; session: Session };

/** The simulation of one symbol: a maker that keeps a ladder of quotes, and takers that sometimes trade with it. */
export type SimulatedMarket = {
  /** Trades one round. It does nothing before it has the symbol's rules, and while the market is closed or halted. */
  round(): Promise<void>;
  /** The number of commands that were answered. */
  sent(): number;
};

export function simulatedMarket(options: {
  api: Api;
  symbol: string;
  maker: Trader;
  takers: readonly Trader[];
  random: Random;
}): SimulatedMarket {
  const { api, symbol, maker, takers, random } = options;
  let rules: SymbolInfo | undefined;
  let ticker: views.TickerView | undefined;
  let midCents: number | undefined;
  let sent = 0;
  maker.session.subscribe({ channel: 'rules', symbol }, { data: (view) => (rules = view) });
  maker.session.subscribe({ channel: 'ticker', symbol }, { data: (view) => (ticker = view) });

  const counted = <T>(outcome: Outcome<T>): void => {
    // Refusals are part of trading: the order was filled meanwhile, the market halted, or the money is short for now.
    if (outcome.kind === 'unknown') throw new Error(outcome.error);
    sent += 1;
  };
  const place = async (
    { session }: Trader,
    { side, priceCents, shares }: Quote,
    time_in_force: 'day' | 'ioc',
    flags: object = {},
  ) => {
    const limit_price = decimalFromCents(priceCents);
    const qty = String(shares);
    counted(await session.place({ symbol, side, type: 'limit', qty, limit_price, time_in_force, ...flags }));
  };

  /** Lets takers place orders for a call, around the reference price. */
  const placeForCall = async (auction: keyof typeof CALL_ORDERS, referenceCents: number) => {
    const { time_in_force, type } = CALL_ORDERS[auction];
    for (const { session } of takers) {
      if (!random.chance(GATHER_CHANCE)) continue;
      const side = random.chance(0.5) ? 'buy' : 'sell';
      const qty = String(TAKE_LOT * (1 + random.below(4)));
      // Most prices reach through the reference, so that the sides trade.
      const through = (random.below(TAKE_STEPS + 2) - 1) * stepCents(referenceCents);
      const limitCents = referenceCents + (side === 'buy' ? through : -through);
      const limit_price = decimalFromCents(Math.max(1, limitCents));
      const price = type === 'limit' ? { limit_price } : {};
      counted(await session.place({ symbol, side, type, qty, time_in_force, ...price }));
    }
  };

  return {
    async round() {
      if (!rules) return;
      const { state } = rules;
      const referenceCents = centsFromDecimal(rules.reference_price) ?? 1;
      if (state in CALL_ORDERS) return placeForCall(state as keyof typeof CALL_ORDERS, referenceCents);
      if (state !== 'continuous') return;
      // After a restart the walk begins at the last price, so that the market does not jump.
      midCents ??= centsFromDecimal(ticker?.last_price ?? rules.reference_price) ?? referenceCents;
      midCents = nextMid(midCents, referenceCents, random);
      const standing = await standingQuotes(api, maker.person, symbol);
      const wanted = ladder(midCents, referenceCents, random);
      const { cancel, place: missing } = adjust(standing, wanted, referenceCents);
      for (const { id } of cancel) counted(await maker.session.cancel(id));
      // A maker must not take. Symbols under matching rules before version 2 have no post_only.
      const flags = rules.matching_rules < 2 ? {} : { post_only: true };
      const hasIcebergs = rules.matching_rules >= 3;
      for (const quote of missing.slice(0, STANDING_MAX)) {
        const isIceberg = hasIcebergs && quote.shares > ICEBERG_SHARES && random.chance(ICEBERG_CHANCE);
        const display = isIceberg ? { display_qty: String(ICEBERG_SHARES) } : {};
        await place(maker, quote, 'day', { ...flags, ...display });
      }
      if (!random.chance(TAKE_CHANCE)) return;
      const side = random.chance(0.5) ? 'buy' : 'sell';
      const reachCents = TAKE_STEPS * stepCents(referenceCents) * (side === 'buy' ? 1 : -1);
      const priceCents = Math.max(1, midCents + reachCents);
      const taker = random.pick(takers);
      if (hasIcebergs && side === 'buy' && random.chance(SPEND_CHANCE)) {
        const notional = decimalFromCents(midCents * TAKE_LOT * (1 + random.below(4)));
        counted(await taker.session.place({ symbol, side, type: 'market', notional, time_in_force: 'ioc' }));
        return;
      }
      await place(taker, { side, priceCents, shares: TAKE_LOT * (1 + random.below(4)) }, 'ioc');
    },
    sent: () => sent,
  };
}

async function standingQuotes(api: Api, maker: Person, symbol: string): Promise<Standing[]> {
  const { items } = await api.query<Page<views.OrderView>>(
    `/v1/orders?status=open&symbol=${symbol}&limit=${STANDING_MAX}`,
    { token: await maker.token() },
  );
  return items
    .filter(({ status }) => status !== 'pending_cancel')
    .map(({ id, side, limit_price, leaves_qty }) => ({
      id,
      side,
      priceCents: centsFromDecimal(limit_price ?? '0') ?? 0,
      shares: Number(leaves_qty),
    }));
}

/** Tops up a trader's cash and shares by transfers of the operator, to which the limit of deposits does not apply. */
export async function topUp(
  api: Api,
  operator: Operator,
  person: Person,
  symbols: readonly string[],
): Promise<void> {
  const token = await person.token();
  const wallet = await api.query<Wallet>('/v1/wallet', { token });
  if ((centsFromDecimal(wallet.available) ?? 0) < CASH_LOW_CENTS) {
    await operator.giveCash(person.accountId, CASH_GIVEN_CENTS);
  }
  const shown = await api.query<Page<Holding> | Holding[]>('/v1/holdings', { token });
  const holdings = Array.isArray(shown) ? shown : shown.items;
  for (const symbol of symbols) {
    const holding = holdings.find((each) => each.symbol === symbol);
    if (Number(holding?.available ?? 0) < SHARES_LOW)
      await operator.giveShares(person.accountId, symbol, SHARES_GIVEN);
  }
}

export async function listDemoSymbols(operator: Operator): Promise<string[]> {
  for (const symbol of DEMO_SYMBOLS) await operator.list(symbol);
  return DEMO_SYMBOLS.map(({ symbol }) => symbol);
}
