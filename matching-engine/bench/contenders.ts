import { createRequire } from 'node:module';
import type { EngineInput, SymbolRules } from '@brokerx/contracts';
import { MATCHING_RULES_VERSION } from '@brokerx/contracts';
import { type Book, emptyBook, fillRow, matchable, reduceRow, removeRow, sideOf } from '../src/book/book.ts';
import { putWords, word, words } from '../src/book/ids.ts';
import { enqueue } from '../src/book/levels.ts';
import type { NewOrder } from '../src/book/orders.ts';
import { LEAVES, NONE, QUANTITY } from '../src/book/rows.ts';
import { apply, type Engine, newEngine, type PlacedInput } from '../src/rules/engine.ts';
import { packing, unpacked } from '../src/snapshot/packedState.ts';
import { ADD, CANCEL, REDUCE, TAKE } from './flows.ts';

/** Books that do the same work. A contender says a row of a flow in its own words before the clock starts. */
export type Contender<Book = unknown, Command = unknown> = {
  open(): Book;
  command(row: Row): Command;
  apply(book: Book, command: Command): void;
  /** Trades and shares traded so far, and orders in the book now: all contenders must say the same. */
  told(book: Book): Told;
  /** Keeps its state and restores it; absent where nothing of the kind is measured. */
  keep?(book: Book): Kept;
};

/** Milliseconds of a snapshot and of what is restored from it; the engine stands still for one step at a time. */
export type Kept = {
  steps: number;
  longestStepMs: number;
  allStepsMs: number;
  megabytes: number;
  restoreMs: number;
  restoreCpuMs: number;
};

export type Row = {
  kind: number;
  orderId: string;
  accountId: string;
  side: 'buy' | 'sell';
  priceTicks: number;
  shares: number;
};
/** `trades` is null where they are not told. */
export type Told = { trades: number | null; shares: number; resting: number };

export const CONTENDERS = ['book', 'engine', 'nodejs-order-book', 'hft-limit-order-book'] as const;
export type ContenderName = (typeof CONTENDERS)[number];

/** `accounts`: all that there are. */
export function contender(name: ContenderName, accounts: readonly string[]): Contender {
  if (name === 'book') return ourBook(accounts) as Contender;
  if (name === 'engine') return ourEngine() as Contender;
  return fromNpm(name) as Contender;
}

type Traded = { book: Book; trades: number; shares: number };

/** The id as the book keeps it: four words. */
type BookCommand = {
  kind: number;
  a: number;
  b: number;
  c: number;
  d: number;
  account: number;
  order: Omit<NewOrder, 'id' | 'accountId'>;
};

/** The book alone: price-time priority, no checks of the market's rules, nothing told, ids and accounts as numbers. */
const ourBook = (accounts: readonly string[]): Contender<Traded, BookCommand> => {
  const numbers = new Map(accounts.map((account, number) => [account, number]));
  return {
    open() {
      const book = emptyBook();
      for (const account of accounts) book.orders.accounts.take(account);
      return { book, trades: 0, shares: 0 };
    },
    command({ kind, orderId, accountId, side, priceTicks, shares }) {
      if (!words(orderId)) throw new Error(`${orderId} is no UUID`);
      const [a = 0, b = 0, c = 0, d = 0] = word;
      const size = { quantity: shares, leaves: shares };
      const account = numbers.get(accountId) as number;
      return { kind, a, b, c, d, account, order: { revision: 0, side, priceTicks, flags: 0, ...size } };
    },
    apply(to, { kind, a, b, c, d, account, order }) {
      const { book } = to;
      const { orders } = book;
      if (kind === CANCEL || kind === REDUCE) {
        putWords(a, b, c, d);
        const row = orders.findRead();
        if (row === NONE) throw new Error('an order is not in the book');
        if (kind === CANCEL) removeRow(book, row);
        else {
          const { rows } = orders;
          const less = rows.get(row, QUANTITY) - order.quantity;
          rows.set(row, QUANTITY, order.quantity);
          reduceRow(book, row, less, rows.get(row, LEAVES));
        }
        return;
      }
      const { side, priceTicks, quantity } = order;
      let left = quantity;
      while (left > 0) {
        const level = matchable(book, side, priceTicks);
        if (!level) break;
        const leaves = orders.rows.get(level.firstRow, LEAVES);
        const traded = leaves < left ? leaves : left;
        fillRow(book, level.firstRow, traded, leaves);
        left -= traded;
        to.trades += 1;
        to.shares += traded;
      }
      if (kind !== ADD || left === 0) return;
      putWords(a, b, c, d);
      if (orders.findRead() !== NONE) throw new Error('an order is in the book already');
      orders.accounts.takeAgain(account);
      const row = orders.addRead(left === quantity ? order : { ...order, leaves: left }, account);
      enqueue(sideOf(book, side), row);
    },
    told: ({ book, trades, shares }) => ({ trades, shares, resting: book.orders.size }),
  };
};

const SYMBOL = 'BENCH';
const RULES: SymbolRules = {
  tickCents: 1,
  listingTicks: 58_000,
  collarPpm: 100_000,
  feePpm: 1_000,
  orderSharesMax: 1_000_000,
  dailyClose: '21:00',
};
type Whole = { engine: Engine; outputs: number; trades: number; shares: number };

