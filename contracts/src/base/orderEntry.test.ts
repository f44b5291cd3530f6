import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { MarketState } from './marketState.ts';
import { OrderType, TimeInForce } from './order.ts';
import { entryRefusal, waitsForClosing } from './orderEntry.ts';

/** The table of the page: order types, times in force, then a cell for each state. */
const page = readFileSync(new URL('../../../docs/orders.md', import.meta.url), 'utf8');
const lines = page.split('\n');
const header = lines.findIndex((line) => line.startsWith('| order | time in force |'));
const words = (cell: string | undefined) => [...(cell ?? '').matchAll(/`(\w+)`/g)].map(([, word]) => word);
const states = words(lines[header]) as MarketState[];
const rows = lines
  .slice(header + 2, lines.indexOf('', header))
  .map((line) => line.split('|').slice(1, -1))
  .map(([types, times, ...cells]) => ({ types: words(types), times: words(times), cells }));

const cases = rows.flatMap(({ types, times, cells }) =>
  types.flatMap((type) =>
    times.flatMap((time) =>
      states.map((state, n) => ({
        type: type as OrderType,
        time: time as TimeInForce | 'min_qty',
        state,
        cell: cells[n]?.trim() ?? '',
      })),
    ),
  ),
);

test('the table has every state', () => {
  expect(states.toSorted()).toEqual([...MarketState.options].sort());
  expect(cases.length).toBeGreaterThan(100);
});

test.for(cases)('$type $time in $state: $cell', ({ type, time, state, cell }) => {
  const order =
    time === 'min_qty' ? { type, timeInForce: 'day' as const, minQuantity: 1 } : { type, timeInForce: time };
  const [code] = words(cell);
  expect(entryRefusal(order, state)).toBe(code);
  const waits = waitsForClosing(order, state) || (type !== 'limit' && type !== 'market');
  if (code === undefined) expect(cell).toBe(waits ? 'held' : 'yes');
});

test('what the table does not have, no order type takes', () => {
  const inTable = new Set(cases.map(({ type, time }) => `${type} ${time}`));
  const others = OrderType.options.flatMap((type) =>
    TimeInForce.options
      .filter((time) => !inTable.has(`${type} ${time}`))
      .map((timeInForce) => entryRefusal({ type, timeInForce }, 'continuous')),
  );
  expect(new Set(others)).toEqual(new Set(['TIME_IN_FORCE']));
});
