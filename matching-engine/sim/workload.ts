import {
  type EngineInput,
  MATCHING_RULES_VERSION,
  type OrderTerms,
  SELF_TRADE_MODES,
  type TradingPhase,
  timeOf,
} from '@brokerx/contracts';
import type { PlacedInput } from '../src/rules/engine.ts';
import { mulberry32, numbered } from './random.ts';
import { listOf } from './workloadLists.ts';
import { moneyTerms } from './workloadMoney.ts';
import { rulesOf } from './workloadRules.ts';

const ORDER = 1;
const EVENT = 2;
const ACCOUNT = 3;
const LIST = 4;
const ACCOUNTS = 20;
/** Cancels and amends pick one of the newest orders that may rest. Some of these have ended already. */
const RECENT_ORDERS_MAX = 60;
const START_MS = Date.UTC(2026, 0, 5, 14, 30);

/** How many of 100 inputs are orders, cancels and amends (the rest concerns the market), and the share of crossing orders. */
type Mix = { orders: number; cancels: number; amends: number; spreadTicks: number; aggressive: number };
const MIXES: readonly Mix[] = [
  { orders: 70, cancels: 15, amends: 14, spreadTicks: 20, aggressive: 20 },
  { orders: 80, cancels: 10, amends: 9, spreadTicks: 5, aggressive: 50 },
  { orders: 55, cancels: 35, amends: 9, spreadTicks: 60, aggressive: 5 },
  { orders: 65, cancels: 14, amends: 20, spreadTicks: 1_500, aggressive: 35 },
];
const INPUTS_PER_MIX = 500;
const PHASES: readonly TradingPhase[] = ['opening_auction', 'pre_open', 'closing_auction', 'closed'];
/** After a halt or an auction three inputs lead back to continuous trading, each after about so many other inputs. */
const INPUTS_PER_STEP = 25;

/**
 * Random engine inputs, as a busy market sends them and as a hostile one would. The same seed gives the same inputs on every
 * machine. The mix of orders, cancels and amends changes every 500 inputs, so that books get very different shapes.
 *
 * The sequence is endless and of one symbol; the first input lists it.
 */
