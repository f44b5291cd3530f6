import type { Event } from '@brokerx/contracts';
import type { EventStore } from '@brokerx/infra';
import { expect, test } from 'vitest';
import { workload } from '../../sim/workload.ts';
import { connections, copyOf, newWorld, plant, startEngine, type World } from '../../test/process.ts';
import type { PlacedInput } from '../rules/engine.ts';
import { snapshot } from '../snapshot/snapshot.ts';
import { PAGE_EVENTS_MAX } from './inputs.ts';
import { MarketBroken } from './marketBroken.ts';
import { recovery } from './recover.ts';

const SYMBOLS = ['ONE', 'TWO', 'SIX'];
const INPUTS = 1_200;

test('symbols that are recovered together are read in one pass, and come out as each of them alone', async () => {
  const world = await marketsOf(SYMBOLS);
  const { store, reads } = counting(world.store);
  const recover = recovery(connections({ ...world, store }));
  const together = await Promise.all(SYMBOLS.map((symbol) => recover(symbol, tenure(2))));
  expect(together.map(({ replayed }) => replayed)).toEqual([INPUTS, INPUTS, INPUTS]);
  expect(reads()).toBe(Math.ceil((SYMBOLS.length * INPUTS) / PAGE_EVENTS_MAX));
  for (const [i, symbol] of SYMBOLS.entries()) {
    const alone = await recovery(connections(world))(symbol, tenure(3));
    expect(snapshot(together[i]?.engine ?? alone.engine)).toEqual(snapshot(alone.engine));
    expect(together[i]?.position).toBe(alone.position);
  }
});

test('each begins at its own snapshot', async () => {
  const world = await marketsOf(SYMBOLS, 700);
  const engine = await startEngine(world, 2);
  await engine.caughtUp();
  await engine.stop();
  await plant(world.store, interleaved(SYMBOLS, 700, 800));
  await answered(world);
  const withoutTwo: World = {
    ...world,
    snapshots: {
      ...world.snapshots,
      load: async (key, read) => (key.key === 'TWO' ? null : world.snapshots.load(key, read)),
    },
  };
  const recover = recovery(connections(withoutTwo));
  const recovered = await Promise.all(SYMBOLS.map((symbol) => recover(symbol, tenure(4))));
  expect(recovered.map(({ replayed }) => replayed)).toEqual([100, 800, 100]);
});

test('one whose book is false keeps none of the others', async () => {
  const world = await marketsOf(SYMBOLS);
  const forged = await copyOf(world, 'ONE', (events) =>
    events.map((event) =>
      event.type === 'OrderAccepted.v1' ? { ...event, data: { ...event.data, quantity: 1_000_000 } } : event,
    ),
  );
  const recover = recovery(connections(forged));
  const [one, two, six] = await Promise.allSettled(SYMBOLS.map((symbol) => recover(symbol, tenure(2))));
  expect(one).toMatchObject({ status: 'rejected', reason: expect.any(MarketBroken) });
  expect(two).toMatchObject({ status: 'fulfilled', value: { replayed: INPUTS } });
  expect(six).toMatchObject({ status: 'fulfilled', value: { replayed: INPUTS } });
});

test('one that is asked for meanwhile is recovered afterwards, and a store that cannot be read is told to all', async () => {
  const world = await marketsOf(SYMBOLS);
  let isAway = false;
  const store: EventStore<Event> = {
    ...world.store,
    readAll: (...asked) => (isAway ? Promise.reject(new Error('away')) : world.store.readAll(...asked)),
  };
  const recover = recovery(connections({ ...world, store }));
  const first = recover('ONE', tenure(2));
  await Promise.resolve();
  const later = [recover('TWO', tenure(2)), recover('SIX', tenure(2))];
  expect(await first).toMatchObject({ replayed: INPUTS });
  isAway = true;
  const ends = await Promise.allSettled(later);
  expect(ends.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  isAway = false;
  expect(await recover('TWO', tenure(3))).toMatchObject({ replayed: INPUTS });
});

/** Markets whose inputs lie between each other, all answered. */
async function marketsOf(symbols: readonly string[], inputs = INPUTS): Promise<World> {
  const world = newWorld();
  await plant(world.store, interleaved(symbols, 0, inputs));
  await answered(world);
  return world;
}

/** An engine answers what is new and keeps no snapshot. */
async function answered(world: World): Promise<void> {
  const engine = await startEngine({ ...world, snapshots: newWorld(world.store.id).snapshots }, 1);
  await engine.caughtUp();
  await engine.stop();
}

function* interleaved(symbols: readonly string[], from: number, to: number): Generator<PlacedInput> {
  const each = symbols.map((symbol, i) => [...workload(i + 1, symbol).take(to)]);
  for (let n = from; n < to; n++) {
    for (const inputs of each) {
      const input = inputs[n];
      if (input) yield input;
    }
  }
}

/** Counts the reads of inputs. */
function counting(store: EventStore<Event>) {
  let reads = 0;
  const counted: EventStore<Event> = {
    ...store,
    readAll(...asked) {
      reads += 1;
      return store.readAll(...asked);
    },
  };
  return { store: counted, reads: () => reads };
}

const tenure = (epoch: number) => ({ epoch, mayGoOn: () => true });
