import assert from 'node:assert/strict';
import type { BookFact } from '@brokerx/contracts';
import { bestLevel } from '../src/book/levels.ts';
import { apply, type Engine, newEngine, type PlacedInput } from '../src/rules/engine.ts';
import { openOf } from '../src/rules/iceberg.ts';
import { follows, OUTPUTS_MAX } from '../src/rules/state.ts';
import { unpacked } from '../src/snapshot/packedState.ts';
import { type EngineSnapshot, snapshot, stateHash } from '../src/snapshot/snapshot.ts';
import { packedAtOnce } from '../test/packedAtOnce.ts';
import { model } from './model.ts';
import { uncounted } from './modelInput.ts';
import { triggersByPrints } from './triggersByPrints.ts';
import { mulberry32, workload } from './workload.ts';

/**
 * The engine beside the model on one seed: after every input the outputs and the state must be equal, the book not
 * crossed, and no share lost or made. At random points the engine is replaced by what its snapshot restores.
 * By hand: `npm run sim:engine -- --seed 7 --inputs 100000`.
 */
export type Outcome = {
  inputs: number;
  outputs: number;
  trades: number;
  hash: string;
  /** Outputs by type, and by why orders were refused or expired: what was not met was not tested. */
  kinds: Record<string, number>;
};

const INPUTS_PER_RESTORE = 400;
/** The states are compared value by value at every step, which says the same in a tenth of the time. */
const INPUTS_PER_HASH = 500;

export const simulate = ({ seed, inputs }: { seed: number; inputs: number }): Outcome =>
  compare(workload(seed, SYMBOL).take(inputs), seed);

/** Every third run has so little room for an input’s outputs that the bound is met all the time. */
const outputsMaxOf = (seed: number): number => (seed % 3 === 0 ? 28 : OUTPUTS_MAX);

const SYMBOL = 'SIM';

/** Throws at the first input on which they differ. `seed`: where the engine is replaced. */
export function compare(inputs: Iterable<PlacedInput>, seed: number): Outcome {
  const symbol = SYMBOL;
  const random = mulberry32(seed ^ 0x5eed);
  const outputsMax = outputsMaxOf(seed);
  const reference = model(symbol, outputsMax);
  const triggers = triggersByPrints();
  let engine = newEngine(symbol);
  const ledger = orderLedger(() => (follows(engine, 4) ? (engine.listing?.rules.lotShares ?? 1) : 1));
  engine.outputsMax = outputsMax;
  let outputs = 0;
  let step = 0;
  const kinds = new Map<string, number>();
  const take = (input: PlacedInput) => {
    triggers.place(input.event);
    const facts = apply(engine, input);
    assert.deepEqual(facts, reference.apply(input));
    assert(facts.length > 0, 'it gave no output');
    const counted = facts.length - uncounted(facts);
    assert(!follows(engine, 4) || counted <= outputsMax, `it gave ${counted} outputs that count`);
    const [state, expected] = [snapshot(engine), reference.state()];
    assertSame(state, expected);
    if (step % INPUTS_PER_HASH === 0) assert.equal(stateHash(state), stateHash(expected));
    assertNotCrossed(engine);
    for (const fact of facts) {
      ledger.follow(fact);
      triggers.follow(fact);
    }
    outputs += facts.length;
    for (const fact of facts) for (const kind of kindsOf(fact)) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    if (random(INPUTS_PER_RESTORE) > 0) return;
    engine = unpacked(packedAtOnce(engine));
    engine.outputsMax = outputsMax;
  };
  for (const input of inputs) {
    step += 1;
    try {
      take(input);
    } catch (cause) {
      const { type, data } = input.event;
      throw new Error(`seed ${seed}, input ${step}: ${type} ${JSON.stringify(data)}: ${cause}`, { cause });
    }
  }
  const { book, stops, waiting } = engine;
  const open = [...book.orders.values(), ...stops.book.orders.values(), ...waiting.values()];
  for (const order of open) {
    assert.equal(ledger.leaves(order.id), openOf(engine, order), `seed ${seed}: ${order.id} in the book`);
  }
  const asleep = [...new Set(engine.lists.values())].reduce(
    (sum, { entry, legs }) => sum + (entry ? legs.length : 0),
    0,
  );
  // Ends that no input had room to tell yet are open by the outputs.
  const untold = engine.left.length;
  assert.equal(
    ledger.openOrders(),
    open.length + asleep + untold,
    `seed ${seed}: orders open by their outputs`,
  );
  const hash = stateHash(snapshot(engine));
  assert.equal(hash, stateHash(reference.state()), `seed ${seed}: at the end`);
  return { inputs: step, outputs, trades: engine.trades, hash, kinds: Object.fromEntries(kinds) };
}

