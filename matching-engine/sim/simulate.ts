import assert from 'node:assert/strict';
import type { BookFact } from '@brokerx/contracts';
import { bestLevel } from '../src/book/levels.ts';
import { apply, type Engine, newEngine, type PlacedInput } from '../src/rules/engine.ts';
import { openQuantityOf } from '../src/rules/iceberg.ts';
import { follows, OUTPUTS_MAX } from '../src/rules/state.ts';
import { unpacked } from '../src/snapshot/packedState.ts';
import { type EngineSnapshot, snapshot, stateHash } from '../src/snapshot/snapshot.ts';
import { packedAtOnce } from '../test/packedAtOnce.ts';
import { model } from './model.ts';
import { uncrossOutputCount } from './modelInput.ts';
import { mulberry32 } from './random.ts';
import { triggersByPrints } from './triggersByPrints.ts';
import { workload } from './workload.ts';

/**
 * Runs the engine and the model on the inputs of one seed. After every input their outputs and states must be equal, the book
 * must not be crossed, and no share may be lost or created. At random points the engine is replaced by one that is restored
 * from its snapshot. By hand: `npm run sim:engine -- --seed 7 --inputs 100000`.
 */
export type Outcome = {
  inputs: number;
  outputs: number;
  trades: number;
  hash: string;
  /** The number of outputs by type, and by code of refusal or reason of expiry: a run tests only what it meets. */
  kinds: Record<string, number>;
};

const INPUTS_PER_RESTORE = 400;
/** Hashes are compared only now and then: comparing the states value by value, as every step does, takes a tenth of the time. */
const INPUTS_PER_HASH = 500;

export const simulate = ({ seed, inputs }: { seed: number; inputs: number }): Outcome =>
  compare(workload(seed, SYMBOL).take(inputs), seed);

/** In every third run an input has room for so few outputs that it often reaches the bound. */
const outputsMaxOf = (seed: number): number => (seed % 3 === 0 ? 28 : OUTPUTS_MAX);

const SYMBOL = 'SIM';

/** Throws at the first input on which they differ. `seed` decides where the engine is restored from a snapshot, and the bound. */
export function compare(inputs: Iterable<PlacedInput>, seed: number): Outcome {
  const symbol = SYMBOL;
  const random = mulberry32(seed ^ 0x5eed);
  const outputsMax = outputsMaxOf(seed);
  const reference = model(symbol, outputsMax);
  const triggers = triggersByPrints();
  let engine = newEngine(symbol);
  const ledger = orderLedger(() => (follows(engine, 4) ? (engine.listing?.rules.lotShares ?? 1) : 1));
  engine.outputsMax = outputsMax;
  let outputCount = 0;
  let inputCount = 0;
  const kinds = new Map<string, number>();
  const carryOut = (input: PlacedInput) => {
    triggers.place(input.event);
    const facts = apply(engine, input);
    assert.deepEqual(facts, reference.apply(input));
    assert(facts.length > 0, 'it gave no output');
    const countedOutputs = facts.length - uncrossOutputCount(facts);
    assert(
      !follows(engine, 4) || countedOutputs <= outputsMax,
      `it gave ${countedOutputs} outputs that count`,
    );
    const [state, expected] = [snapshot(engine), reference.state()];
    assertSame(state, expected);
    if (inputCount % INPUTS_PER_HASH === 0) assert.equal(stateHash(state), stateHash(expected));
    assertNotCrossed(engine);
    for (const fact of facts) {
      ledger.follow(fact);
      triggers.follow(fact);
    }
    outputCount += facts.length;
    for (const fact of facts) for (const kind of kindsOf(fact)) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    if (random(INPUTS_PER_RESTORE) > 0) return;
    engine = unpacked(packedAtOnce(engine));
    engine.outputsMax = outputsMax;
  };
  for (const input of inputs) {
    inputCount += 1;
    try {
      carryOut(input);
    } catch (cause) {
      const { type, data } = input.event;
      throw new Error(`seed ${seed}, input ${inputCount}: ${type} ${JSON.stringify(data)}: ${cause}`, {
        cause,
      });
    }
  }
  const { book, stops, closingOrders } = engine;
  const openOrders = [...book.orders.values(), ...stops.book.orders.values(), ...closingOrders.values()];
  for (const order of openOrders) {
    assert.equal(
      ledger.leaves(order.id),
      openQuantityOf(engine, order),
      `seed ${seed}: ${order.id} in the book`,
    );
  }
  const dormantCount = [...new Set(engine.lists.values())].reduce(
    (sum, { entry, legs }) => sum + (entry ? legs.length : 0),
    0,
  );
  // By the outputs, orders are still open whose ends are deferred.
  const deferredCount = engine.deferredEnds.length;
  assert.equal(
    ledger.openOrders(),
    openOrders.length + dormantCount + deferredCount,
    `seed ${seed}: orders open by their outputs`,
  );
  const hash = stateHash(snapshot(engine));
  assert.equal(hash, stateHash(reference.state()), `seed ${seed}: at the end`);
  return {
    inputs: inputCount,
    outputs: outputCount,
    trades: engine.trades,
    hash,
    kinds: Object.fromEntries(kinds),
  };
}

