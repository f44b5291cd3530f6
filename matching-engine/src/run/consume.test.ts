import { setTimeout } from 'node:timers/promises';
import {
  bookStream,
  type Event,
  eventSchema,
  MATCHING_RULES_VERSION,
  SHARDS,
  shardOf,
} from '@brokerx/contracts';
import { cutInHalf, type EventStore, mayFail, realRuntime, type SnapshotsInMemory } from '@brokerx/infra';
import { expect, test, vi } from 'vitest';
import { mulberry32 } from '../../sim/random.ts';
import { workload } from '../../sim/workload.ts';
import { desk, SYMBOL } from '../../test/desk.ts';
import { Dead, mortal } from '../../test/mortal.ts';
import {
  bookOf,
  connections,
  copyOf,
  expectedOutputs,
  leasesOf,
  newWorld,
  outputsOf,
  plant,
  startEngine,
} from '../../test/process.ts';
import { recovery } from '../recovery/recover.ts';
import { LeaseLost } from '../recovery/takeOver.ts';
import { UnknownMatchingRules } from '../rules/engine.ts';
import { SNAPSHOT_VERSION } from '../snapshot/packedState.ts';
import { snapshot } from '../snapshot/snapshot.ts';

test('every input is answered once, in order, in events that validate and follow their schema', async () => {
  const world = newWorld();
  await plant(world.store, workload(1, SYMBOL).take(1_500));
  const engine = await startEngine(world, 1);
  await engine.caughtUp();
  expect(await outputsOf(world.store, SYMBOL)).toEqual(await expectedOutputs(world.store, SYMBOL));
  for (const { event } of await bookOf(world.store, SYMBOL)) {
    expect(eventSchema(event.type).safeParse(event).error).toBeUndefined();
  }
  expect(engine.markets()).toEqual({ [SYMBOL]: 'ok' });
  await engine.stop();
});

test('an output carries the correlation and the trace of the request that began it', async () => {
  const world = newWorld();
  const d = desk();
  const order = { ...d.list() };
  await plant(world.store, [order]);
  const engine = await startEngine(world, 7);
  await engine.caughtUp();
  const [started, output] = (await bookOf(world.store, SYMBOL)).map(({ event }) => event);
  expect(started).toMatchObject({
    type: 'EngineStarted.v1',
    data: { epoch: 7, matchingRules: MATCHING_RULES_VERSION },
  });
  const { correlationId, id: causationId, traceparent } = order.event;
  expect(output).toMatchObject({ actor: 'system:engine', correlationId, causationId, traceparent });
  await engine.stop();
});

test('a symbol listed while the engine runs is traded at once', async () => {
  const world = newWorld();
  const engine = await startEngine(world, 1);
  expect(engine.markets()).toEqual({});
  await plant(world.store, workload(1, SYMBOL).take(100));
  await engine.caughtUp();
  await plant(world.store, workload(2, 'LATE').take(100));
  await engine.caughtUp();
  expect(engine.markets()).toEqual({ [SYMBOL]: 'ok', LATE: 'ok' });
  for (const symbol of [SYMBOL, 'LATE']) {
    expect(await outputsOf(world.store, symbol)).toEqual(await expectedOutputs(world.store, symbol));
  }
  await engine.stop();
});

test.for([1, 2, 3, 4, 5, 6])(
  'seed %i: however often the process dies, each output stands once',
  async (seed) => {
    const random = mulberry32(seed);
    const world = newWorld();
    const inputs = [...workload(seed, SYMBOL).take(600)];
    for (let epoch = 1; epoch <= 8; epoch++) {
      const dying = mortal(world.store, random);
      const engine = await startEngine({ ...world, store: dying.store }, epoch).catch((error) => {
        expect(error).toBeInstanceOf(Dead);
        return null;
      });
      for (let part = 0; part < 3; part++) {
        await plant(world.store, inputs.splice(0, random(25)));
        if (engine && random(2) === 0)
          await Promise.race([mayFail(engine.caughtUp(), 'its store may have died'), dying.died]);
      }
      dying.kill();
      void engine?.cutOff();
      void engine?.stop();
    }
    const engine = await startEngine(world, 9);
    await engine.caughtUp();
    expect(await outputsOf(world.store, SYMBOL)).toEqual(await expectedOutputs(world.store, SYMBOL));
    await engine.stop();
  },
);

