import { setTimeout as delay } from 'node:timers/promises';
import { type Api, type Command, idSource, type Outcome } from '@brokerx/client';
import { decimalFromCents, mintId, SELF_TRADE_MODES } from '@brokerx/contracts';
import type { CommandKind, Journal } from '../journal.ts';
import type { Person } from '../people.ts';
import { type Random } from '../random.ts';

/**
 * A client of a crash drill. It places, cancels, amends and deposits all the time, and writes its intents and the outcomes
 * into its journal. A command without a reply is repeated with the same key.
 */
export type DrillClient = { done: Promise<void>; sent(): number };

export type DrillClientOptions = {
  api: Api;
  person: Person;
  journal: Journal;
  random: Random;
  symbols: readonly { symbol: string; midCents: number }[];
  stop: AbortSignal;
};

const PAUSE_MS_MAX = 80;
/** The distance of prices from the mid, at most. About half of the orders meet another one. */
const SPREAD_CENTS = 10;
const QUANTITY_MAX = 20;
/** Orders with an expiry time expire 1 s to 1 s more than this after they were placed. */
const STOP_MS_MAX = 10_000;
const DEPOSIT_CENTS_MAX = 2_000;
/** How many of its orders a client remembers for cancels and amends. */
const REMEMBERED_ORDERS_MAX = 40;

type Remembered = { id: string; quantity: number; midCents: number };