const kindsOf = ({ type, data }: BookFact): string[] =>
  'reason' in data ? [type, data.reason] : 'code' in data ? [type, data.code] : [type];

/** Values, rows and lists of rows; anything else is compared as text. */
function assertSame(actual: EngineSnapshot, expected: EngineSnapshot): void {
  for (const name of Object.keys(expected) as (keyof EngineSnapshot)[]) {
    const [a, b] = [actual[name], expected[name]];
    if (a === b) continue;
    const same =
      name !== 'lists' && name !== 'owed' && name !== 'left' && Array.isArray(a) && Array.isArray(b)
        ? sameRows(a as unknown[][], b as unknown[][])
        : JSON.stringify(a) === JSON.stringify(b);
    if (!same) assert.deepEqual(actual, expected);
  }
}

const sameRows = (a: readonly (readonly unknown[])[], b: readonly (readonly unknown[])[]): boolean =>
  a.length === b.length &&
  a.every((row, n) => row.length === b[n]?.length && row.every((value, i) => value === b[n]?.[i]));

function assertNotCrossed({ book, state }: Engine): void {
  if (state !== 'continuous') return;
  const bid = bestLevel(book.buys);
  const ask = bestLevel(book.sells);
  assert(!bid || !ask || bid.priceTicks < ask.priceTicks, 'crossed');
}

/**
 * Follows every order from its outputs alone: what it was accepted for = filled + taken back + still wanted; what is bought
 * for an amount of money is whole lots.
 */
function orderLedger(lotShares: () => number) {
  const open = new Map<string, number>();
  /** Money left, of orders for an amount of it, and what they have bought. */
  const money = new Map<string, number>();
  const bought = new Map<string, number>();
  const ended = new Set<string>();
  const end = (id: string, quantity: number) => {
    assert.equal(open.get(id), quantity, `what ${id} ends with`);
    assert.equal((bought.get(id) ?? 0) % lotShares(), 0, `the whole that ${id} bought is lots`);
    open.delete(id);
    ended.add(id);
  };
  const trade = (id: string, quantity: number, leaves: number) => {
    assert.equal(open.get(id), quantity + leaves, `a trade of ${id}`);
    if (leaves === 0) end(id, quantity);
    else open.set(id, leaves);
  };
  return {
    leaves: (id: string) => open.get(id),
    openOrders: () => open.size,
    follow({ type, data }: BookFact) {
      if (type === 'OrderAccepted.v1') {
        const { orderId } = data.order;
        assert(!open.has(orderId) && !ended.has(orderId), `${orderId} accepted twice`);
        open.set(orderId, data.quantity);
        if (data.notionalCents !== undefined) money.set(orderId, data.notionalCents);
      } else if (type === 'TradeExecuted.v1') {
        trade(data.maker.orderId, data.quantity, data.maker.leaves);
        const { orderId, leaves } = data.taker;
        const cents = money.get(orderId);
        if (cents === undefined) trade(orderId, data.quantity, leaves);
        else {
          money.set(orderId, cents - data.quantity * data.priceTicks * data.tickCents);
          assert((money.get(orderId) ?? -1) >= 0, `${orderId} spends more than it has`);
          bought.set(orderId, (bought.get(orderId) ?? 0) + data.quantity);
          if (leaves === 0) end(orderId, 0);
        }
      } else if (type === 'OrderCompleted.v1') {
        assert.equal(money.get(data.order.orderId), data.leftCents, 'what is left of the money');
        end(data.order.orderId, 0);
      } else if (type === 'TradePrevented.v1') {
        const off = data.mode === 'decrement' ? data.quantity : 0;
        for (const { orderId, leaves } of [data.maker, data.taker]) {
          if (money.has(orderId)) continue;
          assert.equal(open.get(orderId), leaves + off, `${orderId} is kept from itself`);
          open.set(orderId, leaves);
        }
      } else if (type === 'OrderActivated.v1') {
        assert(open.has(data.order.orderId), `${data.order.orderId} was asleep`);
        open.set(data.order.orderId, data.quantity);
      } else if (type === 'OrderReduced.v1') {
        const { orderId } = data.order;
        assert.equal(open.get(orderId), data.quantity + data.leaves, `${orderId} has less`);
        open.set(orderId, data.leaves);
      } else if (type === 'OrderReplaced.v1') {
        const { orderId } = data.order;
        assert.equal(open.get(orderId), data.leavesBefore, `${orderId} before it was reduced`);
        open.set(orderId, data.leaves);
        if (data.leaves === 0) end(orderId, 0);
      } else if (type === 'OrderCanceled.v1' || type === 'OrderExpired.v1') {
        end(data.order.orderId, data.quantity);
      }
    },
  };
}
