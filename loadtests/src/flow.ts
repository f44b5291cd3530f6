import assert from 'node:assert/strict';

/**
 * Parses the recorded order flow of a stock on a real exchange, one message a row:
 * `time,action,order,shares,price,side`; price in dollars × 10,000, side 1 buys and -1 sells.
 */
export type FlowRow =
  /** A limit order comes to rest. */
  | { action: 'add'; order: string; side: 'buy' | 'sell'; shares: number; priceCents: number }
  /** The order shrinks by `shares` and keeps its priority. */
  | { action: 'reduce'; order: string; shares: number }
  | { action: 'cancel'; order: string }
  /** An aggressor arrives; `order` is the resting order that the exchange filled, `shares` how much of it. */
  | { action: 'execute'; order: string; side: 'buy' | 'sell'; shares: number; priceCents: number };

const UNITS_PER_CENT = 100;

export function parseFlow(text: string, rowsMax = Number.POSITIVE_INFINITY): FlowRow[] {
  const rows: FlowRow[] = [];
  let line = 0;
  for (const raw of text.split('\n')) {
    line += 1;
    if (raw.trim() === '') continue;
    if (rows.length >= rowsMax) break;
    rows.push(parseRow(raw.trim(), line));
  }
  return rows;
}

function parseRow(raw: string, line: number): FlowRow {
  const [time, action, order, shares, price, side] = raw.split(',');
  assert(time && order && side !== undefined, `line ${line}: six columns are needed, not "${raw}"`);
  if (action === 'C') return { action: 'cancel', order };
  assert(
    /^[1-9]\d*$/.test(shares ?? ''),
    `line ${line}: shares must be a whole number above 0, not "${shares}"`,
  );
  if (action === 'R') return { action: 'reduce', order, shares: Number(shares) };
  assert(action === 'A' || action === 'X', `line ${line}: unknown action "${action}"`);
  assert(side === '1' || side === '-1', `line ${line}: side must be 1 or -1, not "${side}"`);
  const units = Number(price);
  assert(
    Number.isSafeInteger(units) && units > 0 && units % UNITS_PER_CENT === 0,
    `line ${line}: price "${price}" (dollars × 10,000) is not a whole number of cents`,
  );
  return {
    action: action === 'A' ? 'add' : 'execute',
    order,
    side: side === '1' ? 'buy' : 'sell',
    shares: Number(shares),
    priceCents: units / UNITS_PER_CENT,
  };
}
