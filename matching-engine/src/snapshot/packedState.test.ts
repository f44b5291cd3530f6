import { MATCHING_RULES_VERSION } from '@brokerx/contracts';
import { expect, test } from 'vitest';
import { numbered } from '../../sim/random.ts';
import { workload } from '../../sim/workload.ts';
import { ACCOUNT, desk, SYMBOL } from '../../test/desk.ts';
import { packedAtOnce } from '../../test/packedAtOnce.ts';
import { apply, newEngine, type PlacedInput } from '../rules/engine.ts';
import { packing, unpacked } from './packedState.ts';
import { snapshot } from './snapshot.ts';

/** A book of so many orders, far enough from each other to rest, some of them gone again. */
function deepEngine(count: number) {
  const engine = newEngine(SYMBOL);
  const d = desk();
  const order = (i: number): PlacedInput => {
    const given = (i % 2 === 0 ? d.buy : d.sell)(
      'A',
      1 + (i % 7),
      i % 2 === 0 ? 950 - (i % 40) : 1_050 + (i % 40),
      {
        accountId: numbered(9, i % 100),
        timeInForce: 'gtc',
      },
    );
    Object.assign(given.event.data, { orderId: numbered(8, i) });
    return given;
  };
  apply(engine, d.list());
  for (let i = 0; i < count; i++) apply(engine, order(i));
  const cancel = (i: number) =>
    apply(
      engine,
      d.input({
        type: 'OrderCancelRequested.v1',
        data: { orderId: numbered(8, i), accountId: numbered(9, i % 100), symbol: SYMBOL },
      }),
    );
  for (let i = 0; i < count; i += 3) cancel(i);
  return { engine, order, cancel };
}

test('a state is that of the moment at which its packing began, whatever happens between the steps', () => {
  const { engine, order, cancel } = deepEngine(30_000);
  const before = snapshot(engine);
  const steps = packing(engine);
  let count = 0;
  for (let step = steps.next(); ; step = steps.next()) {
    if (step.done) {
      expect(snapshot(unpacked(step.value))).toEqual(before);
      expect(step.value.parts.length).toBeGreaterThan(2);
      break;
    }
    // All over the book: on pages that are packed and on pages that are not.
    for (let i = count * 3_000 + 1; i < 30_000; i += 997) if (i % 3 !== 0) cancel(i);
    for (let i = 0; i < 500; i++) apply(engine, order(100_000 + count * 1_000 + i));
    count += 1;
  }
  expect(count).toBeGreaterThan(2);
  expect(snapshot(engine).orders).not.toEqual(before.orders);
  expect(snapshot(unpacked(packedAtOnce(engine)))).toEqual(snapshot(engine));
});

test('what is long beside the book is kept in pieces, and comes back whole', () => {
  const engine = newEngine(SYMBOL);
  const d = desk();
  apply(engine, d.list({}, MATCHING_RULES_VERSION));
  for (let i = 0; i < 2_500; i++) {
    const stop = d.buy('A', 5, 1_050, {
      type: 'stop_limit',
      stopTicks: 1_001 + (i % 50),
      timeInForce: 'gtd',
      expiresAt: `2026-02-0${1 + (i % 9)}T15:00:00.000Z`,
    });
    Object.assign(stop.event.data, { orderId: numbered(8, i) });
    apply(engine, stop);
  }
  const before = snapshot(engine);
  const steps = packing(engine);
  steps.next();
  apply(engine, d.reach('15:00:00'));
  apply(
    engine,
    d.input({
      type: 'OrderCancelRequested.v1',
      data: { orderId: numbered(8, 7), accountId: ACCOUNT, symbol: SYMBOL },
    }),
  );
  let step = steps.next();
  while (!step.done) step = steps.next();
  expect(step.value.parts.length).toBe(6);
  expect(snapshot(unpacked(step.value))).toEqual(before);
  expect(snapshot(engine)).not.toEqual(before);
});

test('a packing that is given up leaves the book to itself', () => {
  const { engine, order } = deepEngine(3_000);
  const steps = packing(engine);
  steps.next();
  expect(() => packing(engine).next()).toThrow('one snapshot at a time');
  steps.return({ state: '', parts: [] });
  apply(engine, order(50_000));
  expect(snapshot(unpacked(packedAtOnce(engine)))).toEqual(snapshot(engine));
});

test('an engine that was unpacked goes on as the one that was packed', () => {
  const inputs = [...workload(3, SYMBOL).take(3_000)];
  const engine = newEngine(SYMBOL);
  for (const input of inputs.slice(0, 2_000)) apply(engine, input);
  const again = unpacked(packedAtOnce(engine));
  for (const input of inputs.slice(2_000)) expect(apply(again, input)).toEqual(apply(engine, input));
  expect(snapshot(again)).toEqual(snapshot(engine));
});

test.for([1, 2, 3, 4, 5])('seed %i: nothing that comes after the first step is in a state', (seed) => {
  const engine = newEngine(SYMBOL);
  for (const input of workload(seed, SYMBOL).take(3_000)) apply(engine, input);
  const before = snapshot(engine);
  const steps = packing(engine);
  steps.next();
  for (const input of workload(seed, SYMBOL).take(3_500).drop(3_000)) apply(engine, input);
  let step = steps.next();
  while (!step.done) step = steps.next();
  expect(snapshot(unpacked(step.value))).toEqual(before);
});

test('a state that lacks a piece of an order is refused', () => {
  const { engine } = deepEngine(100);
  const { state, parts } = packedAtOnce(engine);
  const cut = parts.map((part) => part.subarray(0, part.byteLength - 4));
  expect(() => unpacked({ state, parts: cut })).toThrow('an order is cut off');
});
