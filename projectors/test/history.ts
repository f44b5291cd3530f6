import assert from 'node:assert/strict';
import {
  type AccountFact,
  accountStream,
  type BookFact,
  bookStream,
  type ClientFact,
  clientStream,
  deriveId,
  type Event,
  type Fact,
  feeCents,
  type MarketFact,
  marketStream,
  type OrderStatus,
  type Side,
  seal,
  type TimeInForce,
  timeOf,
  tradeId,
} from '@brokerx/contracts';
import { type Commit, NO_STREAM } from '@brokerx/infra';
import { amendResting, type Book, matchMarket, matchOrder, TICK_CENTS } from './historyBook.ts';

/**
 * A seeded, valid history: accounts place, cancel and amend orders, a naive book matches them, settlement follows,
 * and the three lag behind each other by random amounts. Beside the commits it gives the totals that they lead
 * to, worked out on the way and not from the events.
 */
export type History = {
  commits: Commit<Event>[];
  accounts: Map<string, Account>;
  orders: Map<string, Order>;
  books: Map<string, Book>;
  trades: { symbol: string; ticks: number; quantity: number; time: string }[];
};

export type Account = {
  id: string;
  clientId: string;
  cash: number;
  held: number;
  holdings: Map<string, { shares: number; held: number }>;
};

export type Order = {
  id: string;
  account: Account;
  symbol: string;
  side: Side;
  timeInForce: TimeInForce;
  ticks: number;
  quantity: number;
  filled: number;
  valueCents: number;
  feesCents: number;
  hold: number;
  /** Revision of its placement in its account's stream. */
  revision: number;
  amendments: number;
  amending: boolean;
  canceling: number;
  accepted: boolean;
  status: OrderStatus;
};

export type Input = {
  order: Order | null;
  symbol: string;
  kind: 'order' | 'cancel' | 'amend' | 'market';
  id: string;
  amendment: number;
  quantity: number;
  revision: number;
  fact: MarketFact | null;
};

const REFERENCE_TICKS = 2_000;
const FEE_PPM = 500;
const START_MS = Date.parse('2026-01-05T14:30:00.000Z');