test('an engine that slept while another took a shard over is fenced: it drops the shard and has added nothing', async () => {
  const world = newWorld();
  const d = desk();
  await plant(world.store, [d.list(), d.sell('A', 10, 1_000)]);
  const rows = leasesOf(1);
  const sleeper = await startEngine(world, 1, { rows });
  await sleeper.caughtUp();
  // As if its lease had run out and it had not looked at the clock since.
  const shard = shardOf(SYMBOL);
  rows.set(`engine:${shard}`, {
    owner: 'engine-2',
    epoch: 2,
    expiresAtMs: realRuntime.monotonicMs() + 60_000,
  });
  const successor = await startEngine(world, 1, { rows, owner: 'engine-2' });
  await vi.waitUntil(() => successor.markets()[SYMBOL] === 'ok', { timeout: 100_000 });
  await plant(world.store, [d.halt()]);
  await vi.waitUntil(() => !sleeper.shards().includes(shard), { timeout: 100_000 });
  await successor.caughtUp();
  expect(successor.shards()).toContain(shard);
  expect(await outputsOf(world.store, SYMBOL)).toEqual(await expectedOutputs(world.store, SYMBOL));
  expect(await epochsOf(world)).toEqual([1, 3]);
  await Promise.all([sleeper.stop(), successor.stop()]);
});

test('a process that slept in the middle of a take-over does not fence the one that has the shard by now', async () => {
  const world = newWorld();
  await plant(world.store, [desk().list()]);
  const owner = await startEngine(world, 1);
  await owner.caughtUp();
  const asleep = { epoch: 2, mayGoOn: () => false };
  await expect(recovery(connections(world))(SYMBOL, asleep)).rejects.toThrow(LeaseLost);
  expect(await epochsOf(world)).toEqual([1]);
  await owner.stop();
});

test('two engines share the symbols, see what is listed later, and one goes on where the other ends', async () => {
  const world = newWorld();
  const rows = leasesOf(1);
  const symbols = ['ACME', 'BOLT', 'CORE', 'DUNE', 'EPIC', 'FLUX'];
  const late = ['GRID', 'HALO', 'IRIS', 'JADE'];
  const inputs = new Map([...symbols, ...late].map((symbol, i) => [symbol, workload(i, symbol)]));
  const plantSome = async (of: readonly string[]) => {
    for (const symbol of of) await plant(world.store, inputs.get(symbol)?.take(40) ?? []);
  };
  await plantSome(symbols);
  const first = await startEngine(world, 1, { rows });
  await first.caughtUp();
  const second = await startEngine(world, 1, { rows, owner: 'engine-2' });
  await plantSome(symbols);
  await vi.waitUntil(() => second.isReady() && first.shards().length === 8, { timeout: 100_000 });
  expect([...first.shards(), ...second.shards()].sort()).toEqual([...SHARDS].sort());
  await plantSome([...late, ...symbols]);
  await Promise.all([first.caughtUp(), second.caughtUp()]);
  expect({ ...first.markets(), ...second.markets() }).toEqual(
    Object.fromEntries([...symbols, ...late].map((symbol) => [symbol, 'ok'])),
  );
  expect(Object.keys(first.markets()).length).toBeGreaterThan(0);
  expect(Object.keys(second.markets()).length).toBeGreaterThan(0);

  await first.stop();
  await plantSome(inputs.keys().toArray());
  await vi.waitUntil(() => second.shards().length === SHARDS.length, { timeout: 100_000 });
  await second.caughtUp();
  for (const symbol of inputs.keys()) {
    expect(await outputsOf(world.store, symbol)).toEqual(await expectedOutputs(world.store, symbol));
  }
  await second.stop();
});

