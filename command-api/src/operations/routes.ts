import {
  BeginPhase,
  decimalFromCents,
  Exemptions,
  Halt,
  ListSymbol,
  type MarketEvent,
  Resume,
  SetCalendar,
  SymbolInput,
  sessionView,
  views,
} from '@brokerx/contracts';
import type { Http } from '@brokerx/infra';
import { z } from 'zod';
import type { Commands } from '../commands/commands.ts';
import { problemOf } from '../commands/refusals.ts';
import { accepted, COMMAND_REPLY_HEADERS } from '../commands/reply.ts';
import { IdempotencyHeaders, requestKey } from '../commands/requestKey.ts';
import type { Market } from '../market/market.ts';
import {
  adoptMatchingRules,
  haltTrading,
  listSymbol,
  type MarketDecision,
  resumeTrading,
  setCalendar,
  setSymbolExemptions,
} from '../market/marketDecider.ts';
import type { Markets } from '../market/markets.ts';
import { beginPhase } from '../market/phaseDecider.ts';

/** The routes by which operators list symbols, halt and resume trading, and change a market's settings. */
export type MarketRoutes = { commands: Commands; markets: Markets; storeId: string };

const SymbolParams = z.object({ symbol: SymbolInput });
const schema = { tags: ['Operations'], headers: IdempotencyHeaders, response: { 202: views.SymbolView } };
const operator = { auth: ['operator'], replyHeaders: COMMAND_REPLY_HEADERS } as const;

/** The parts of an operator's request that every command uses. */
export type OperatorRequest = {
  actor: { clientId: string };
  traceparent: string;
  headers: { 'idempotency-key'?: string | undefined };
  body: unknown;
};

const SESSION_EXAMPLE = {
  weekdays: [1, 2, 3, 4, 5],
  pre_open: '14:00',
  opens: '14:30',
  closes: '21:00',
  opening_call_seconds: 60,
  volatility_call_seconds: 120,
  closing_call_seconds: 60,
  random_end_seconds: 30,
};

