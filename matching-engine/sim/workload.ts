import {
  type EngineInput,
  MATCHING_RULES_VERSION,
  type OrderTerms,
  SELF_TRADE_MODES,
  type TradingPhase,
  timeOf,
} from '@brokerx/contracts';
import type { PlacedInput } from '../src/rules/engine.ts';
import { listOf } from './workloadLists.ts';
import { forMoney } from './workloadMoney.ts';
import { rulesOf } from './workloadRules.ts';

/**
 * Seeded streams of engine inputs: what a busy market sends, and what a hostile one would. The same seed gives the
 * same inputs on every machine. Now and then the mix changes (calm, rush, cancels, thin book), so that
 * books of very different shapes are met.
 */
export type Random = (below: number) => number;

/** Mulberry32: small, seeded, the same on every machine. */
export function mulberry32(seed: number): Random {
  let s = seed >>> 0;
  return (below) => {
    s = (s + 0x6d2b79f5) >>> 0;
    let t = Math.imul(s ^ (s >>> 15), s | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

/** A readable UUID: `00000000-0000-4000-8000-00000000002a` for 42. */
export const numbered = (group: number, n: number): string =>
  `${group.toString(16).padStart(8, '0')}-0000-4000-8000-${n.toString(16).padStart(12, '0')}`;

const ORDER = 1;
const EVENT = 2;
const ACCOUNT = 3;
const LIST = 4;
const ACCOUNTS = 20;
/** Orders that cancels and amends aim at: the newest that may rest, gone by now or not. */
const RECENT_ORDERS_MAX = 60;
const START_MS = Date.UTC(2026, 0, 5, 14, 30);

/** What of 100 inputs are orders, cancels, amends; the rest is on the market. Spread of prices in ticks. */
type Mix = { orders: number; cancels: number; amends: number; spreadTicks: number; aggressive: number };
const MIXES: readonly Mix[] = [
  { orders: 70, cancels: 15, amends: 14, spreadTicks: 20, aggressive: 20 },
  { orders: 80, cancels: 10, amends: 9, spreadTicks: 5, aggressive: 50 },
  { orders: 55, cancels: 35, amends: 9, spreadTicks: 60, aggressive: 5 },
  { orders: 65, cancels: 14, amends: 20, spreadTicks: 1_500, aggressive: 35 },
];
const INPUTS_PER_MIX = 500;
const PHASES: readonly TradingPhase[] = ['opening_auction', 'pre_open', 'closing_auction', 'closed'];
/** From any state three inputs lead back to continuous trading; each comes after so many others, about. */
const INPUTS_PER_STEP_BACK = 25;

/** Endless inputs of one symbol; the first lists it. */
export function* workload(seed: number, symbol: string): Generator<PlacedInput, never> {
  const random = mulberry32(seed);
  const recent: { orderId: string; accountId: string }[] = [];
  const revisions = new Map<string, number>();
  let time = START_MS;
  let count = 0;
  let placed = 0;
  const rules = rulesOf(seed);
  const { listingTicks, tickCents, feePpm, lotShares: lot = 1 } = rules;
  let centre = listingTicks;
  let mix = MIXES[0] as Mix;
  let stepsBack = 0;

  const input = <E extends EngineInput>(stream: string, fact: Pick<E, 'type' | 'data'>): PlacedInput => {
    count += 1;
    // Most inputs share or advance the time a little; some come with a time that lies before the one before.
    time += random(10) === 0 ? -random(40) : random(25);
    const revision = (revisions.get(stream) ?? -1) + 1;
    revisions.set(stream, revision);
    const id = numbered(EVENT, count);
    const event = {
      id,
      type: fact.type,
      time: timeOf(time),
      actor: 'system:workload',
      correlationId: id,
      causationId: id,
      traceparent: `00-${String(count).padStart(32, '0')}-${String(count).padStart(16, '0')}-00`,
      data: fact.data,
    } as EngineInput;
    return { event, revision };
  };

  /**
   * Round lots half the time, so that equal sizes and exact fills are common; beside wide lots mostly little, so that levels
   * are thin.
   */
  const size = () =>
    lot >= 10 && random(8) > 0
      ? 1 + random(12)
      : random(2) === 0
        ? 10 * (1 + random(5))
        : 1 + random(random(3) === 0 ? 15 : 300);
  /** Some prices are left at the ends. */
  const mixFor = (mix: Mix): Mix => ({ ...mix, spreadTicks: Math.min(mix.spreadTicks, listingTicks / 5) });

  const inLots = (quantity: number) => Math.ceil(quantity / lot) * lot;

  /** Now and then so little that there would be too many peaks; rarely no lot. */
  const shown = () => (random(3) === 0 ? 2 : 2 * (1 + random(30)) - Number(random(40) === 0));

  /** Mostly just enough for so many lots near the market, so that the next price decides whether one more is bought. */
  const money = () =>
    random(8) === 0
      ? 1 + random(30_000)
      : 2 * (5 * (1 + random(5)) + random(2)) * (centre + 1 + random(mix.spreadTicks));

  function order(): PlacedInput {
    placed += 1;
    const orderId = numbered(ORDER, placed);
    const accountId = numbered(ACCOUNT, random(ACCOUNTS));
    const buy = random(2) === 0;
    const away = random(mix.spreadTicks) + 1;
    const crossing = random(100) < mix.aggressive;
    const limit = centre + (buy === crossing ? away : -away);
    const stops = ['stop', 'stop_limit', 'trailing_stop'] as const;
    const waits = random(newest ? 7 : 200) === 0;
    const type = waits ? (stops[random(3)] ?? 'stop') : random(12) === 0 ? 'market' : 'limit';
    const ends = random(newest ? 12 : 300) === 0;
    const forAuction = random(newest ? 15 : 300) === 0;
    const kept =
      (['day', 'gtc', 'day', 'gtc', 'day', 'ioc', 'fok', 'opg', 'cls'] as const)[
        forAuction ? 7 + random(2) : random(7)
      ] ?? 'day';
    const timeInForce = ends ? 'gtd' : kept;
    const rests = type === 'limit' && !crossing && (timeInForce === 'day' || timeInForce === 'gtc');
    if (rests || waits || random(8) === 0) recent.push({ orderId, accountId });
    if (recent.length > RECENT_ORDERS_MAX) recent.shift();
    const odd = random(200);
    const isForMoney = type === 'market' && random(!newest ? 60 : buy ? 2 : 20) === 0;
    const quantity = odd === 0 ? 100_001 : odd === 1 ? 0 : odd < 10 ? 2_000 + random(3_000) : size();
    const peak = rests || random(40) === 0 ? random(newest ? 6 : 300) : 1;
    return input(`account-${accountId}`, {
      type: 'OrderPlaced.v1',
      data: {
        orderId,
        accountId,
        clientOrderId: null,
        symbol,
        side: buy ? 'buy' : 'sell',
        type,
        timeInForce,
        quantity: isForMoney && odd > 3 ? 0 : buy && random(4) > 0 ? inLots(quantity) : quantity,
        limitTicks: odd === 2 ? 0 : odd === 3 ? 1 + random(30_000) : Math.max(1, limit),
        tickCents: odd === 4 ? 5 : tickCents,
        referenceTicks: listingTicks,
        bandExempt: random(40) === 0,
        feePpm,
        holdCents: 0,
        holdShares: 0,
        ...terms(type, timeInForce),
        ...(ends ? { expiresAt: timeOf(time + random(4_000) - 100) } : {}),
        ...(waits ? stopTerms(type, buy) : {}),
        ...(peak === 0 ? { displayQuantity: shown() } : {}),
        ...(isForMoney ? { notionalCents: money() } : {}),
      },
    });
  }

  /** A buy for an amount of money that nothing speaks against. */
  function buyForMoney(): PlacedInput {
    placed += 1;
    const accountId = numbered(ACCOUNT, random(ACCOUNTS));
    return input(`account-${accountId}`, {
      type: 'OrderPlaced.v1',
      data: {
        orderId: numbered(ORDER, placed),
        accountId,
        clientOrderId: null,
        symbol,
        side: 'buy',
        type: 'market',
        timeInForce: 'ioc',
        quantity: 0,
        tickCents,
        referenceTicks: listingTicks,
        bandExempt: random(4) === 0,
        feePpm,
        holdCents: 0,
        holdShares: 0,
        ...forMoney(random, { centre, spreadTicks: mix.spreadTicks, lot }),
      },
    });
  }

  /** Orders that belong together; of a bracket's the entry alone is aimed at, half of the time. */
  function list(): PlacedInput {
    const kind = random(2) === 0 ? 'bracket' : 'oco';
    const count = kind === 'bracket' ? 3 : 2;
    const orderIds = Array.from({ length: count }, (_, n) => numbered(ORDER, placed + 1 + n));
    placed += count;
    const accountId = numbered(ACCOUNT, random(ACCOUNTS));
    const aimedAt = kind === 'oco' || random(2) === 0 ? count : 1;
    for (const orderId of orderIds.slice(0, aimedAt)) recent.push({ orderId, accountId });
    while (recent.length > RECENT_ORDERS_MAX) recent.shift();
    const data = listOf(random, { kind, orderIds, centre, timeMs: time });
    return input(`account-${accountId}`, {
      type: 'OrderListPlaced.v1',
      data: {
        listId: numbered(LIST, placed),
        accountId,
        symbol,
        quantity: size(),
        tickCents,
        referenceTicks: listingTicks,
        bandExempt: random(40) === 0,
        feePpm,
        holdCents: 0,
        holdShares: 0,
        ...data,
      },
    });
  }

  /** Near the market and on the side where it waits, mostly. */
  function stopTerms(type: string, buy: boolean): OrderTerms {
    const away = random(60) + 1;
    const stopTicks = random(60) === 0 ? 0 : Math.max(1, centre + (buy === random(12) > 0 ? away : -away));
    const trail = random(2) === 0 ? { trailTicks: 1 + random(40) } : { trailPpm: 100 + random(4_000) };
    return { stopTicks, ...(type === 'trailing_stop' ? trail : {}) };
  }

  /** What only newer rules have; older ones refuse it, which is tried now and then. */
  function terms(type: string, timeInForce: string): OrderTerms {
    const rare = newest ? 1 : 40;
    const rests = type === 'limit' && (timeInForce === 'day' || timeInForce === 'gtc');
    const enters = type === 'limit' || type === 'market';
    return {
      ...(rests && random(8 * rare) === 0 ? { postOnly: true } : {}),
      ...(enters && timeInForce !== 'fok' && random(12 * rare) === 0 ? { minQuantity: 1 + random(200) } : {}),
      ...(random(2 * rare) === 0 ? { selfTrade: SELF_TRADE_MODES[random(5)] ?? 'none' } : {}),
    };
  }

  function request(type: 'OrderCancelRequested.v1' | 'OrderAmendRequested.v1'): PlacedInput {
    const at = random(recent.length);
    const known = recent[at] as (typeof recent)[number];
    // Mostly it is canceled once; now and then again.
    if (type === 'OrderCancelRequested.v1' && random(6) > 0) recent.splice(at, 1);
    const stray = random(50);
    const orderId = stray === 0 ? numbered(ORDER, 1_000_000_000 + count) : known.orderId;
    const accountId = stray === 1 ? numbered(ACCOUNT, random(ACCOUNTS)) : known.accountId;
    const stream = `account-${accountId}`;
    if (type === 'OrderCancelRequested.v1')
      return input(stream, { type, data: { orderId, accountId, symbol } });
    const quantity = random(30) === 0 ? 100_001 : size();
    const moves = random(newest ? 2 : 40) === 0;
    const limitTicks =
      random(60) === 0 ? 0 : Math.max(1, centre + random(2 * mix.spreadTicks) - mix.spreadTicks);
    const change = {
      ...(moves ? { limitTicks } : {}),
      ...(moves && random(10) === 0 ? { bandExempt: true as const } : {}),
    };
    return input(stream, {
      type,
      data: { orderId, accountId, symbol, amendment: count, quantity, ...change },
    });
  }

  const endCall = () =>
    input(`market-${symbol}`, { type: 'AuctionCallEnded.v1', data: { symbol, at: timeOf(time) } });
  const begin = (phase: TradingPhase) =>
    input(`market-${symbol}`, { type: 'TradingPhaseBegan.v1', data: { symbol, phase, at: timeOf(time) } });
  const stepBack = () => {
    stepsBack -= 1;
    if (stepsBack === 2) return input(`market-${symbol}`, { type: 'TradingResumed.v1', data: { symbol } });
    return stepsBack === 1 ? endCall() : begin('continuous');
  };

  function onMarket(): PlacedInput {
    const stream = `market-${symbol}`;
    // Under the newest rules half of what happens belongs to the day.
    if (newest && random(2) === 0) {
      stepsBack = 3;
      return random(4) === 0 ? endCall() : begin(PHASES[random(PHASES.length)] ?? 'closed');
    }
    const what = random(14);
    if (what > 9) {
      return input(stream, { type: 'TimeReached.v1', data: { symbol, at: timeOf(time - random(60)) } });
    }
    if (what < 3) stepsBack = 3;
    if (what < 3) return input(stream, { type: 'TradingHalted.v1', data: { symbol, reason: 'a drill' } });
    if (what < 7) return input(stream, { type: 'TradingResumed.v1', data: { symbol } });
    if (what === 7 && !newest) {
      newest = true;
      return input(stream, {
        type: 'MatchingRulesAdopted.v1',
        data: { symbol, matchingRules: MATCHING_RULES_VERSION },
      });
    }
    if (what === 7) return input(stream, { type: 'TradingResumed.v1', data: { symbol } });
    if (what === 8) {
      const data = { symbol, bandsOff: random(2) === 0, quotasOff: false };
      return input(stream, { type: 'SymbolExemptionsChanged.v1', data });
    }
    centre = Math.max(listingTicks / 5, centre + random(listingTicks / 25 + 1) - listingTicks / 50);
    const data = { symbol, day: timeOf(time).slice(0, 10), at: timeOf(time), closeTicks: centre };
    return input(stream, { type: 'DayEnded.v1', data });
  }

  // Every fourth seed begins with the oldest rules, and adopts the newest ones on its way.
  let newest = seed % 4 !== 0;
  const listed = {
    symbol,
    name: `${symbol} Inc.`,
    rules,
    matchingRules: newest ? MATCHING_RULES_VERSION : 1,
  };
  yield input(`market-${symbol}`, { type: 'SymbolListed.v1', data: listed });
  for (;;) {
    if (count % INPUTS_PER_MIX === 0) mix = mixFor(MIXES[random(MIXES.length)] as Mix);
    if (stepsBack > 0 && random(INPUTS_PER_STEP_BACK) === 0) {
      yield stepBack();
      continue;
    }
    // Calls that the band begins are not known here: one ends now and then.
    if (newest && random(150) === 0) {
      yield endCall();
      continue;
    }
    const what = random(100);
    if (what < mix.orders && random(newest ? 12 : 300) === 0) yield list();
    else if (what < mix.orders && random(newest ? 20 : 600) === 0) yield buyForMoney();
    else if (recent.length === 0 || what < mix.orders) yield order();
    else if (what < mix.orders + mix.cancels) yield request('OrderCancelRequested.v1');
    else if (what < mix.orders + mix.cancels + mix.amends) yield request('OrderAmendRequested.v1');
    else yield onMarket();
  }
}
