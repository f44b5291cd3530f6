import {
  accountStream,
  bookStream,
  type Event,
  eventIdOf,
  type Fact,
  MATCHING_RULES_VERSION,
  marketStream,
  mintId,
  timeOf,
  traceparentOf,
  tradeId,
} from '@brokerx/contracts';
import { type Random, seededRandom } from '../random.ts';

/**
 * Makes a long, valid history: accounts opened and funded, symbols listed, orders placed, accepted, traded and settled,
 * exactly as the services would have written them, because a recovering engine computes all outputs again and compares
 * them. A store filled with it shows what a long history costs.
 */
export type SeedCommit = {
  stream: string;
  /** The revision of the first event. */
  revision: number;
  commitId: string;
  /** The symbol whose engine takes the commit as input, else null. */
  symbol: string | null;
  events: readonly Event[];
};

export type SeedOptions = {
  seed: number;
  /** The least number of events. The last round is completed. */
  events: number;
  /** Unix time of the first event, early enough for the history to end before now. */
  startMs: number;
  symbols?: number;
  accounts?: number;
};

const TICK_CENTS = 1;
const LISTING_TICKS = 10_000;
const FEE_PPM = 500;
/** A taker's limit may be this much worse for it than its price, so that a part of its hold is released. */
const IMPROVEMENT_TICKS_MAX = 5;
const QUANTITY_MAX = 100;
const CASH_CENTS = 100_000_000_000;
const SHARES = 100_000_000;
/** Pairs of orders that trade in one commit of the book. Each makes 3 events, and a commit has at most 500. */
const PAIRS_PER_ROUND_MAX = 50;
const MS_PER_ROUND = 20;
const CLOSE = '21:00';

export function* seedHistory(options: SeedOptions): Generator<SeedCommit> {
  const random = seededRandom(options.seed);
  const writer = commitWriter(random, options.startMs);
  const symbols = Array.from({ length: options.symbols ?? 5 }, (_, index) => `SEED${index + 1}`);
  const accounts = Array.from({ length: options.accounts ?? 100 }, () => writer.id());
  let written = 0;
  function* counted(commit: SeedCommit): Generator<SeedCommit> {
    written += commit.events.length;
    yield commit;
  }
  for (const symbol of symbols) for (const commit of listing(writer, symbol)) yield* counted(commit);
  for (const accountId of accounts) yield* counted(opening(writer, accountId, symbols));
  const trades = new Map<string, number>();
  const pairs = Math.min(PAIRS_PER_ROUND_MAX, Math.floor(accounts.length / 2));
  for (let round = 0; written < options.events; round++) {
    writer.advance(MS_PER_ROUND);
    const symbol = symbols[random.chance(0.5) ? 0 : random.below(symbols.length)] as string;
    for (const commit of tradingRound(writer, random, { symbol, accounts, pairs, trades }))
      yield* counted(commit);
  }
}

type Round = { symbol: string; accounts: readonly string[]; pairs: number; trades: Map<string, number> };
type Placed = Extract<Event, { type: 'OrderPlaced.v1' }>;