export function drillClient(options: DrillClientOptions): DrillClient {
  const { api, person, journal, random, symbols, stop } = options;
  const orders: Remembered[] = [];
  let sent = 0;

  const send = async (
    kind: CommandKind,
    command: Omit<Command, 'key' | 'token'>,
  ): Promise<Outcome<{ id: string }>> => {
    const key = mintId(idSource);
    journal.intent({ key, accountId: person.accountId, kind });
    sent += 1;
    const outcome = await api.command<{ id: string }>({ ...command, key, token: await person.token() });
    if (outcome.kind === 'ok') journal.outcome({ key, outcome: 'ok', subjectId: outcome.body.id });
    else if (outcome.kind === 'refused') journal.outcome({ key, outcome: 'refused', code: outcome.code });
    else journal.outcome({ key, outcome: 'unknown' });
    return outcome;
  };

  const remember = (order: Remembered) => {
    orders.push(order);
    if (orders.length > REMEMBERED_ORDERS_MAX) orders.shift();
  };
  const priceNear = (midCents: number) =>
    decimalFromCents(midCents + random.below(2 * SPREAD_CENTS + 1) - SPREAD_CENTS);

  /** Places a stop a little away from the market, for some seconds or until it is canceled. */
  const placeStop = async () => {
    const { symbol, midCents } = random.pick(symbols);
    const side = random.chance(0.5) ? 'buy' : 'sell';
    const offsetCents = (side === 'buy' ? 1 : -1) * (1 + random.below(SPREAD_CENTS));
    const type = random.pick(['stop', 'stop_limit', 'trailing_stop'] as const);
    const expires_at = new Date(Date.now() + 1_000 + random.below(STOP_MS_MAX)).toISOString();
    const quantity = 1 + random.below(QUANTITY_MAX);
    const outcome = await send('place', {
      method: 'POST',
      path: '/v1/orders',
      body: {
        symbol,
        side,
        type,
        qty: String(quantity),
        ...(type === 'trailing_stop'
          ? { trail_price: decimalFromCents(1 + random.below(SPREAD_CENTS)) }
          : { stop_price: decimalFromCents(midCents + offsetCents) }),
        ...(type === 'stop_limit' ? { limit_price: priceNear(midCents) } : {}),
        ...(random.chance(0.5) ? { time_in_force: 'gtd', expires_at } : { time_in_force: 'gtc' }),
      },
    });
    if (outcome.kind === 'ok') remember({ id: outcome.body.id, quantity, midCents });
  };

  /** Places two orders around the market, of which one fills, or such a pair for what an entry buys. */
  const placeList = async () => {
    const { symbol, midCents } = random.pick(symbols);
    const side = random.chance(0.5) ? 'buy' : 'sell';
    const up = side === 'sell' ? 1 : -1;
    const quantity = 1 + random.below(QUANTITY_MAX);
    const beyond = (direction: number) =>
      decimalFromCents(midCents + direction * (1 + random.below(SPREAD_CENTS)));
    const limit = random.chance(0.5) ? { limit_price: beyond(-up) } : {};
    const bracket = { order_class: 'bracket', limit_price: priceNear(midCents), side: 'buy' };
    const kind = side === 'sell' && random.chance(0.5) ? bracket : { order_class: 'oco', side };
    const outcome = await send('place', {
      method: 'POST',
      path: '/v1/orders',
      body: {
        symbol,
        type: 'limit',
        ...kind,
        qty: String(quantity),
        take_profit: { limit_price: beyond(up) },
        stop_loss: { stop_price: beyond(-up), ...limit },
        time_in_force: random.pick(['day', 'gtc'] as const),
        ...(random.chance(0.3) ? { stp_mode: random.pick(SELF_TRADE_MODES) } : {}),
      },
    });
    if (outcome.kind === 'ok') remember({ id: outcome.body.id, quantity, midCents });
  };

  const place = async () => {
    const { symbol, midCents } = random.pick(symbols);
    const quantity = 1 + random.below(QUANTITY_MAX);
    const isMarket = random.chance(0.05);
    const timeInForce = isMarket ? 'ioc' : random.pick(['day', 'gtc', 'gtc', 'ioc', 'fok'] as const);
    const mayRest = timeInForce === 'day' || timeInForce === 'gtc';
    const side = random.chance(0.5) ? 'buy' : 'sell';
    const forMoney = isMarket && side === 'buy' && random.chance(0.5);
    const peak = 1 + random.below(QUANTITY_MAX / 2);
    const selfTradeModes = forMoney
      ? SELF_TRADE_MODES.filter((mode) => mode !== 'decrement')
      : SELF_TRADE_MODES;
    const outcome = await send('place', {
      method: 'POST',
      path: '/v1/orders',
      body: {
        symbol,
        side,
        type: isMarket ? 'market' : 'limit',
        ...(forMoney ? { notional: decimalFromCents(quantity * midCents) } : { qty: String(quantity) }),
        ...(mayRest && peak < quantity && random.chance(0.3) ? { display_qty: String(peak) } : {}),
        ...(isMarket ? {} : { limit_price: priceNear(midCents) }),
        time_in_force: timeInForce,
        ...(mayRest && random.chance(0.2) ? { post_only: true } : {}),
        ...(random.chance(0.5) ? { stp_mode: random.pick(selfTradeModes) } : {}),
      },
    });
    if (outcome.kind === 'ok') remember({ id: outcome.body.id, quantity, midCents });
  };

  const act = async () => {
    const order = orders.length > 0 ? random.pick(orders) : undefined;
    const dice = random.below(100);
    if (order && dice < 25) {
      orders.splice(orders.indexOf(order), 1);
      await send('cancel', { method: 'DELETE', path: `/v1/orders/${order.id}` });
    } else if (order && dice < 40) {
      order.quantity = 1 + random.below(QUANTITY_MAX);
      const limit_price = priceNear(order.midCents);
      await send('amend', {
        method: 'PATCH',
        path: `/v1/orders/${order.id}`,
        body: { qty: String(order.quantity), ...(random.chance(0.5) ? { limit_price } : {}) },
      });
    } else if (dice < 45) {
      await send('deposit', {
        method: 'POST',
        path: '/v1/deposits',
        body: { amount: decimalFromCents(1 + random.below(DEPOSIT_CENTS_MAX)) },
      });
    } else if (dice < 52) await placeStop();
    else if (dice < 58) await placeList();
    else await place();
  };

  const run = async () => {
    while (!stop.aborted) {
      await act();
      await delay(random.below(PAUSE_MS_MAX));
    }
    journal.close();
  };
  return { done: run(), sent: () => sent };
}