export function* workload(seed: number, symbol: string): Generator<PlacedInput, never> {
  const random = mulberry32(seed);
  const recentOrders: { orderId: string; accountId: string }[] = [];
  const revisions = new Map<string, number>();
  let timeMs = START_MS;
  let inputCount = 0;
  let orderCount = 0;
  const rules = rulesOf(seed);
  const { listingTicks, tickCents, feePpm, lotShares = 1 } = rules;
  let centreTicks = listingTicks;
  let mix = MIXES[0] as Mix;
  let stepsToContinuous = 0;

  const input = <E extends EngineInput>(stream: string, fact: Pick<E, 'type' | 'data'>): PlacedInput => {
    inputCount += 1;
    // Most inputs advance the time by up to 24 ms; one in ten steps back by up to 39 ms.
    timeMs += random(10) === 0 ? -random(40) : random(25);
    const revision = (revisions.get(stream) ?? -1) + 1;
    revisions.set(stream, revision);
    const id = numbered(EVENT, inputCount);
    const event = {
      id,
      type: fact.type,
      time: timeOf(timeMs),
      actor: 'system:workload',
      correlationId: id,
      causationId: id,
      traceparent: `00-${String(inputCount).padStart(32, '0')}-${String(inputCount).padStart(16, '0')}-00`,
      data: fact.data,
    } as EngineInput;
    return { event, revision };
  };

  /**
   * Half of the quantities are multiples of ten, so that equal sizes and exact fills are common. With lots of ten or more, most
   * quantities are below 13, so that levels are thin.
   */
  const randomShares = () =>
    lotShares >= 10 && random(8) > 0
      ? 1 + random(12)
      : random(2) === 0
        ? 10 * (1 + random(5))
        : 1 + random(random(3) === 0 ? 15 : 300);
  /** Narrows the spread of a mix for cheap symbols, so that prices stay above zero. */
  const mixFor = (mix: Mix): Mix => ({ ...mix, spreadTicks: Math.min(mix.spreadTicks, listingTicks / 5) });

  const roundedToLots = (quantity: number) => Math.ceil(quantity / lotShares) * lotShares;

  /** Every third peak is so small that an order may need too many; a few are no multiple of the lot. */
  const randomPeak = () => (random(3) === 0 ? 2 : 2 * (1 + random(30)) - Number(random(40) === 0));

  /** Mostly just enough money for a few lots near the market, so that the next price decides whether one more is bought. */
  const randomCents = () =>
    random(8) === 0
      ? 1 + random(30_000)
      : 2 * (5 * (1 + random(5)) + random(2)) * (centreTicks + 1 + random(mix.spreadTicks));

  function order(): PlacedInput {
    orderCount += 1;
    const orderId = numbered(ORDER, orderCount);
    const accountId = numbered(ACCOUNT, random(ACCOUNTS));
    const isBuy = random(2) === 0;
    const distanceTicks = random(mix.spreadTicks) + 1;
    const crosses = random(100) < mix.aggressive;
    const limitTicks = centreTicks + (isBuy === crosses ? distanceTicks : -distanceTicks);
    const stopTypes = ['stop', 'stop_limit', 'trailing_stop'] as const;
    const isStop = random(hasNewestRules ? 7 : 200) === 0;
    const type = isStop ? (stopTypes[random(3)] ?? 'stop') : random(12) === 0 ? 'market' : 'limit';
    const isGtd = random(hasNewestRules ? 12 : 300) === 0;
    const isForAuction = random(hasNewestRules ? 15 : 300) === 0;
    const timeInForceDrawn =
      (['day', 'gtc', 'day', 'gtc', 'day', 'ioc', 'fok', 'opg', 'cls'] as const)[
        isForAuction ? 7 + random(2) : random(7)
      ] ?? 'day';
    const timeInForce = isGtd ? 'gtd' : timeInForceDrawn;
    const probablyRests = type === 'limit' && !crosses && (timeInForce === 'day' || timeInForce === 'gtc');
    if (probablyRests || isStop || random(8) === 0) recentOrders.push({ orderId, accountId });
    if (recentOrders.length > RECENT_ORDERS_MAX) recentOrders.shift();
    const invalidity = random(200);
    const isForMoney = type === 'market' && random(!hasNewestRules ? 60 : isBuy ? 2 : 20) === 0;
    const quantity =
      invalidity === 0
        ? 100_001
        : invalidity === 1
          ? 0
          : invalidity < 10
            ? 2_000 + random(3_000)
            : randomShares();
    const peakDraw = probablyRests || random(40) === 0 ? random(hasNewestRules ? 6 : 300) : 1;
    return input(`account-${accountId}`, {
      type: 'OrderPlaced.v1',
      data: {
        orderId,
        accountId,
        clientOrderId: null,
        symbol,
        side: isBuy ? 'buy' : 'sell',
        type,
        timeInForce,
        quantity:
          isForMoney && invalidity > 3 ? 0 : isBuy && random(4) > 0 ? roundedToLots(quantity) : quantity,
        limitTicks: invalidity === 2 ? 0 : invalidity === 3 ? 1 + random(30_000) : Math.max(1, limitTicks),
        tickCents: invalidity === 4 ? 5 : tickCents,
        referenceTicks: listingTicks,
        bandExempt: random(40) === 0,
        feePpm,
        holdCents: 0,
        holdShares: 0,
        ...terms(type, timeInForce),
        ...(isGtd ? { expiresAt: timeOf(timeMs + random(4_000) - 100) } : {}),
        ...(isStop ? stopTerms(type, isBuy) : {}),
        ...(peakDraw === 0 ? { displayQuantity: randomPeak() } : {}),
        ...(isForMoney ? { notionalCents: randomCents() } : {}),
      },
    });
  }

  /** A valid buy for an amount of money. */
  function buyForMoney(): PlacedInput {
    orderCount += 1;
    const accountId = numbered(ACCOUNT, random(ACCOUNTS));
    return input(`account-${accountId}`, {
      type: 'OrderPlaced.v1',
      data: {
        orderId: numbered(ORDER, orderCount),
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
        ...moneyTerms(random, {
          centreTicks,
          spreadTicks: mix.spreadTicks,
          lotShares,
        }),
      },
    });
  }

  /** A list of orders. Cancels and amends may pick all its orders; of half the brackets the entry alone. */
  function list(): PlacedInput {
    const kind = random(2) === 0 ? 'bracket' : 'oco';
    const count = kind === 'bracket' ? 3 : 2;
    const orderIds = Array.from({ length: count }, (_, n) => numbered(ORDER, orderCount + 1 + n));
    orderCount += count;
    const accountId = numbered(ACCOUNT, random(ACCOUNTS));
    const targetCount = kind === 'oco' || random(2) === 0 ? count : 1;
    for (const orderId of orderIds.slice(0, targetCount)) recentOrders.push({ orderId, accountId });
    while (recentOrders.length > RECENT_ORDERS_MAX) recentOrders.shift();
    const data = listOf(random, { kind, orderIds, centreTicks, timeMs });
    return input(`account-${accountId}`, {
      type: 'OrderListPlaced.v1',
      data: {
        listId: numbered(LIST, orderCount),
        accountId,
        symbol,
        quantity: randomShares(),
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

  /** A stop price near the market, mostly on the side where it is not reached yet. */
  function stopTerms(type: string, isBuy: boolean): OrderTerms {
    const distanceTicks = random(60) + 1;
    const stopTicks =
      random(60) === 0
        ? 0
        : Math.max(1, centreTicks + (isBuy === random(12) > 0 ? distanceTicks : -distanceTicks));
    const trail = random(2) === 0 ? { trailTicks: 1 + random(40) } : { trailPpm: 100 + random(4_000) };
    return { stopTicks, ...(type === 'trailing_stop' ? trail : {}) };
  }

  /** Terms that only newer rules have. Under older rules they are rare, because those refuse them. */
  function terms(type: string, timeInForce: string): OrderTerms {
    const rarity = hasNewestRules ? 1 : 40;
    const rests = type === 'limit' && (timeInForce === 'day' || timeInForce === 'gtc');
    const enters = type === 'limit' || type === 'market';
    return {
      ...(rests && random(8 * rarity) === 0 ? { postOnly: true } : {}),
      ...(enters && timeInForce !== 'fok' && random(12 * rarity) === 0
        ? { minQuantity: 1 + random(200) }
        : {}),
      ...(random(2 * rarity) === 0 ? { selfTrade: SELF_TRADE_MODES[random(5)] ?? 'none' } : {}),
    };
  }

  function cancelOrAmend(type: 'OrderCancelRequested.v1' | 'OrderAmendRequested.v1'): PlacedInput {
    const index = random(recentOrders.length);
    const target = recentOrders[index] as (typeof recentOrders)[number];
    // Mostly an order is canceled once, now and then again.
    if (type === 'OrderCancelRequested.v1' && random(6) > 0) recentOrders.splice(index, 1);
    const mistake = random(50);
    const orderId = mistake === 0 ? numbered(ORDER, 1_000_000_000 + inputCount) : target.orderId;
    const accountId = mistake === 1 ? numbered(ACCOUNT, random(ACCOUNTS)) : target.accountId;
    const stream = `account-${accountId}`;
    if (type === 'OrderCancelRequested.v1')
      return input(stream, { type, data: { orderId, accountId, symbol } });
    const quantity = random(30) === 0 ? 100_001 : randomShares();
    const moves = random(hasNewestRules ? 2 : 40) === 0;
    const limitTicks =
      random(60) === 0 ? 0 : Math.max(1, centreTicks + random(2 * mix.spreadTicks) - mix.spreadTicks);
    const change = {
      ...(moves ? { limitTicks } : {}),
      ...(moves && random(10) === 0 ? { bandExempt: true as const } : {}),
    };
    return input(stream, {
      type,
      data: { orderId, accountId, symbol, amendment: inputCount, quantity, ...change },
    });
  }

  const endCall = () =>
    input(`market-${symbol}`, { type: 'AuctionCallEnded.v1', data: { symbol, at: timeOf(timeMs) } });
  const beginPhase = (phase: TradingPhase) =>
    input(`market-${symbol}`, { type: 'TradingPhaseBegan.v1', data: { symbol, phase, at: timeOf(timeMs) } });
  const stepToContinuous = () => {
    stepsToContinuous -= 1;
    if (stepsToContinuous === 2)
      return input(`market-${symbol}`, { type: 'TradingResumed.v1', data: { symbol } });
    return stepsToContinuous === 1 ? endCall() : beginPhase('continuous');
  };

  function marketInput(): PlacedInput {
    const stream = `market-${symbol}`;
    // Under the newest rules half of the market's inputs belong to the trading day.
    if (hasNewestRules && random(2) === 0) {
      stepsToContinuous = 3;
      return random(4) === 0 ? endCall() : beginPhase(PHASES[random(PHASES.length)] ?? 'closed');
    }
    const draw = random(14);
    if (draw > 9) {
      return input(stream, { type: 'TimeReached.v1', data: { symbol, at: timeOf(timeMs - random(60)) } });
    }
    if (draw < 3) stepsToContinuous = 3;
    if (draw < 3) return input(stream, { type: 'TradingHalted.v1', data: { symbol, reason: 'a drill' } });
    if (draw < 7) return input(stream, { type: 'TradingResumed.v1', data: { symbol } });
    if (draw === 7 && !hasNewestRules) {
      hasNewestRules = true;
      return input(stream, {
        type: 'MatchingRulesAdopted.v1',
        data: { symbol, matchingRules: MATCHING_RULES_VERSION },
      });
    }
    if (draw === 7) return input(stream, { type: 'TradingResumed.v1', data: { symbol } });
    if (draw === 8) {
      const data = { symbol, bandsOff: random(2) === 0, quotasOff: false };
      return input(stream, { type: 'SymbolExemptionsChanged.v1', data });
    }
    centreTicks = Math.max(listingTicks / 5, centreTicks + random(listingTicks / 25 + 1) - listingTicks / 50);
    const data = { symbol, day: timeOf(timeMs).slice(0, 10), at: timeOf(timeMs), closeTicks: centreTicks };
    return input(stream, { type: 'DayEnded.v1', data });
  }

  // Every fourth seed begins with the oldest rules, and adopts the newest ones on its way.
  let hasNewestRules = seed % 4 !== 0;
  const listed = {
    symbol,
    name: `${symbol} Inc.`,
    rules,
    matchingRules: hasNewestRules ? MATCHING_RULES_VERSION : 1,
  };
  yield input(`market-${symbol}`, { type: 'SymbolListed.v1', data: listed });
  for (;;) {
    if (inputCount % INPUTS_PER_MIX === 0) mix = mixFor(MIXES[random(MIXES.length)] as Mix);
    if (stepsToContinuous > 0 && random(INPUTS_PER_STEP) === 0) {
      yield stepToContinuous();
      continue;
    }
    // The workload does not see volatility auctions begin, so it ends a call now and then.
    if (hasNewestRules && random(150) === 0) {
      yield endCall();
      continue;
    }
    const draw = random(100);
    if (draw < mix.orders && random(hasNewestRules ? 12 : 300) === 0) yield list();
    else if (draw < mix.orders && random(hasNewestRules ? 20 : 600) === 0) yield buyForMoney();
    else if (recentOrders.length === 0 || draw < mix.orders) yield order();
    else if (draw < mix.orders + mix.cancels) yield cancelOrAmend('OrderCancelRequested.v1');
    else if (draw < mix.orders + mix.cancels + mix.amends) yield cancelOrAmend('OrderAmendRequested.v1');
    else yield marketInput();
  }
}
