import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { mulberry32, type Random } from '../sim/random.ts';
import { emptyBook, fill, matchable, rest } from '../src/book/book.ts';

/**
 * What the contenders are given, as numbers, the same for all: a flow is decided once, by one book, and written down.
 * A row is one operation: kind, order (a number of its own), price in ticks, shares; shares of a buy are positive.
 */
export const ADD = 0;
/** To so many shares; the place is kept. */
export const REDUCE = 1;
export const CANCEL = 2;
/** An aggressor: immediate-or-cancel at this limit. */
export const TAKE = 3;
export const ROW = 4;

export type Flow = {
  readonly name: 'recorded' | 'deep';
  readonly rows: Int32Array<ArrayBuffer>;
  /** The first operations only build the book up. */
  readonly build: number;
};

const rowsOf = (count: number) => new Int32Array(count * ROW);

/** The recorded morning is optional: named by BROKERX_FLOW_FILE or found beside the repository. */
export const flowFile = (named: string | undefined): string =>
  named ?? join(import.meta.dirname, '../../../shared/data/aapl-2012-06-21.flow.csv');

/** Null where the file is not there. */
export function recordedFlow(path: string): Flow | null {
  if (!existsSync(path)) return null;
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
  const rows = rowsOf(lines.length);
  const left = new Map<number, number>();
  for (const [at, line] of lines.entries()) {
    const [, action, order, shares, price, side] = line.split(',');
    const id = Number(order);
    const sign = side === '1' ? 1 : -1;
    let quantity = Number(shares);
    if (action === 'A') left.set(id, quantity);
    if (action === 'R') {
      quantity = (left.get(id) ?? 0) - quantity;
      left.set(id, quantity);
    }
    const kind = action === 'A' ? ADD : action === 'R' ? REDUCE : action === 'C' ? CANCEL : TAKE;
    // An aggressor's number is the filled order's in the file; it needs one of its own.
    rows.set([kind, kind === TAKE ? -1 - at : id, Number(price) / 100, sign * quantity], at * ROW);
  }
  return { name: 'recorded', rows, build: 0 };
}

const LEVELS_PER_SIDE = 500;
const CENTRE_TICKS = 100_000;
const SHARES_MAX = 100;
/** An aggressor meets three orders on average, so that the book keeps its size: 60 come, 30 are canceled, 30 filled. */
const TAKEN_SHARES_MAX = 6 * (SHARES_MAX / 2) + SHARES_MAX / 2;

/**
 * A deep book: `resting` orders on 1,000 levels, then 60 % adds, 30 % cancels of any of them, 10 % aggressors. More
 * come near the market than far from it.
 */
export function deepFlow(seed: number, resting: number, operations: number): Flow {
  const random = mulberry32(seed);
  const rows = rowsOf(resting + operations);
  const book = emptyBook();
  const live = liveOrders(resting + operations);
  for (let at = 0; at < resting + operations; at++) {
    const what = at < resting ? 0 : random(100);
    const buy = random(2) === 0;
    if (what < 60) {
      const priceTicks = CENTRE_TICKS + (buy ? -1 : 1) * (1 + distance(random));
      const quantity = 1 + random(SHARES_MAX);
      rest(book, {
        id: String(at),
        accountId: '',
        revision: 0,
        side: buy ? 'buy' : 'sell',
        priceTicks,
        flags: 0,
        quantity,
        leaves: quantity,
      });
      live.add(at);
      rows.set([ADD, at, priceTicks, buy ? quantity : -quantity], at * ROW);
    } else if (what < 90) {
      const order = live.any(random);
      const resting = book.orders.get(String(order));
      if (!resting) throw new Error(`order ${order} is not there`);
      fill(book, resting, resting.leaves);
      live.remove(order);
      rows.set([CANCEL, order, resting.priceTicks, resting.side === 'buy' ? 1 : -1], at * ROW);
    } else {
      const side = buy ? 'buy' : 'sell';
      const limit = CENTRE_TICKS + (buy ? 1 : -1) * LEVELS_PER_SIDE;
      const shares = 1 + random(TAKEN_SHARES_MAX);
      let left = shares;
      for (let maker = matchable(book, side, limit)?.first; maker && left > 0; ) {
        const traded = Math.min(left, maker.leaves);
        left -= traded;
        fill(book, maker, traded);
        if (maker.leaves === 0) live.remove(Number(maker.id));
        maker = matchable(book, side, limit)?.first;
      }
      rows.set([TAKE, at, limit, buy ? shares : -shares], at * ROW);
    }
  }
  return { name: 'deep', rows, build: resting };
}

/** In levels from the market: half of the orders come to the nearest eighth of them. */
const distance = (random: Random): number => {
  const part = random(1 << 20) / (1 << 20);
  return Math.floor(LEVELS_PER_SIDE * part ** 3);
};

/** Numbers of live orders, one of which can be picked at random. */
function liveOrders(count: number) {
  const numbers = new Int32Array(count);
  const places = new Int32Array(count);
  let size = 0;
  return {
    add(order: number) {
      places[order] = size;
      numbers[size++] = order;
    },
    any: (random: Random): number => numbers[random(size)] as number,
    remove(order: number) {
      const place = places[order] as number;
      size -= 1;
      const moved = numbers[size] as number;
      numbers[place] = moved;
      places[moved] = place;
    },
  };
}

/** A UUID of version 7, as orders have, of a number: the same for the same seed. Flat, and a new string each time. */
export function orderIds(seed: number): (order: number) => string {
  const bytes = Buffer.alloc(36, '00000000-0000-7000-8000-000000000000', 'latin1');
  const put = (value: number, at: number, digits: number) => {
    for (let i = digits - 1, left = value; i >= 0; i--, left >>>= 4) bytes[at + i] = HEX[left & 15] as number;
  };
  return (order) => {
    // Time grows with the number; the rest looks as random as it is.
    const random = mulberry32(seed ^ Math.imul(order + 1, 0x9e3779b1));
    put(0x0197_0000 + (order >> 16), 0, 8);
    put(order & 0xffff, 9, 4);
    put(random(0x1000), 15, 3);
    put(random(0x1000), 20, 3);
    put(random(0x1000000), 24, 6);
    put(random(0x1000000), 30, 6);
    return bytes.toString('latin1');
  };
}
const HEX = Buffer.from('0123456789abcdef', 'latin1');