const kindsOf = ({ type, data }: BookFact): string[] =>
  'reason' in data ? [type, data.reason] : 'code' in data ? [type, data.code] : [type];

/** Compares two states: rows value by value, and the rest as text. */
function assertSame(actual: EngineSnapshot, expected: EngineSnapshot): void {
  for (const name of Object.keys(expected) as (keyof EngineSnapshot)[]) {
    const [a, b] = [actual[name], expected[name]];
    if (a === b) continue;
    const isSame =
      name !== 'lists' && name !== 'owed' && name !== 'left' && Array.isArray(a) && Array.isArray(b)
        ? sameRows(a as unknown[][], b as unknown[][])
        : JSON.stringify(a) === JSON.stringify(b);
    if (!isSame) assert.deepEqual(actual, expected);
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
 * Checks the outputs of every order: its accepted quantity must be the sum of what was filled, taken off and left open, and
 * shares bought for an amount of money must be whole lots.
 */
function orderLedger(lotShares: () => number) {
  const openShares = new Map<string, number>();
  /** For orders for an amount of money: the cents left, and the shares bought. */
  const centsLeft = new Map<string, number>();
  const boughtShares = new Map<string, number>();
  const endedIds = new Set<string>();
  const end = (id: string, quantity: number) => {
    assert.equal(openShares.get(id), quantity, `what ${id} ends with`);
    assert.equal((boughtShares.get(id) ?? 0) % lotShares(), 0, `the whole that ${id} bought is lots`);
    openShares.delete(id);
    endedIds.add(id);
  };
  const trade = (id: string, quantity: number, leaves: number) => {
    assert.equal(openShares.get(id), quantity + leaves, `a trade of ${id}`);
    if (leaves === 0) end(id, quantity);
    else openShares.set(id, leaves);
  };
  return {
    leaves: (id: string) => openShares.get(id),
    openOrders: () => openShares.size,
    follow({ type, data }: BookFact) {
      if (type === 'OrderAccepted.v1') {
        const { orderId } = data.order;
        assert(!openShares.has(orderId) && !endedIds.has(orderId), `${orderId} accepted twice`);
        openShares.set(orderId, data.quantity);
        if (data.notionalCents !== undefined) centsLeft.set(orderId, data.notionalCents);
      } else if (type === 'TradeExecuted.v1') {
        trade(data.maker.orderId, data.quantity, data.maker.leaves);
        const { orderId, leaves } = data.taker;
        const cents = centsLeft.get(orderId);
        if (cents === undefined) trade(orderId, data.quantity, leaves);
        else {
          centsLeft.set(orderId, cents - data.quantity * data.priceTicks * data.tickCents);
          assert((centsLeft.get(orderId) ?? -1) >= 0, `${orderId} spends more than it has`);
          boughtShares.set(orderId, (boughtShares.get(orderId) ?? 0) + data.quantity);
          if (leaves === 0) end(orderId, 0);
        }
      } else if (type === 'OrderCompleted.v1') {
        assert.equal(centsLeft.get(data.order.orderId), data.leftCents, 'what is left of the money');
        end(data.order.orderId, 0);
      } else if (type === 'TradePrevented.v1') {
        const reduction = data.mode === 'decrement' ? data.quantity : 0;
        for (const { orderId, leaves } of [data.maker, data.taker]) {
          if (centsLeft.has(orderId)) continue;
          assert.equal(openShares.get(orderId), leaves + reduction, `${orderId} is kept from itself`);
          openShares.set(orderId, leaves);
        }
      } else if (type === 'OrderActivated.v1') {
        assert(openShares.has(data.order.orderId), `${data.order.orderId} was asleep`);
        openShares.set(data.order.orderId, data.quantity);
      } else if (type === 'OrderReduced.v1') {
        const { orderId } = data.order;
        assert.equal(openShares.get(orderId), data.quantity + data.leaves, `${orderId} has less`);
        openShares.set(orderId, data.leaves);
      } else if (type === 'OrderReplaced.v1') {
        const { orderId } = data.order;
        assert.equal(openShares.get(orderId), data.leavesBefore, `${orderId} before it was reduced`);
        openShares.set(orderId, data.leaves);
        if (data.leaves === 0) end(orderId, 0);
      } else if (type === 'OrderCanceled.v1' || type === 'OrderExpired.v1') {
        end(data.order.orderId, data.quantity);
      }
    },
  };
}