export function marketRoutes(app: Http, { commands, markets, storeId }: MarketRoutes): void {
  const carryOut = async (
    request: OperatorRequest,
    reply: Parameters<typeof accepted>[0],
    { command, symbol }: { command: string; symbol: string },
    decide: (market: Market | undefined, nowMs: number) => MarketDecision,
  ) => {
    const key = requestKey(request.headers, { command, subject: symbol, body: request.body });
    const { traceparent } = request;
    const actor = `operator:${request.actor.clientId}`;
    const answer = await commands.onMarket(symbol, { command, actor, key, traceparent }, decide);
    // The URL names the symbol, so an unknown symbol is not found.
    if ('refusal' in answer && answer.refusal.code === 'UNKNOWN_SYMBOL') {
      throw problemOf(answer.refusal, { status: 404 });
    }
    accepted<MarketEvent>(reply, answer, { storeId, location: () => `/v1/symbols/${symbol}` });
    const market = markets.get(symbol);
    // Recorded, but this process has not read it back in time.
    if (!market) throw problemOf({ code: 'UNAVAILABLE', detail: 'repeat with the same key' });
    return symbolView(market);
  };

  app.post(
    '/v1/symbols',
    {
      config: operator,
      schema: {
        ...schema,
        summary: 'List a symbol',
        description:
          'Its market opens at once. Repeating the very same request answers the symbol as it is now.',
        body: ListSymbol.meta({
          examples: [{ symbol: 'XEQT', name: 'iShares Core Equity ETF', listing_price: '31.50' }],
        }),
      },
    },
    (request, reply) =>
      carryOut(request, reply, { command: 'ListSymbol', symbol: request.body.symbol }, (market) =>
        listSymbol(market, request.body),
      ),
  );

  app.post(
    '/v1/symbols/:symbol/halt',
    {
      config: operator,
      schema: {
        ...schema,
        summary: 'Halt trading in a symbol',
        description: 'New orders and changes are refused; cancels are taken.',
        params: SymbolParams,
        body: Halt.meta({ examples: [{ reason: 'news pending' }] }),
      },
    },
    (request, reply) => {
      const { symbol } = request.params;
      return carryOut(request, reply, { command: 'Halt', symbol }, (market) =>
        haltTrading(market, { ...request.body, symbol }),
      );
    },
  );

  app.post(
    '/v1/symbols/:symbol/resume',
    {
      config: operator,
      schema: {
        ...schema,
        summary: 'Resume trading in a symbol',
        description: 'From version 3 of the matching rules on it begins with an auction.',
        params: SymbolParams,
        body: Resume.nullish(),
      },
    },
    (request, reply) => {
      const { symbol } = request.params;
      return carryOut(request, reply, { command: 'Resume', symbol }, (market) =>
        resumeTrading(market, { symbol }),
      );
    },
  );

  app.put(
    '/v1/symbols/:symbol/calendar',
    {
      config: operator,
      schema: {
        ...schema,
        summary: 'Give a symbol a trading day, or let it trade around the clock',
        description:
          'The phase that it is time for begins at once, the others when they are due; what was missed meanwhile is ' +
          'made up for in order.',
        params: SymbolParams,
        body: SetCalendar.meta({ examples: [{ session: SESSION_EXAMPLE, clock_factor: 1 }] }),
      },
    },
    (request, reply) => {
      const { symbol } = request.params;
      return carryOut(request, reply, { command: 'SetCalendar', symbol }, (market, nowMs) =>
        setCalendar(market, { ...request.body, symbol }, nowMs),
      );
    },
  );

  app.post(
    '/v1/symbols/:symbol/phase',
    {
      config: operator,
      schema: {
        ...schema,
        summary: 'Begin a phase of the trading day by hand',
        description:
          'From `continuous`: `closing_auction`, `closed`, `pre_open`, `opening_auction`, and again `continuous`. A call ' +
          'that is left to itself ends after some seconds, at a moment that chance decides.',
        params: SymbolParams,
        body: BeginPhase.meta({ examples: [{ phase: 'closing_auction' }] }),
      },
    },
    (request, reply) => {
      const { symbol } = request.params;
      return carryOut(request, reply, { command: 'BeginPhase', symbol }, (market, nowMs) =>
        beginPhase(market, { symbol, phase: request.body.phase }, nowMs),
      );
    },
  );

  app.post(
    '/v1/symbols/:symbol/matching-rules',
    {
      config: operator,
      schema: {
        ...schema,
        summary: 'Let a symbol follow the newest matching rules',
        description:
          'A symbol keeps the rules that it was listed with, so that its past stays what it was, until this is asked ' +
          'for. Every engine must know them by then.',
        params: SymbolParams,
        body: Resume.nullish(),
      },
    },
    (request, reply) => {
      const { symbol } = request.params;
      return carryOut(request, reply, { command: 'AdoptMatchingRules', symbol }, (market) =>
        adoptMatchingRules(market, { symbol }),
      );
    },
  );

  app.put(
    '/v1/symbols/:symbol/exemptions',
    {
      config: operator,
      schema: {
        ...schema,
        summary: 'Switch price bands and quotas off or on for a symbol',
        params: SymbolParams,
        body: Exemptions.meta({ examples: [{ bands_off: true, quotas_off: true }] }),
      },
    },
    (request, reply) => {
      const { symbol } = request.params;
      return carryOut(request, reply, { command: 'SetSymbolExemptions', symbol }, (market) =>
        setSymbolExemptions(market, { ...request.body, symbol }),
      );
    },
  );
}

/** The symbol as it is now. */
function symbolView(market: Market): z.infer<typeof views.SymbolView> {
  const { rules } = market;
  const money = (ticks: number) => decimalFromCents(ticks * rules.tickCents);
  return {
    symbol: market.symbol,
    name: market.name,
    state: market.state,
    tick_size: money(1),
    listing_price: money(rules.listingTicks),
    reference_price: money(market.referenceTicks),
    collar_ppm: rules.collarPpm,
    collar_ticks_min: rules.collarTicksMin ?? 1,
    band_ppm: rules.bandPpm ?? null,
    fee_ppm: rules.feePpm,
    order_qty_max: String(rules.orderSharesMax),
    daily_close: rules.dailyClose,
    session: market.session && sessionView(market.session),
    clock_factor: market.clock.factor,
    lot_size: String(rules.lotShares ?? 1),
    notional_min: rules.notionalMinCents === undefined ? null : decimalFromCents(rules.notionalMinCents),
    notional_max: rules.notionalMaxCents === undefined ? null : decimalFromCents(rules.notionalMaxCents),
    matching_rules: market.matchingRules,
    bands_off: market.bandsOff,
    quotas_off: market.quotasOff,
  };
}