export function makeHistory(size: {
  seed: number;
  orders: number;
  accounts?: number;
  symbols?: number;
}): History {
  const { seed, orders: ordersWanted, accounts: accountCount = 20, symbols: symbolCount = 3 } = size;
  const below = mulberry32(seed);
  const namespace = deriveId('00000000-0000-4000-8000-000000000000', `history ${seed}`);
  const mint = (what: string, n: number) => deriveId(namespace, `${what} ${n}`);
  const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;

  const history: History = {
    commits: [],
    accounts: new Map(),
    orders: new Map(),
    books: new Map(),
    trades: [],
  };
  const revisions = new Map<string, number>();
  const inputs: Input[] = [];
  const outputs: { book: Book; fact: BookFact; sequence: number; time: string }[] = [];
  let nowMs = START_MS;

  const emit = (
    stream: string,
    facts: Fact[],
    about: { symbol?: string; cause?: string } = {},
  ): Commit<Event> => {
    const expectedRevision = revisions.get(stream) ?? NO_STREAM;
    const id = mint('commit', history.commits.length);
    const cause = {
      time: timeOf(nowMs),
      actor: 'system:test',
      correlationId: id,
      causationId: about.cause ?? id,
      traceparent,
    };
    const events = seal(id, cause, facts) as Event[];
    const commit = { id, stream, expectedRevision, chained: false, symbol: about.symbol ?? null, events };
    history.commits.push(commit);
    revisions.set(stream, expectedRevision + events.length);
    return commit;
  };
  const onAccount = (account: Account, ...facts: AccountFact[]) => emit(accountStream(account.id), facts);
  const onMarket = (fact: MarketFact) => {
    const { symbol } = fact.data;
    const commit = emit(marketStream(symbol), [fact], { symbol });
    inputs.push({
      order: null,
      symbol,
      kind: 'market',
      id: commit.events[0]?.id ?? '',
      amendment: 0,
      quantity: 0,
      revision: 0,
      fact,
    });
  };
  const command = (kind: Input['kind'], order: Order, fact: AccountFact, amendment = 0, quantity = 0) => {
    const commit = emit(accountStream(order.account.id), [fact], { symbol: order.symbol });
    const revision = commit.expectedRevision + 1;
    inputs.push({
      order,
      symbol: order.symbol,
      kind,
      id: commit.events[0]?.id ?? '',
      amendment,
      quantity,
      revision,
      fact: null,
    });
    return revision;
  };

  // Commands
  const place = () => {
    const account = pick([...history.accounts.values()], below);
    const book = pick([...history.books.values()], below);
    const side: Side = below(2) === 0 ? 'buy' : 'sell';
    const isMarket = below(10) === 0;
    const quantity = 1 + below(200);
    const slack = below(30) - 12;
    const ticks = isMarket
      ? side === 'buy'
        ? 2_200
        : 1_800
      : REFERENCE_TICKS + (side === 'buy' ? slack : -slack);
    const timeInForce = isMarket ? 'ioc' : pick(['day', 'gtc', 'gtc', 'ioc'] as const, below);
    const id = mint('order', history.orders.size);
    const { symbol } = book;
    const clientOrderId = below(3) === 0 ? `c-${history.orders.size}` : null;
    const common = {
      orderId: id,
      accountId: account.id,
      clientOrderId,
      symbol,
      side,
      type: isMarket ? 'market' : 'limit',
      timeInForce,
      quantity,
    } as const;
    const order: Order = {
      id,
      account,
      symbol,
      side,
      timeInForce,
      ticks,
      quantity,
      filled: 0,
      valueCents: 0,
      feesCents: 0,
      hold: 0,
      revision: 0,
      amendments: 0,
      amending: false,
      canceling: 0,
      accepted: false,
      status: 'pending_new',
    };
    history.orders.set(id, order);
    const needed = holdOf(order);
    const holding = holdingOf(account, symbol);
    const short =
      side === 'buy' ? account.cash - account.held < needed : holding.shares - holding.held < needed;
    if (short || below(40) === 0) {
      order.status = 'rejected';
      onAccount(account, {
        type: 'OrderRefused.v1',
        data: {
          ...common,
          limitCents: isMarket ? null : ticks * TICK_CENTS,
          code: 'INSUFFICIENT_FUNDS',
          detail: '',
        },
      });
      return;
    }
    changeHold(order, needed);
    const hold = side === 'buy' ? { holdCents: needed, holdShares: 0 } : { holdCents: 0, holdShares: needed };
    order.revision = command('order', order, {
      type: 'OrderPlaced.v1',
      data: {
        ...common,
        limitTicks: ticks,
        tickCents: TICK_CENTS,
        referenceTicks: REFERENCE_TICKS,
        bandExempt: true,
        feePpm: FEE_PPM,
        ...hold,
      },
    });
  };
  const openOrder = (): Order | undefined => {
    const all = [...history.orders.values()].slice(-200);
    const open = all.filter((order) => isOpen(order));
    return open.length > 0 ? pick(open, below) : undefined;
  };
  const cancel = () => {
    const order = openOrder();
    if (!order) return;
    order.canceling += 1;
    const { account, symbol } = order;
    command('cancel', order, {
      type: 'OrderCancelRequested.v1',
      data: { orderId: order.id, accountId: account.id, symbol },
    });
  };
  const amend = () => {
    const order = openOrder();
    if (!order || order.amending || order.quantity < 2) return;
    order.amending = true;
    order.amendments += 1;
    const quantity = 1 + below(order.quantity - 1);
    const data = {
      orderId: order.id,
      accountId: order.account.id,
      symbol: order.symbol,
      amendment: order.amendments,
      quantity,
    };
    command('amend', order, { type: 'OrderAmendRequested.v1', data }, order.amendments, quantity);
  };
  const deposit = () => {
    const account = pick([...history.accounts.values()], below);
    const depositId = mint('deposit', history.commits.length);
    const amountCents = 1 + below(100_000);
    account.cash += amountCents;
    onAccount(account, { type: 'DepositRequested.v1', data: { depositId, amountCents } });
    onAccount(account, { type: 'DepositSettled.v1', data: { depositId, amountCents } });
  };
  const somebodyElse = () => {
    const clientId = mint('client', below(accountCount));
    emit(clientStream(clientId), [{ type: 'PasscodeFailed.v1', data: {} } satisfies ClientFact]);
  };
  const haltOrResume = () => {
    const { symbol } = pick([...history.books.values()], below);
    if (below(4) === 0) onMarket({ type: 'TradingHalted.v1', data: { symbol, reason: 'a test' } });
    else onMarket({ type: 'TradingResumed.v1', data: { symbol } });
  };
  const endDay = () => {
    const { symbol, lastTicks } = pick([...history.books.values()], below);
    onMarket({
      type: 'DayEnded.v1',
      data: { symbol, day: timeOf(nowMs).slice(0, 10), at: timeOf(nowMs), closeTicks: lastTicks },
    });
  };

  // Engine
  const match = (input: Input): void => {
    const book = history.books.get(input.symbol);
    assert(book);
    const { order } = input;
    const ref = order && {
      orderId: order.id,
      accountId: order.account.id,
      revision: input.kind === 'order' ? order.revision : input.revision,
    };
    const facts: BookFact[] = [];
    if (input.kind === 'market' && input.fact) facts.push(...matchMarket(book, input.fact));
    else if (order && ref) {
      if (input.kind === 'order') facts.push(...matchOrder(book, order, ref));
      const at = book.resting.findIndex((resting) => resting.order === order);
      const resting = book.resting[at];
      if (input.kind === 'cancel') {
        if (!resting)
          facts.push({ type: 'OrderCancelRejected.v1', data: { order: ref, code: 'ORDER_NOT_OPEN' } });
        else {
          book.resting.splice(at, 1);
          facts.push({
            type: 'OrderCanceled.v1',
            data: { order: ref, side: order.side, priceTicks: order.ticks, quantity: resting.leaves },
          });
        }
      }
      if (input.kind === 'amend') facts.push(amendResting(book, at, input, ref));
    }
    for (const fact of facts) {
      const commit = emit(bookStream(book.symbol), [fact], { cause: input.id });
      outputs.push({ book, fact, sequence: commit.expectedRevision + 1, time: timeOf(nowMs) });
      if (fact.type === 'TradeExecuted.v1') {
        history.trades.push({
          symbol: book.symbol,
          ticks: fact.data.priceTicks,
          quantity: fact.data.quantity,
          time: timeOf(nowMs),
        });
      }
    }
  };

  // Settlement
  const settle = ({ book, fact, sequence, time }: (typeof outputs)[number]): void => {
    const { symbol } = book;
    const release = (order: Order) => {
      const left = isOpen(order) ? holdOf(order) : 0;
      const released = order.hold - left;
      changeHold(order, left);
      return {
        orderId: order.id,
        symbol,
        side: order.side,
        sequence,
        releasedCents: order.side === 'buy' ? released : 0,
        releasedShares: order.side === 'sell' ? released : 0,
      };
    };
    const closed = (
      orderId: string,
      status: 'canceled' | 'expired' | 'rejected',
      reason: 'SYMBOL_HALTED' | 'DAY_ENDED' | 'UNFILLED_IOC_QUANTITY_EXPIRED' | null,
    ) => {
      const order = history.orders.get(orderId);
      assert(order && isOpen(order));
      order.status = status;
      const unfilledQuantity = order.quantity - order.filled;
      onAccount(order.account, {
        type: 'OrderClosed.v1',
        data: { ...release(order), status, reason, unfilledQuantity },
      });
    };
    const orderOf = (id: string) => {
      const order = history.orders.get(id);
      assert(order);
      return order;
    };
    switch (fact.type) {
      case 'OrderAccepted.v1':
        orderOf(fact.data.order.orderId).accepted = true;
        break;
      case 'OrderRejected.v1':
        return closed(fact.data.order.orderId, 'rejected', 'SYMBOL_HALTED');
      case 'OrderCanceled.v1':
        return closed(fact.data.order.orderId, 'canceled', null);
      case 'OrderExpired.v1':
        return closed(
          fact.data.order.orderId,
          'expired',
          fact.data.resting ? 'DAY_ENDED' : 'UNFILLED_IOC_QUANTITY_EXPIRED',
        );
      case 'OrderCancelRejected.v1':
        orderOf(fact.data.order.orderId).canceling -= 1;
        break;
      case 'OrderReplaced.v1': {
        const order = orderOf(fact.data.order.orderId);
        const { amendment, quantity } = fact.data;
        order.quantity = quantity;
        order.amending = false;
        const leavesQuantity = quantity - order.filled;
        if (leavesQuantity === 0) order.status = 'filled';
        onAccount(order.account, {
          type: 'OrderAmended.v1',
          data: { ...release(order), amendment, quantity, leavesQuantity, closes: leavesQuantity === 0 },
        });
        break;
      }
      case 'OrderReplaceRejected.v1': {
        const order = orderOf(fact.data.order.orderId);
        order.amending = false;
        if (!isOpen(order)) break;
        onAccount(order.account, {
          type: 'OrderAmendRejected.v1',
          data: { orderId: order.id, symbol, sequence, amendment: fact.data.amendment, code: fact.data.code },
        });
        break;
      }
      case 'TradeExecuted.v1':
        for (const liquidity of ['maker', 'taker'] as const) {
          const { priceTicks, quantity, trade } = fact.data;
          const order = orderOf(fact.data[liquidity].orderId);
          const valueCents = priceTicks * TICK_CENTS * quantity;
          const fee = feeCents((order.valueCents + valueCents) as never, FEE_PPM) - order.feesCents;
          order.filled += quantity;
          order.valueCents += valueCents;
          order.feesCents += fee;
          const holding = holdingOf(order.account, symbol);
          if (order.side === 'buy') {
            order.account.cash -= valueCents + fee;
            holding.shares += quantity;
          } else {
            order.account.cash += valueCents - fee;
            holding.shares -= quantity;
          }
          const used = order.side === 'buy' ? valueCents + fee : quantity;
          changeHold(order, order.hold - used);
          const closes = order.filled === order.quantity;
          if (closes) order.status = 'filled';
          onAccount(order.account, {
            type: 'OrderFilled.v1',
            data: {
              ...release(order),
              tradeId: tradeId(symbol, trade),
              liquidity,
              priceTicks,
              tickCents: TICK_CENTS,
              quantity,
              valueCents,
              feeCents: fee,
              filledQuantity: order.filled,
              filledValueCents: order.valueCents,
              feesCents: order.feesCents,
              leavesQuantity: order.quantity - order.filled,
              closes,
              tradedAt: time,
            },
          });
        }
    }
  };

  for (let n = 0; n < symbolCount; n++) {
    const symbol = n === 1 ? 'NULL' : `SYM${n}`;
    history.books.set(symbol, { symbol, resting: [], trades: 0, halted: false, lastTicks: REFERENCE_TICKS });
    onMarket({
      type: 'SymbolListed.v1',
      data: {
        symbol,
        name: `"Symbol" {${n}}, \\ Inc.`,
        rules: {
          tickCents: TICK_CENTS,
          listingTicks: REFERENCE_TICKS,
          collarPpm: 100_000,
          feePpm: FEE_PPM,
          orderSharesMax: 1_000,
          dailyClose: '21:00',
        },
        matchingRules: 1,
      },
    });
  }
  for (let n = 0; n < accountCount; n++) {
    const account: Account = {
      id: mint('account', n),
      clientId: mint('client', n),
      cash: 5_000_000,
      held: 0,
      holdings: new Map(),
    };
    history.accounts.set(account.id, account);
    onAccount(account, {
      type: 'AccountOpened.v1',
      data: { accountId: account.id, clientId: account.clientId },
    });
    onAccount(account, {
      type: 'CashTransferredIn.v1',
      data: { transferId: mint('cash', n), amountCents: account.cash },
    });
    for (const symbol of history.books.keys()) {
      holdingOf(account, symbol).shares = 1_000;
      onAccount(account, {
        type: 'SharesTransferredIn.v1',
        data: { transferId: mint(`shares ${symbol}`, n), symbol, quantity: 1_000 },
      });
    }
  }
  const commands: [weight: number, run: () => void][] = [
    [100, place],
    [18, cancel],
    [12, amend],
    [3, deposit],
    [5, somebodyElse],
    [3, haltOrResume],
    [1, endDay],
  ];
  const total = commands.reduce((sum, [weight]) => sum + weight, 0);
  while (history.orders.size < ordersWanted) {
    nowMs += below(400) + (below(500) === 0 ? 3_600_000 : 0);
    let chosen = below(total);
    commands.find(([weight]) => (chosen -= weight) < 0)?.[1]();
    for (const input of inputs.splice(0, below(3))) match(input);
    for (const output of outputs.splice(0, below(6))) settle(output);
  }
  for (const input of inputs.splice(0)) match(input);
  for (const output of outputs.splice(0)) settle(output);
  return history;
}

export const isOpen = ({ status }: Order): boolean => status === 'pending_new';

function holdOf(order: Order): number {
  const leaves = order.quantity - order.filled;
  if (order.side === 'sell') return leaves;
  const worst = order.ticks * TICK_CENTS * leaves;
  return worst + feeCents((order.valueCents + worst) as never, FEE_PPM) - order.feesCents;
}

function changeHold(order: Order, hold: number): void {
  const change = hold - order.hold;
  order.hold = hold;
  if (order.side === 'buy') order.account.held += change;
  else holdingOf(order.account, order.symbol).held += change;
}

function holdingOf(account: Account, symbol: string): { shares: number; held: number } {
  const holding = account.holdings.get(symbol) ?? { shares: 0, held: 0 };
  account.holdings.set(symbol, holding);
  return holding;
}

function pick<T>(from: readonly T[], below: (n: number) => number): T {
  const one = from[below(from.length)];
  assert(one !== undefined);
  return one;
}

export function mulberry32(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}
