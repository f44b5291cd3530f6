import { type Api, succeeded } from '@brokerx/client';
import { centsFromDecimal, decimalFromCents } from '@brokerx/contracts';
import { MID_CENTS } from '../../bench/orderMix.ts';
import { progress } from '../../cli/report.ts';
import type { Target } from '../../own/target.ts';
import type { Person } from '../../people.ts';
import type { LoadUser } from '../generator/protocol.ts';
import type { Scenario } from '../scenarios/scenario.ts';
import { crowd } from './crowd.ts';

/** What a scenario needs before it begins: listed symbols, and people with means. */
export type Prepared = {
  /** With its orders as they fit this installation. */
  scenario: Scenario;
  symbols: readonly string[];
  people: readonly Person[];
  /** Whose single orders are followed, in a symbol where a large order of another person's rests. */
  probe: { person: Person; symbol: string; limitPrice: string };
};

const PROBE_SYMBOL = 'LOADPROBE';
const PROBE_CASH_CENTS = 100_000_000_000;
const PROBE_SHARES = 1_000_000;
const SHARES = 10_000_000;
/** An order's limit where its own lies outside the collar: this share of the reference price. */
const WITHIN_COLLAR = 0.95;
/** What an installation of its own lists for orders of a fixed price: the limit lies within its collar, below the price. */
const LISTED_ABOVE = 1.05;

export async function prepare(target: Target, wanted: Scenario): Promise<Prepared> {
  const { operator, api } = target;
  const scenario = await fitting(target, wanted);
  const { orders, users, cashCents } = scenario;
  const symbols =
    orders.kind === 'fixed'
      ? [orders.symbol]
      : Array.from({ length: scenario.symbols }, (_, index) => `LOAD${index + 1}`);
  if (orders.kind !== 'fixed') {
    for (const symbol of symbols) await operator.list({ symbol, name: 'Load', listingCents: MID_CENTS });
  }
  await operator.list({ symbol: PROBE_SYMBOL, name: 'Load probe', listingCents: MID_CENTS });
  const shares = orders.kind === 'fixed' ? [] : symbols.map((symbol) => ({ symbol, shares: SHARES }));
  const people = await crowd(target, users + 2, { cashCents, shares });
  const [maker, prober, ...others] = people as [Person, Person, ...Person[]];
  await operator.giveCash(prober.accountId, PROBE_CASH_CENTS);
  await operator.giveShares(maker.accountId, PROBE_SYMBOL, PROBE_SHARES);
  const limitPrice = decimalFromCents(MID_CENTS);
  await rest(api, maker, limitPrice);
  return { scenario, symbols, people: others, probe: { person: prober, symbol: PROBE_SYMBOL, limitPrice } };
}

async function rest(api: Api, maker: Person, limit_price: string): Promise<void> {
  const body = { symbol: PROBE_SYMBOL, side: 'sell', type: 'limit', qty: String(PROBE_SHARES), limit_price };
  const token = await maker.token();
  const outcome = await api.command({
    method: 'POST',
    path: '/v1/orders',
    token,
    body: { ...body, time_in_force: 'gtc' },
  });
  succeeded('placing the order that probes meet', outcome);
}

/** A fixed order has a limit within the collar of its symbol, which is listed where it is not yet. */
async function fitting({ api, operator }: Target, scenario: Scenario): Promise<Scenario> {
  const { orders } = scenario;
  if (orders.kind !== 'fixed') return scenario;
  const limitCents = centsOf(orders.limitPrice);
  const listingCents = Math.round(limitCents * LISTED_ABOVE);
  const listed = await operator.list({ symbol: orders.symbol, name: orders.symbol, listingCents });
  if (listed === 'listed') {
    progress(
      `${orders.symbol} is listed at ${decimalFromCents(listingCents)}, so that a limit of ${orders.limitPrice} lies within its collar`,
    );
    return scenario;
  }
  const { reference_price, collar_ppm } = await api.query<SymbolView>(`/v1/symbols/${orders.symbol}`);
  const referenceCents = centsOf(reference_price);
  const isWithin = Math.abs(limitCents - referenceCents) * 1_000_000 < collar_ppm * referenceCents;
  if (isWithin) return scenario;
  const limitPrice = decimalFromCents(Math.round(referenceCents * WITHIN_COLLAR));
  progress(
    `a limit of ${orders.limitPrice} lies outside ${orders.symbol}'s collar around ${reference_price}: orders have ${limitPrice} instead`,
  );
  return { ...scenario, orders: { ...orders, limitPrice } };
}

type SymbolView = { reference_price: string; collar_ppm: number };

function centsOf(price: string): number {
  const cents = centsFromDecimal(price);
  if (cents === undefined) throw new Error(`${price} is no amount of money`);
  return cents;
}

/** A person as generator processes sign in. */
export async function loadUser(person: Person): Promise<LoadUser> {
  const { email, password, accountId } = person;
  const token = await person.token();
  const payload = token.split('.')[1] ?? '';
  const { exp } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { exp: number };
  return { email, password, accountId, token, expiresMs: exp * 1_000 };
}
