import type { BookFact, EngineInput, EventOf, OrderRef, SymbolRules, TradingPhase } from '@brokerx/contracts';
import { orderPlaced, symbolRules } from '@brokerx/contracts/testing/facts.ts';
import type { PlacedInput } from '../src/rules/engine.ts';

/** Inputs as a trader would say them, for tests. Orders are named by letters; a letter is an order's UUID in short. */
export const SYMBOL = 'ACME';
export const ACCOUNT = '0000acc0-0000-4000-8000-000000000001';
export const RULES = symbolRules({ orderSharesMax: 10_000 });

export const idOf = (name: string): string =>
  `00000000-0000-4000-8000-${Buffer.from(name).toString('hex').padStart(12, '0')}`;

type OrderTerms = Partial<
  Omit<EventOf<'OrderPlaced.v1'>['data'], 'orderId' | 'side' | 'quantity' | 'limitTicks'>
>;
type ListTerms = Partial<
  Pick<EventOf<'OrderPlaced.v1'>['data'], 'timeInForce' | 'accountId' | 'selfTrade' | 'expiresAt'>
> & {
  stopLimit?: number;
};
type Facts = Pick<EngineInput, 'type' | 'data'>;

/** Each input gets the next revision and, unless told, the next second. */
export function desk(symbol = SYMBOL) {
  let count = -1;
  const input = (facts: Facts, time?: string): PlacedInput => {
    count += 1;
    const id = idOf(`i${count}`);
    const event = {
      id,
      time:
        time ??
        `2026-01-05T14:${String(30 + Math.floor(count / 60)).padStart(2, '0')}:${String(count % 60).padStart(2, '0')}.000Z`,
      actor: 'client:c',
      correlationId: id,
      causationId: id,
      traceparent: `00-${'1'.repeat(32)}-${String(count + 1).padStart(16, '0')}-01`,
      ...facts,
    } as EngineInput;
    return { event, revision: count };
  };
  const order =
    (side: 'buy' | 'sell') =>
    (name: string, quantity: number, limitTicks: number, terms: OrderTerms = {}) =>
      input(
        orderPlaced({
          orderId: idOf(name),
          accountId: ACCOUNT,
          symbol,
          side,
          quantity,
          limitTicks,
          holdCents: 0,
          ...terms,
        }),
      );
  /** A take-profit P and a stop-loss L of one quantity. */
  const oco =
    (side: 'buy' | 'sell') =>
    (
      [profit, loss]: readonly [string, string],
      quantity: number,
      [limitTicks, stopTicks]: readonly [number, number],
      terms: ListTerms = {},
    ) => {
      const { stopLimit, timeInForce = 'gtc', accountId = ACCOUNT, ...more } = terms;
      const protection = side === 'buy' ? 1_200 : 800;
      const common = { clientOrderId: null, side, timeInForce, ...more };
      return input({
        type: 'OrderListPlaced.v1',
        data: {
          listId: idOf(`${profit}${loss}`),
          accountId,
          kind: 'oco',
          symbol,
          quantity,
          tickCents: 1,
          referenceTicks: 1_000,
          bandExempt: false,
          feePpm: 1_000,
          holdCents: 0,
          holdShares: 0,
          orders: [
            { orderId: idOf(profit), role: 'take_profit', type: 'limit', limitTicks, ...common },
            {
              orderId: idOf(loss),
              role: 'stop_loss',
              type: stopLimit === undefined ? 'stop' : 'stop_limit',
              limitTicks: stopLimit ?? protection,
              stopTicks,
              ...common,
            },
          ],
        },
      });
    };
  return {
    input,
    buy: order('buy'),
    sell: order('sell'),
    buyOco: oco('buy'),
    sellOco: oco('sell'),
    /** A buy E, then a take-profit P and a stop-loss L of what it has bought. */
    bracket: (
      names: readonly [string, string, string],
      quantity: number,
      [limitTicks, profitTicks, stopTicks]: readonly [number, number, number],
      terms: ListTerms & { market?: boolean } = {},
    ) => {
      const { market, stopLimit = 800, timeInForce = market ? 'day' : 'gtc', ...more } = terms;
      const [entry, profit, loss] = names.map(idOf) as [string, string, string];
      const common = { clientOrderId: null, timeInForce, ...more };
      const sells = { side: 'sell' as const, ...common };
      return input({
        type: 'OrderListPlaced.v1',
        data: {
          listId: idOf(names.join('')),
          accountId: ACCOUNT,
          kind: 'bracket',
          symbol,
          quantity,
          tickCents: 1,
          referenceTicks: 1_000,
          bandExempt: false,
          feePpm: 1_000,
          holdCents: 0,
          holdShares: 0,
          orders: [
            {
              orderId: entry,
              role: 'entry',
              side: 'buy',
              type: market ? 'market' : 'limit',
              limitTicks,
              ...common,
            },
            { orderId: profit, role: 'take_profit', type: 'limit', limitTicks: profitTicks, ...sells },
            { orderId: loss, role: 'stop_loss', type: 'stop', limitTicks: stopLimit, stopTicks, ...sells },
          ],
        },
      });
    },
    cancel: (name: string, accountId = ACCOUNT) =>
      input({ type: 'OrderCancelRequested.v1', data: { orderId: idOf(name), accountId, symbol } }),
    amend: (name: string, quantity: number, change: { limitTicks?: number; bandExempt?: true } = {}) =>
      input({
        type: 'OrderAmendRequested.v1',
        data: { orderId: idOf(name), accountId: ACCOUNT, symbol, amendment: 1, quantity, ...change },
      }),
    adopt: (matchingRules: number) =>
      input({ type: 'MatchingRulesAdopted.v1', data: { symbol, matchingRules } }),
    list: (rules: Partial<SymbolRules> = {}, matchingRules = 1) =>
      input({
        type: 'SymbolListed.v1',
        data: { symbol, name: 'Acme', rules: { ...RULES, ...rules }, matchingRules },
      }),
    exempt: (bandsOff: boolean) =>
      input({ type: 'SymbolExemptionsChanged.v1', data: { symbol, bandsOff, quotasOff: false } }),
    reach: (at: string) => input({ type: 'TimeReached.v1', data: { symbol, at: `2026-01-05T${at}.000Z` } }),
    halt: () => input({ type: 'TradingHalted.v1', data: { symbol, reason: 'news' } }),
    resume: () => input({ type: 'TradingResumed.v1', data: { symbol } }),
    phase: (phase: TradingPhase, at = '14:00:00') =>
      input({
        type: 'TradingPhaseBegan.v1',
        data: { symbol, phase, at: `2026-01-05T${at}.000Z` },
      }),
    endCall: (at = '14:00:00') =>
      input({ type: 'AuctionCallEnded.v1', data: { symbol, at: `2026-01-05T${at}.000Z` } }),
    endDay: (closeTicks: number) =>
      input({
        type: 'DayEnded.v1',
        data: { symbol, day: '2026-01-05', at: '2026-01-05T21:00:00.000Z', closeTicks },
      }),
  };
}