test('a take-over that meets a last append of the one before looks again', async () => {
  const world = newWorld();
  await plant(world.store, [desk().list()]);
  const sleeper = await startEngine(world, 1);
  await sleeper.caughtUp();
  let looks = 0;
  const store: EventStore<Event> = {
    ...world.store,
    async streamRevision(stream) {
      const revision = await world.store.streamRevision(stream);
      looks += 1;
      if (looks > 1) return revision;
      await plant(world.store, [desk().halt()]);
      await sleeper.caughtUp();
      return revision;
    },
  };
  const successor = await startEngine({ ...world, store }, 2);
  await successor.caughtUp();
  expect((await bookOf(world.store, SYMBOL)).map(({ event }) => event.type)).toEqual([
    'EngineStarted.v1',
    'MarketStateChanged.v1',
    'MarketStateChanged.v1',
    'EngineStarted.v1',
  ]);
  await Promise.all([sleeper.cutOff(), successor.stop()]);
});

test('outputs that exceed a commit are cut, and what was lost of them is added by the next engine', async () => {
  const world = newWorld();
  const d = desk();
  const orders = Array.from({ length: 1_200 }, (_, i) => d.sell(`o${i}`, 1, 1_000 + (i % 50)));
  await plant(world.store, [d.list(), ...orders, d.endDay(1_000)]);
  const engine = await startEngine(world, 1);
  await engine.caughtUp();
  await engine.stop();
  const whole = await bookOf(world.store, SYMBOL);
  const expiries = whole.filter(({ event }) => event.type === 'OrderExpired.v1');
  const byCommit = Map.groupBy(expiries, ({ commitId }) => commitId).values();
  expect([...byCommit].map((events) => [events.length, events.at(-1)?.event.more])).toEqual([
    [500, true],
    [500, true],
    [200, undefined],
  ]);

  for (const pieces of [1, 2]) {
    const kept = whole.length - 1_200 + pieces * 500;
    const damaged = await copyOf(world, SYMBOL, (events, revision) => (revision < kept ? events : null));
    const next = await startEngine(damaged, 2);
    await next.caughtUp();
    expect(await outputsOf(damaged.store, SYMBOL)).toEqual(await expectedOutputs(damaged.store, SYMBOL));
    await next.stop();
  }
});

test.for([
  [
    'says something else',
    (event: Event) => ({ ...event, data: { ...event.data, restingQuantity: 11 } }) as Event,
  ],
  ['names another input', (event: Event) => ({ ...event, causationId: event.id })],
  ['says that there is more', (event: Event) => ({ ...event, more: true as const })],
] as const)('a book that %s than its inputs give stops that market alone', async ([, forge]) => {
  const world = newWorld();
  const d = desk();
  await plant(world.store, [d.list(), d.sell('A', 10, 1_000)]);
  await plant(world.store, workload(2, 'OTHER').take(50));
  const honest = await startEngine(world, 1);
  await honest.caughtUp();
  await honest.cutOff();
  const forged = await copyOf(world, SYMBOL, (events) =>
    events.map((event) => (event.type === 'OrderAccepted.v1' ? forge(event) : event)),
  );
  const before = await outputsOf(forged.store, SYMBOL);

  const engine = await startEngine(forged, 2);
  await plant(forged.store, [...workload(2, 'OTHER').take(90)].slice(50));
  await plant(forged.store, [d.cancel('A')]);
  await engine.caughtUp();
  expect(engine.markets()).toEqual({
    [SYMBOL]: expect.stringContaining(`book-${SYMBOL} is not what its inputs give`),
    OTHER: 'ok',
  });
  expect(await outputsOf(forged.store, SYMBOL)).toEqual(before);
  expect(await outputsOf(forged.store, 'OTHER')).toEqual(await expectedOutputs(forged.store, 'OTHER'));
  await engine.stop();
});

test('an input that the engine cannot apply stops its market alone; what came before is answered', async () => {
  const world = newWorld();
  const d = desk();
  await plant(world.store, [d.list(), d.sell('A', 10, 1_000), d.sell('A', 10, 1_000), d.halt()]);
  await plant(world.store, workload(2, 'OTHER').take(50));
  const engine = await startEngine(world, 1);
  await engine.caughtUp();
  expect(engine.markets()).toEqual({
    [SYMBOL]: expect.stringContaining('could not be applied'),
    OTHER: 'ok',
  });
  expect((await outputsOf(world.store, SYMBOL)).map(({ type }) => type)).toEqual([
    'MarketStateChanged.v1',
    'OrderAccepted.v1',
  ]);
  await engine.stop();
});