/** One round: each maker's sale rests and the next order buys it, all within one commit of the book. */
function tradingRound(
  writer: Writer,
  random: Random,
  { symbol, accounts, pairs, trades }: Round,
): SeedCommit[] {
  const commits: SeedCommit[] = [];
  const outputs: { fact: Fact; cause: Event }[] = [];
  const fills: { accountId: string; fact: Fact; trade: number }[] = [];
  const bookRevision = writer.nextRevision(bookStream(symbol));
  const offset = random.below(accounts.length);
  const accountAt = (place: number) => accounts[(offset + place) % accounts.length] as string;
  for (let pair = 0; pair < pairs; pair++) {
    const price = LISTING_TICKS + random.below(201) - 100;
    const quantity = 1 + random.below(QUANTITY_MAX);
    const limit = price + random.below(IMPROVEMENT_TICKS_MAX + 1);
    const sale = placing(writer, {
      accountId: accountAt(2 * pair),
      symbol,
      side: 'sell',
      limit: price,
      quantity,
    });
    const purchase = placing(writer, {
      accountId: accountAt(2 * pair + 1),
      symbol,
      side: 'buy',
      limit,
      quantity,
    });
    commits.push(sale.commit, purchase.commit);
    const trade = (trades.get(symbol) ?? 0) + 1;
    trades.set(symbol, trade);
    outputs.push(
      { fact: acceptance(sale, quantity), cause: sale.event },
      { fact: acceptance(purchase, 0), cause: purchase.event },
      {
        fact: {
          type: 'TradeExecuted.v1',
          data: {
            trade,
            priceTicks: price,
            tickCents: TICK_CENTS,
            quantity,
            takerSide: 'buy',
            maker: { ...refOf(sale), leaves: 0 },
            taker: { ...refOf(purchase), leaves: 0 },
          },
        },
        cause: purchase.event,
      },
    );
    const sequence = bookRevision + outputs.length - 1;
    for (const order of [sale, purchase]) {
      fills.push({
        accountId: order.event.data.accountId,
        fact: filling(order.event.data, price, sequence, trade),
        trade: outputs.length - 1,
      });
    }
  }
  const book = writer.commit(bookStream(symbol), null, 'system:engine', outputs);
  commits.push(book);
  for (const { accountId, fact, trade } of fills) {
    const cause = book.events[trade] as Event;
    commits.push(writer.commit(accountStream(accountId), null, 'system:settlement', [{ fact, cause }]));
  }
  return commits;
}

type Order = { accountId: string; symbol: string; side: 'buy' | 'sell'; limit: number; quantity: number };
type PlacedOrder = { commit: SeedCommit; event: Placed; revision: number };

function placing(writer: Writer, { accountId, symbol, side, limit, quantity }: Order): PlacedOrder {
  const valueCents = limit * TICK_CENTS * quantity;
  const commit = writer.commit(
    accountStream(accountId),
    symbol,
    `client:${accountId}`,
    [
      {
        fact: {
          type: 'OrderPlaced.v1',
          data: {
            orderId: writer.id(),
            accountId,
            clientOrderId: null,
            symbol,
            side,
            type: 'limit',
            timeInForce: 'gtc',
            quantity,
            limitTicks: limit,
            tickCents: TICK_CENTS,
            referenceTicks: LISTING_TICKS,
            bandExempt: false,
            feePpm: FEE_PPM,
            holdCents: side === 'buy' ? valueCents + feeCents(valueCents) : 0,
            holdShares: side === 'sell' ? quantity : 0,
          },
        },
      },
    ],
    true,
  );
  return { commit, event: commit.events[0] as Placed, revision: commit.revision };
}

const feeCents = (valueCents: number): number => Math.ceil((valueCents * FEE_PPM) / 1_000_000);
const refOf = ({ event, revision }: PlacedOrder) => ({
  orderId: event.data.orderId,
  accountId: event.data.accountId,
  revision,
});

function acceptance(placed: PlacedOrder, restingQuantity: number): Fact {
  const { side, type, timeInForce, quantity, limitTicks } = placed.event.data;
  return {
    type: 'OrderAccepted.v1',
    data: { order: refOf(placed), side, type, timeInForce, quantity, limitTicks, restingQuantity },
  };
}

function filling(order: Placed['data'], priceTicks: number, sequence: number, trade: number): Fact {
  const { orderId, symbol, side, quantity, holdCents } = order;
  const valueCents = priceTicks * TICK_CENTS * quantity;
  const fee = feeCents(valueCents);
  return {
    type: 'OrderFilled.v1',
    data: {
      orderId,
      symbol,
      side,
      sequence,
      releasedCents: side === 'buy' ? holdCents - valueCents - fee : 0,
      releasedShares: 0,
      tradeId: tradeId(symbol, trade),
      liquidity: side === 'sell' ? 'maker' : 'taker',
      priceTicks,
      tickCents: TICK_CENTS,
      quantity,
      valueCents,
      feeCents: fee,
      filledQuantity: quantity,
      filledValueCents: valueCents,
      feesCents: fee,
      leavesQuantity: 0,
      closes: true,
      tradedAt: '',
    },
  };
}