export const ref = (name: string, revision: number): OrderRef => ({
  orderId: idOf(name),
  accountId: ACCOUNT,
  revision,
});

/** The facts in a few words each, such as `trade 1: 100 @ 1000, B takes A (0 and 50 left)`. */
export const told = (facts: readonly BookFact[]): string[] => facts.map(tell);

function tell({ type, data }: BookFact): string {
  switch (type) {
    case 'EngineStarted.v1':
      return `engine started, epoch ${data.epoch}`;
    case 'OrderAccepted.v1':
      return `${nameOf(data.order.orderId)} accepted, ${data.dormant ? 'dormant' : data.held ? 'held' : `${data.restingQuantity} rest`}${shownOf(data)}`;
    case 'OrderActivated.v1':
      return `${nameOf(data.order.orderId)} activated: ${data.quantity}, ${data.held ? 'held' : `${data.restingQuantity} rest`}`;
    case 'OrderReduced.v1':
      return `${nameOf(data.order.orderId)} reduced by ${data.quantity} to ${data.leaves}${data.held ? ' held' : ''}`;
    case 'OrderTriggered.v1':
      return `${nameOf(data.order.orderId)} triggered: ${data.stopTicks} by ${data.lastTicks}, ${data.restingQuantity} rest`;
    case 'TimeApplied.v1':
      return `time ${data.at.slice(11, 19)}, next ${data.nextExpiresAt?.slice(11, 19) ?? 'none'}`;
    case 'OrderRejected.v1':
      return `${nameOf(data.order.orderId)} rejected: ${data.code}`;
    case 'TradeExecuted.v1': {
      const { maker, taker, trade, quantity, priceTicks } = data;
      const parties = `${nameOf(taker.orderId)} ${data.auction ? 'sells to' : 'takes'} ${nameOf(maker.orderId)}`;
      return `trade ${trade}: ${quantity} @ ${priceTicks}, ${parties} (${taker.leaves} and ${maker.leaves} left)${data.makerPeak ? `, next peak ${data.makerPeak}` : ''}${data.takerPeak ? `, next peak ${data.takerPeak} of ${nameOf(taker.orderId)}` : ''}`;
    }
    case 'OrderReplaced.v1':
      return `${nameOf(data.order.orderId)} replaced: ${data.quantity}, ${data.leavesBefore} to ${data.leaves} left${data.entry ? `, anew @ ${data.entry.priceTicks}, ${data.entry.restingQuantity} rest${shownOf(data.entry)}` : data.shown === undefined ? '' : `, ${data.shownBefore} to ${data.shown} shown`}`;
    case 'TradePrevented.v1': {
      const { maker, taker, mode, quantity, priceTicks } = data;
      const parties = `${nameOf(taker.orderId)} met ${nameOf(maker.orderId)}`;
      return `prevented (${mode}): ${quantity} @ ${priceTicks}, ${parties} (${taker.leaves} and ${maker.leaves} left)${data.makerPeak ? `, next peak ${data.makerPeak}` : ''}`;
    }
    case 'OrderCanceled.v1':
      return `${nameOf(data.order.orderId)} canceled: ${data.quantity} @ ${data.priceTicks}${data.held ? ' held' : ''}${shownOf(data)}`;
    case 'OrderExpired.v1':
      return `${nameOf(data.order.orderId)} expired: ${data.quantity}${data.resting ? ' resting' : ''}${shownOf(data)}, ${data.reason}${data.leftCents === undefined ? '' : `, ${data.leftCents} cents left`}`;
    case 'OrderCompleted.v1':
      return `${nameOf(data.order.orderId)} completed, ${data.leftCents} cents left`;
    case 'OrderCancelRejected.v1':
      return `cancel of ${nameOf(data.order.orderId)} rejected: ${data.code}`;
    case 'OrderReplaceRejected.v1':
      return `amend of ${nameOf(data.order.orderId)} rejected: ${data.code}`;
    case 'OrderEntered.v1':
      return `${nameOf(data.order.orderId)} enters: ${data.quantity} @ ${data.limitTicks}`;
    case 'IndicativePriceChanged.v1':
      return `would be ${resultOf(data)}`;
    case 'AuctionExtended.v1':
      return `extended: ${resultOf(data)}`;
    case 'AuctionUncrossed.v1':
      return `${data.auction}: ${resultOf(data)}`;
    case 'MarketStateChanged.v1':
      return data.state;
    case 'InputNoted.v1':
      return 'noted';
  }
}

type Result = Extract<BookFact, { type: 'IndicativePriceChanged.v1' }>['data'];
const resultOf = ({ priceTicks, quantity, surplus, surplusSide }: Result): string =>
  priceTicks === null
    ? 'no price'
    : `${quantity} @ ${priceTicks}${surplusSide ? `, ${surplus} more to ${surplusSide}` : ''}`;

const shownOf = ({ shownQuantity }: { shownQuantity?: number | undefined }): string =>
  shownQuantity === undefined ? '' : ` (${shownQuantity} shown)`;
const nameOf = (id: string): string => Buffer.from(id.slice(-12).replace(/^(00)+/, ''), 'hex').toString();
