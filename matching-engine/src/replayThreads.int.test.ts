import { bookStream, type Event, eventCodec, mintId, seal } from '@brokerx/contracts';
import { adapterSettings, createLog, postgresEventStore, realRuntime } from '@brokerx/infra';
import { freshDatabase } from '@brokerx/infra/services.ts';
import { afterEach, expect, test } from 'vitest';
import { workload } from '../sim/workload.ts';
import { desk, SYMBOL } from '../test/desk.ts';
import { newWorld, plant, startEngine, type World } from '../test/process.ts';
import { type Replayed, replay } from './replay.ts';
import { replayThreads } from './replayThreads.ts';
import { snapshot } from './snapshot.ts';

/** Threads with connections of their own to a real PostgreSQL; every past is long enough for one. */
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function world() {
  const database = await freshDatabase();
  closing.push(database.drop);
  const DATABASE_URL = database.url;
  const store = await postgresEventStore({
    databaseUrl: DATABASE_URL,
    codec: eventCodec(),
    runtime: realRuntime,
  });
  closing.push(store.close);
  const { snapshots } = newWorld(store.id);
  const settings = adapterSettings({ DATABASE_URL, KAFKA_SSL: 'false', KAFKA_REPLICATION: 1 });
  const inThread = replayThreads(settings, 0);
  return { store, snapshots, inThread, log: createLog({ name: 'test', level: 'silent' }) };
}

async function live({ store }: Pick<World, 'store'>, inputs: Parameters<typeof plant>[1]): Promise<number> {
  await plant(store, inputs);
  const engine = await startEngine({ store, snapshots: newWorld(store.id).snapshots }, 1);
  closing.push(engine.cutOff);
  await engine.caughtUp();
  await engine.cutOff();
  return (await store.streamRevision(bookStream(SYMBOL))) as number;
}

const plain = ({ engine, ...rest }: Replayed) => ({ ...rest, state: snapshot(engine) });

test('a thread comes to the same state as a replay in place', async () => {
  const it = await world();
  const revision = await live(it, workload(5, SYMBOL).take(400));
  const here = await replay(it, SYMBOL, revision);
  expect(here.replayed).toBe(400);
  expect(plain(await it.inThread(it, SYMBOL, revision))).toEqual(plain(here));
});

test('what a thread finds wrong breaks the market, in the same words', async () => {
  const it = await world();
  const revision = await live(it, [desk().list()]);
  const id = mintId(realRuntime);
  const stranger = {
    time: '2026-03-02T10:00:00.000Z',
    actor: 'system:engine',
    correlationId: id,
    causationId: id,
    traceparent: '',
  };
  const events: Event[] = seal(id, stranger, [{ type: 'InputNoted.v1', data: {} } as const]);
  const commit = { id, stream: bookStream(SYMBOL), expectedRevision: revision, chained: false, symbol: null };
  await it.store.append([{ ...commit, events }]);
  const here = await replay(it, SYMBOL, revision + 1).catch((error: unknown) => error);
  await expect(it.inThread(it, SYMBOL, revision + 1)).rejects.toEqual(here);
  expect(here).toMatchObject({ name: 'MarketBroken', message: expect.stringContaining('has no input') });
});