/** The listing of a symbol, and the engine's first outputs for it. */
function listing(writer: Writer, symbol: string): SeedCommit[] {
  const listed = writer.commit(
    marketStream(symbol),
    symbol,
    `operator:${writer.id()}`,
    [
      {
        fact: {
          type: 'SymbolListed.v1',
          data: {
            symbol,
            name: `Seeded company ${symbol.slice(4)}`,
            rules: {
              tickCents: TICK_CENTS,
              listingTicks: LISTING_TICKS,
              collarPpm: 100_000,
              feePpm: FEE_PPM,
              orderSharesMax: 1_000_000,
              dailyClose: CLOSE,
            },
            matchingRules: MATCHING_RULES_VERSION,
          },
        },
      },
    ],
    true,
  );
  const cause = listed.events[0] as Event;
  const book = bookStream(symbol);
  return [
    listed,
    writer.commit(book, null, 'system:engine', [
      {
        fact: { type: 'EngineStarted.v1', data: { epoch: 1, matchingRules: MATCHING_RULES_VERSION } },
        cause,
      },
    ]),
    writer.commit(book, null, 'system:engine', [
      { fact: { type: 'MarketStateChanged.v1', data: { state: 'continuous' } }, cause },
    ]),
  ];
}

function opening(writer: Writer, accountId: string, symbols: readonly string[]): SeedCommit {
  const facts: Fact[] = [
    { type: 'AccountOpened.v1', data: { accountId, clientId: writer.id() } },
    { type: 'CashTransferredIn.v1', data: { transferId: writer.id(), amountCents: CASH_CENTS } },
    ...symbols.map(
      (symbol): Fact => ({
        type: 'SharesTransferredIn.v1',
        data: { transferId: writer.id(), symbol, quantity: SHARES },
      }),
    ),
  ];
  return writer.commit(
    accountStream(accountId),
    null,
    `operator:${accountId}`,
    facts.map((fact) => ({ fact })),
  );
}

type Writer = ReturnType<typeof commitWriter>;

/** Makes commits of facts: it keeps the revisions of all streams and the time. */
function commitWriter(random: Random, startMs: number) {
  const revisions = new Map<string, number>();
  let nowMs = startMs;
  const source = {
    nowMs: () => nowMs,
    randomBytes: (count: number) => Uint8Array.from({ length: count }, () => random.below(256)),
  };
  const id = () => mintId(source);
  const nextRevision = (stream: string) => (revisions.get(stream) ?? -1) + 1;
  return {
    id,
    nextRevision,
    advance: (ms: number) => {
      nowMs += ms;
    },
    commit(
      stream: string,
      symbol: string | null,
      actor: string,
      facts: readonly { fact: Fact; cause?: Event }[],
      keyed = false,
    ): SeedCommit {
      const commitId = id();
      const revision = nextRevision(stream);
      const request = id();
      const trace = request.replaceAll('-', '');
      const time = timeOf(nowMs);
      const events = facts.map(({ fact, cause }, index) => ({
        id: eventIdOf(commitId, index),
        type: fact.type,
        time,
        actor,
        correlationId: cause?.correlationId ?? request,
        causationId: cause?.id ?? request,
        traceparent: cause?.traceparent ?? traceparentOf(request),
        ...(keyed && index === 0 ? { key: { id: request, hash: trace } } : {}),
        data: fact.type === 'OrderFilled.v1' ? { ...fact.data, tradedAt: cause?.time ?? time } : fact.data,
      })) as Event[];
      revisions.set(stream, revision + events.length - 1);
      return { stream, revision, commitId, symbol, events };
    },
  };
}
