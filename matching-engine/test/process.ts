import { setTimeout } from 'node:timers/promises';
import { bookStream, type EngineInput, type Event, eventCodec, mintId, SHARDS } from '@brokerx/contracts';
import {
  createLog,
  type EventStore,
  groupCommit,
  type MemoryLeases,
  memoryEventStore,
  memoryLeases,
  memorySnapshots,
  noTelemetry,
  type Recorded,
  realRuntime,
  type Snapshots,
  type SnapshotsInMemory,
  storeFeed,
} from '@brokerx/infra';
import { Registry } from 'prom-client';
import { apply, newEngine, outputTime, type PlacedInput } from '../src/rules/engine.ts';
import { consume } from '../src/run/consume.ts';
import { engineMetrics } from '../src/run/metrics.ts';

/** What an engine process stands on, in memory; it outlives the process. */
export type World = { store: EventStore<Event>; snapshots: Snapshots };

const runtime = realRuntime;
const log = createLog({ name: 'test', level: 'silent' });
/** As long as all polls wait. */
const CATCH_UP_MS = 100_000;

export function newWorld(id = mintId(runtime), kinds?: SnapshotsInMemory): World {
  const store = memoryEventStore<Event>({ id, codec: eventCodec() });
  return { store, snapshots: memorySnapshots({ store, ...(kinds ? { kinds } : {}) }) };
}

/** The parts of a process that talk to the world, as `recover` wants them. */
export function connections({ store, snapshots }: World) {
  return { store, snapshots, appender: groupCommit(store, { runtime }), runtime, log };
}

/** Engines that share `rows` share the symbols; without, each has leases of its own, as if it had slept through their loss. */
export async function startEngine(
  world: World,
  epoch: number,
  { rows = leasesOf(epoch), owner = 'engine-1' } = {},
) {
  const feed = storeFeed({ store: world.store, runtime, log });
  const metrics = engineMetrics(new Registry());
  const telemetry = noTelemetry(runtime);
  const leases = memoryLeases({ rows, owner, runtime });
  const engine = await consume({ ...connections(world), feed, metrics, telemetry, leases });
  const until = async (isSo: () => boolean) => {
    const deadline = performance.now() + CATCH_UP_MS;
    while (!isSo()) {
      if (performance.now() > deadline) throw new Error('the engine does not catch up');
      await setTimeout(2);
    }
  };
  /** Everything appended so far is applied and answered. */
  const caughtUp = async () => {
    const head = await world.store.head();
    await until(() => engine.isReady() && engine.position() >= head);
    await engine.allStored();
  };
  return {
    ...engine,
    leases,
    caughtUp,
    ready: () => until(engine.isReady),
    /** No more is read; what is on its way stays there. */
    cutOff: () => feed.close(),
  };
}

/** Leases of shards, free, that get this epoch when they are taken. */
export function leasesOf(epoch: number): MemoryLeases {
  return new Map(
    SHARDS.map((shard) => [`engine:${shard}`, { owner: null, epoch: epoch - 1, expiresAtMs: 0 }]),
  );
}

/** Appends inputs as command-api does: each a commit at the end of its own stream, marked with its symbol. */
export async function plant(store: EventStore<Event>, inputs: Iterable<PlacedInput>): Promise<void> {
  for (const { event } of inputs) {
    const { symbol } = event.data;
    const stream = 'accountId' in event.data ? `account-${event.data.accountId}` : `market-${symbol}`;
    const expectedRevision = await store.streamRevision(stream);
    const commit = { id: mintId(runtime), stream, expectedRevision, chained: false, symbol, events: [event] };
    const [verdict] = await store.append([commit]);
    if (verdict?.verdict !== 'ok') throw new Error(`not planted: ${JSON.stringify(verdict)}`);
  }
}

/** The same store as if one book had said something else; `alter` gives null for a commit that never was. */
export async function copyOf(
  { store }: World,
  symbol: string,
  alter: (events: readonly Event[], revision: number) => readonly Event[] | null,
): Promise<World> {
  const copy = newWorld(store.id);
  const { events } = await store.readAll(0, {}, 1_000_000);
  for (const [id, recorded] of Map.groupBy(events, ({ commitId }) => commitId)) {
    const [first] = recorded;
    if (!first) continue;
    const { stream, symbol: inputOf, revision } = first;
    const told = recorded.map(({ event }) => event);
    const altered = stream === bookStream(symbol) ? alter(told, revision) : told;
    if (!altered) continue;
    const commit = {
      id,
      stream,
      expectedRevision: revision - 1,
      chained: false,
      symbol: inputOf,
      events: altered,
    };
    await copy.store.append([commit]);
  }
  return copy;
}

/** An output without the ids that differ from run to run. */
export type Output = { type: string; data: unknown; causationId: string; time: string };

export async function bookOf(store: EventStore<Event>, symbol: string): Promise<Recorded<Event>[]> {
  return store.readStream(bookStream(symbol), 0, 1_000_000);
}

/** What the book says, without the marks of engines that took over. */
export async function outputsOf(store: EventStore<Event>, symbol: string): Promise<Output[]> {
  const told = (await bookOf(store, symbol)).filter(({ event }) => event.type !== 'EngineStarted.v1');
  return told.map(({ event: { type, data, causationId, time } }) => ({ type, data, causationId, time }));
}

/** What the book should say: each input's outputs, once, in order. */
export async function expectedOutputs(store: EventStore<Event>, symbol: string): Promise<Output[]> {
  const { events } = await store.readAll(0, { symbols: [symbol] }, 1_000_000);
  const engine = newEngine(symbol);
  return events.flatMap((recorded) => {
    const input = recorded as Recorded<EngineInput>;
    const facts = apply(engine, input);
    const time = outputTime(engine, input.event);
    return facts.map(({ type, data }) => ({ type, data, causationId: input.event.id, time }));
  });
}