/** The whole engine: an input as it is stored, all checks, and its outputs as they are stored. */
function ourEngine(): Contender<Whole, PlacedInput> {
  let revision = 0;
  const input = (fact: Pick<EngineInput, 'type' | 'data'>, id: string): PlacedInput => {
    revision += 1;
    const envelope = { id, time: '2026-01-05T14:30:00.000Z', actor: 'client:bench', correlationId: id };
    const traceparent = '00-00000000000000000000000000000000-0000000000000000-00';
    return { event: { ...envelope, causationId: id, traceparent, ...fact } as EngineInput, revision };
  };
  return {
    open() {
      const engine = newEngine(SYMBOL);
      const data = { symbol: SYMBOL, name: 'Bench', rules: RULES, matchingRules: MATCHING_RULES_VERSION };
      apply(engine, input({ type: 'SymbolListed.v1', data }, 'listing'));
      return { engine, outputs: 0, trades: 0, shares: 0 };
    },
    command({ kind, orderId, accountId, side, priceTicks, shares }) {
      const which = { orderId, accountId, symbol: SYMBOL };
      if (kind === CANCEL) return input({ type: 'OrderCancelRequested.v1', data: which }, orderId);
      if (kind === REDUCE) {
        const data = { ...which, amendment: 1, quantity: shares };
        return input({ type: 'OrderAmendRequested.v1', data }, orderId);
      }
      const data = {
        orderId,
        accountId,
        clientOrderId: null,
        symbol: SYMBOL,
        side,
        type: 'limit',
        timeInForce: kind === ADD ? 'gtc' : 'ioc',
        quantity: shares,
        limitTicks: priceTicks,
        tickCents: 1,
        referenceTicks: 58_000,
        bandExempt: true,
        feePpm: 1_000,
        holdCents: 0,
        holdShares: 0,
      } as const;
      return input({ type: 'OrderPlaced.v1', data }, orderId);
    },
    apply(to, command) {
      const facts = apply(to.engine, command);
      to.outputs += facts.length;
      for (const fact of facts) {
        if (fact.type !== 'TradeExecuted.v1') continue;
        to.trades += 1;
        to.shares += fact.data.quantity;
      }
    },
    told: ({ engine, trades, shares }) => ({ trades, shares, resting: engine.book.orders.size }),
    keep: ({ engine }) => kept(engine),
  };
}

function kept(engine: Engine): Kept {
  const told = { steps: 0, longestStepMs: 0, allStepsMs: 0 };
  const steps = packing(engine);
  for (;;) {
    const begin = performance.now();
    const step = steps.next();
    const ms = performance.now() - begin;
    told.steps += 1;
    told.allStepsMs += ms;
    told.longestStepMs = Math.max(told.longestStepMs, ms);
    if (!step.done) continue;
    const { state, parts } = step.value;
    const bytes = state.length + parts.reduce((sum, { byteLength }) => sum + byteLength, 0);
    const restoring = performance.now();
    const cpu = process.threadCpuUsage();
    const { size } = unpacked(step.value).book.orders;
    const restoreMs = performance.now() - restoring;
    const { user, system } = process.threadCpuUsage(cpu);
    if (size !== engine.book.orders.size) throw new Error('a restored book has other orders');
    return { ...told, megabytes: bytes / 1e6, restoreMs, restoreCpuMs: (user + system) / 1_000 };
  }
}

/** What both packages have in common of their interface; their own declarations do not resolve. */
type NpmOrder = { id: string; side: string; size: number; price: number; timeInForce?: 'GTC' | 'IOC' };
type NpmBook = {
  orders: Record<string, unknown>;
  limit(order: NpmOrder): { quantityLeft: number; err: unknown };
  modify(id: string, change: { side?: string; size: number; price?: number }): { err: unknown };
  cancel(id: string): unknown;
};
type NpmTraded = { book: NpmBook; shares: number };
type NpmCommand = { kind: number; order: NpmOrder };

function fromNpm(name: 'nodejs-order-book' | 'hft-limit-order-book'): Contender<NpmTraded, NpmCommand> {
  const { OrderBook } = createRequire(import.meta.url)(name) as { OrderBook: new () => NpmBook };
  return {
    open: () => ({ book: new OrderBook(), shares: 0 }),
    command: ({ kind, orderId: id, side, priceTicks: price, shares: size }) => ({
      kind,
      order: { id, side, size, price, timeInForce: kind === TAKE ? 'IOC' : 'GTC' },
    }),
    apply(to, { kind, order }) {
      if (kind === CANCEL) {
        if (!to.book.cancel(order.id)) throw new Error(`${name}: ${order.id} is not in the book`);
      } else if (kind === REDUCE) to.book.modify(order.id, { side: order.side, size: order.size });
      else to.shares += order.size - to.book.limit(order).quantityLeft;
    },
    told: ({ book, shares }) => ({ trades: null, shares, resting: Object.keys(book.orders).length }),
  };
}
