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

/** What the traders list on a new market. */
const DEMO_SYMBOLS = [
  { symbol: 'XEQT', name: 'iShares Core Equity ETF Portfolio', listingCents: 3_450 },
  { symbol: 'AAPL', name: 'Apple Inc.', listingCents: 23_000 },
  { symbol: 'SHOP', name: 'Shopify Inc.', listingCents: 15_200 },
  { symbol: 'RY', name: 'Royal Bank of Canada', listingCents: 19_850 },
  { symbol: 'BTO', name: 'B2Gold Corp.', listingCents: 512 },
] as const;

/** Below this a trader gets more from the operator, and then so much: rare at the rates of a demo. */
const CASH_LOW_CENTS = 100_000_000;
const CASH_GIVEN_CENTS = 1_000_000_000;
const SHARES_LOW = 5_000;
const SHARES_GIVEN = 100_000;
/** A maker's standing orders of one symbol; more than the ladder means that cancels are on their way. */
const STANDING_MAX = 30;
const TAKE_CHANCE = 0.35;
const TAKE_LOT = 10;
const GATHER_CHANCE = 0.8;
/** Some takers say how much to spend. */
const SPEND_CHANCE = 0.2;
/** Quotes above this show a part of themselves, now and then. */
const ICEBERG_SHARES = 20;
const ICEBERG_CHANCE = 0.2;
/** How far through the mid a taker goes: three levels of the ladder. */
const TAKE_STEPS = 3;

/** What takers place in each call: it ends with that. */
const FOR_CALL = {
  opening_auction: { type: 'limit', time_in_force: 'opg' },
  volatility_auction: { type: 'market', time_in_force: 'day' },
  closing_auction: { type: 'limit', time_in_force: 'cls' },
} as const;

/** Who trades: the orders go over the session, so do prices. */
export type Trader = { person: Person; session: Session };

/** One symbol's side of the simulation: a maker that keeps a ladder, takers that sometimes hit it. */
export type SimulatedMarket = {
  /** Does nothing until it has heard of the symbol's rules, nor while its market is closed or halted. */
  round(): Promise<void>;
  /** Commands that were answered. */
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
  maker.session.subscribe({ channel: 'rules', symbol }, { data: (told) => (rules = told) });
  maker.session.subscribe({ channel: 'ticker', symbol }, { data: (told) => (ticker = told) });

  const answered = <T>(outcome: Outcome<T>): void => {
    // A refusal is part of trading: filled meanwhile, halted, out of money until the next allowance.
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
    answered(await session.place({ symbol, side, type: 'limit', qty, limit_price, time_in_force, ...flags }));
  };

  /** In a call takers gather, around the reference and for this call alone. */
  const gather = async (auction: keyof typeof FOR_CALL, referenceCents: number) => {
    const { time_in_force, type } = FOR_CALL[auction];
    for (const { session } of takers) {
      if (!random.chance(GATHER_CHANCE)) continue;
      const side = random.chance(0.5) ? 'buy' : 'sell';
      const qty = String(TAKE_LOT * (1 + random.below(4)));
      // Mostly through the reference, so that sides meet.
      const through = (random.below(TAKE_STEPS + 2) - 1) * stepCents(referenceCents);
      const limitCents = referenceCents + (side === 'buy' ? through : -through);
      const limit_price = decimalFromCents(Math.max(1, limitCents));
      const price = type === 'limit' ? { limit_price } : {};
      answered(await session.place({ symbol, side, type, qty, time_in_force, ...price }));
    }
  };

  return {
    async round() {
      const referenceNow = centsFromDecimal(rules?.reference_price ?? '0') ?? 0;
      if (rules && rules.state in FOR_CALL) return gather(rules.state as keyof typeof FOR_CALL, referenceNow);
      if (rules?.state !== 'continuous') return;
      const referenceCents = centsFromDecimal(rules.reference_price) ?? 1;
      // Where the market stood before this start, so that a restart makes no jump.
      const wasCents: number =
        midCents ?? centsFromDecimal(ticker?.last_price ?? rules.reference_price) ?? referenceCents;
      midCents = nextMid(wasCents, referenceCents, random);
      const { cancel, place: missing } = adjust(
        await standing(api, maker.person, symbol),
        ladder(midCents, referenceCents, random),
        referenceCents,
      );
      for (const { id } of cancel) answered(await maker.session.cancel(id));
      // A maker means to make; symbols that were listed under older rules have no post_only.
      const flags = rules.matching_rules < 2 ? {} : { post_only: true };
      const newest = rules.matching_rules >= 3;
      for (const quote of missing.slice(0, STANDING_MAX)) {
        const iced = newest && quote.shares > ICEBERG_SHARES && random.chance(ICEBERG_CHANCE);
        await place(maker, quote, 'day', iced ? { ...flags, display_qty: String(ICEBERG_SHARES) } : flags);
      }
      if (!random.chance(TAKE_CHANCE)) return;
      const side = random.chance(0.5) ? 'buy' : 'sell';
      const reach = TAKE_STEPS * stepCents(referenceCents) * (side === 'buy' ? 1 : -1);
      const priceCents = Math.max(1, midCents + reach);
      const taker = random.pick(takers);
      if (newest && side === 'buy' && random.chance(SPEND_CHANCE)) {
        const notional = decimalFromCents(midCents * TAKE_LOT * (1 + random.below(4)));
        answered(await taker.session.place({ symbol, side, type: 'market', notional, time_in_force: 'ioc' }));
        return;
      }
      await place(taker, { side, priceCents, shares: TAKE_LOT * (1 + random.below(4)) }, 'ioc');
    },
    sent: () => sent,
  };
}

async function standing(api: Api, maker: Person, symbol: string): Promise<Standing[]> {
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

/** Tops up what a trader needs; an operator's transfers are free of the wallet's limit. */
export async function provide(
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
    const held = holdings.find((holding) => holding.symbol === symbol);
    if (Number(held?.available ?? 0) < SHARES_LOW)
      await operator.giveShares(person.accountId, symbol, SHARES_GIVEN);
  }
}

export async function listDemoSymbols(operator: Operator): Promise<string[]> {
  for (const symbol of DEMO_SYMBOLS) await operator.list(symbol);
  return DEMO_SYMBOLS.map(({ symbol }) => symbol);
}