test('a snapshot and the inputs after it give the same state as all inputs from the beginning', async () => {
  const world = newWorld();
  await plant(world.store, workload(5, SYMBOL).take(400));
  const first = await startEngine(world, 1);
  await first.caughtUp();
  await first.stop();
  const rest = [...workload(5, SYMBOL).take(700)].slice(400);
  await plant(world.store, rest);
  const second = await startEngine({ ...world, snapshots: newWorld(world.store.id).snapshots }, 2);
  await second.caughtUp();
  await second.cutOff();

  const short = await recovery(connections(world))(SYMBOL, tenure(3));
  const long = await recovery(connections({ ...newWorld(world.store.id), store: world.store }))(
    SYMBOL,
    tenure(4),
  );
  expect([short.replayed, long.replayed]).toEqual([300, 700]);
  expect(snapshot(short.engine)).toEqual(snapshot(long.engine));
  expect(short.position).toBe(long.position);
});

test('a snapshot that cannot be restored is left: everything is replayed', async () => {
  const world = newWorld();
  await plant(world.store, workload(5, SYMBOL).take(50));
  const engine = await startEngine(world, 1);
  await engine.caughtUp();
  await engine.stop();
  const cursor = { storeId: world.store.id, position: 50 };
  const key = { kind: 'book', key: SYMBOL, version: SNAPSHOT_VERSION };
  await world.snapshots.save(key, { cursor, revision: 10, state: '{"orders":"none"}' });
  expect((await recovery(connections(world))(SYMBOL, tenure(2))).replayed).toBe(50);
});

test('an engine whose snapshots are all damaged starts, and replays everything', async () => {
  const kinds: SnapshotsInMemory = new Map();
  const world = newWorld(undefined, kinds);
  await plant(world.store, workload(5, SYMBOL).take(50));
  const engine = await startEngine(world, 1);
  await engine.caughtUp();
  await engine.stop();
  expect([...kinds.keys()].join()).toMatch(/book.*listed-symbols|listed-symbols.*book/);
  cutInHalf(kinds);
  const next = await startEngine(world, 2);
  await next.caughtUp();
  expect(next.isReady()).toBe(true);
  await next.stop();
  expect(await epochsOf(world)).toEqual([1, 2]);
});

test('an engine without the rules that a symbol follows does not start, and writes nothing', async () => {
  const world = newWorld();
  await plant(world.store, [desk().list({}, 99)]);
  await expect(startEngine(world, 1)).rejects.toThrow(UnknownMatchingRules);
  expect(await bookOf(world.store, SYMBOL)).toEqual([]);
});

test('no snapshot is kept before the outputs in it are stored', async () => {
  const world = newWorld();
  await plant(world.store, [desk().list()]);
  const gate = Promise.withResolvers<void>();
  let open = true;
  const slow: EventStore<Event> = {
    ...world.store,
    async append(commits) {
      if (!open) await gate.promise;
      return world.store.append(commits);
    },
  };
  const engine = await startEngine({ ...world, store: slow }, 1);
  await engine.caughtUp();
  open = false;
  await plant(world.store, [desk().halt()]);
  await vi.waitUntil(() => engine.unacknowledged() === 1);
  const stopping = engine.stop();
  const load = () =>
    world.snapshots.load({ kind: 'book', key: SYMBOL, version: SNAPSHOT_VERSION }, (kept) => kept);
  await Promise.race([stopping, setTimeout(50)]);
  expect(await load()).toBeNull();
  gate.resolve();
  await stopping;
  expect(await load()).toMatchObject({ revision: await world.store.streamRevision(bookStream(SYMBOL)) });
});

const tenure = (epoch: number) => ({ epoch, mayGoOn: () => true });

/** Epochs of those that took the book over, in order. */
async function epochsOf(world: ReturnType<typeof newWorld>): Promise<number[]> {
  return (await bookOf(world.store, SYMBOL)).flatMap(({ event }) =>
    event.type === 'EngineStarted.v1' ? [event.data.epoch] : [],
  );
}
