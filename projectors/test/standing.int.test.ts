import type { Event } from '@brokerx/contracts';
import { createLog, type EventStore, type MemoryLeases } from '@brokerx/infra';
import type pg from 'pg';
import { expect, test, vi } from 'vitest';
import type { Projecting } from '../src/run/project.ts';
import { keyOf } from '../src/run/projection.ts';
import { STANDSTILL_TIMES } from '../src/run/standstill.ts';
import { allProjections } from '../src/tables/allProjections.ts';
import { type History, makeHistory, mulberry32 } from './history.ts';
import { project, readModels } from './projecting.ts';
import { allReached, appendAll, expected, shown, storeInMemory } from './readModelsOf.ts';

/** Projections that stand at different places: whoever takes them up, all of them get on. */
vi.setConfig({ testTimeout: 60_000 });

const ALL = allProjections().map(keyOf).sort();
const only = (isMeant: (projection: { name: string; categories: readonly string[] }) => boolean) =>
  allProjections().filter(isMeant);
const ofAccounts = () => only(({ categories }) => categories.includes('account'));

async function stored(pool: pg.Pool): Promise<Map<string, number>> {
  const { rows } = await pool.query<{ key: string; position: number }>(
    `select name || ':' || version as key, position::int from read.projection`,
  );
  return new Map(rows.map(({ key, position }) => [key, position]));
}

/** What a process says of positions, on each way that it says it, is in the tables already. */
async function saysWhatIsStored(pool: pg.Pool, ...processes: ReturnType<typeof project>[]): Promise<void> {
  for (const { positions, metrics } of processes) {
    const said = positions();
    const gauge = await metrics.registry.getSingleMetric('brokerx_projection_position')?.get();
    const now = await stored(pool);
    for (const [key, at] of said) expect(at, key).toBeLessThanOrEqual(now.get(key) ?? 0);
    for (const { labels, value } of gauge?.values ?? []) {
      expect(value, String(labels.projection)).toBeLessThanOrEqual(now.get(String(labels.projection)) ?? 0);
    }
  }
}

/** Projects with these projections alone until they stand at the head of the store. */
async function bring(
  { pool, store }: { pool: pg.Pool; store: EventStore<Event> },
  projections: ReturnType<typeof allProjections>,
): Promise<void> {
  const head = await store.head();
  const projecting = project({ pool, store, projections });
  const standing = async () => {
    const now = await stored(pool);
    return projections.every((projection) => now.get(keyOf(projection)) === head);
  };
  await expect.poll(standing, { interval: 20 }).toBe(true);
  await projecting.stop();
}

/** Those of accounts stand further than those of books alone, with events of accounts between them and no others. */
async function apartByNothing(history: History): Promise<{
  pool: pg.Pool;
  store: EventStore<Event>;
  rest: History['commits'];
}> {
  const { commits } = history;
  const cut = commits.findIndex(({ stream }, index) => index > 300 && stream.startsWith('account-'));
  const store = storeInMemory();
  const pool = await readModels();
  await appendAll(store, commits.slice(0, cut));
  await bring({ pool, store }, allProjections());
  await appendAll(store, commits.slice(cut, cut + 1));
  await bring({ pool, store }, ofAccounts());
  const positions = await stored(pool);
  expect(positions.get('candles:2')).toBeLessThan(positions.get('wallets:1') ?? 0);
  return { pool, store, rest: commits.slice(cut + 1) };
}

const hasAll = (projecting: Projecting) => expect.poll(() => projecting.positions().size, LONG).toBe(7);
const LONG = { timeout: 100_000 };

test('one with nothing between it and the others is stored at their place, and goes on with them', async () => {
  const history = makeHistory({ seed: 31, orders: 200 });
  const { pool, store, rest } = await apartByNothing(history);
  const projecting = project({ pool, store });
  await hasAll(projecting);
  await saysWhatIsStored(pool, projecting);
  await appendAll(store, rest);
  await allReached(pool, await store.head());
  await saysWhatIsStored(pool, projecting);
  expect(projecting.standing()).toEqual([]);
  expect(await shown(pool)).toEqual(expected(history));
});

test('so it is when another process takes them up, and when one starts on what a stuck one has left', async () => {
  const history = makeHistory({ seed: 32, orders: 200 });
  const { pool, store, rest } = await apartByNothing(history);
  const rows: MemoryLeases = new Map();
  const half = rest.findIndex(({ stream }, at) => at > rest.length / 2 && stream.startsWith('account-')) + 1;
  const first = project({ pool, store, rows, owner: 'a', projections: ofAccounts() });
  await expect.poll(() => first.positions().size, LONG).toBe(ofAccounts().length);
  await first.stop();
  const second = project({ pool, store, rows, owner: 'b' });
  const third = project({ pool, store, rows, owner: 'c' });
  await expect.poll(() => second.positions().size + third.positions().size, LONG).toBe(7);
  await appendAll(store, rest.slice(0, half));
  await allReached(pool, await store.head());
  await saysWhatIsStored(pool, second, third);
  await Promise.all([second.stop(), third.stop()]);
  // Set back by hand, where the others have rows already and it has nothing to fold.
  const { events, position: head } = await store.readAll(0, { categories: ['book'] }, 100_000);
  const last = events.at(-1)?.position ?? 0;
  expect(last).toBeLessThan(head);
  await pool.query(`update read.projection set position = $1 where name = 'candles'`, [last]);
  const fourth = project({ pool, store, rows, owner: 'd' });
  await hasAll(fourth);
  await appendAll(store, rest.slice(half));
  await allReached(pool, await store.head());
  expect(await shown(pool)).toEqual(expected(history));
});

test.for([41, 42, 43])('seed %i: from wherever each of them stands, all of them get on', async (seed) => {
  const below = mulberry32(seed);
  const history = makeHistory({ seed, orders: 150 });
  const store = storeInMemory();
  const pool = await readModels();
  let done = 0;
  const append = async (count: number) => {
    await appendAll(store, history.commits.slice(done, done + count));
    done += count;
  };
  for (let step = 0; step < 5; step++) {
    await append(1 + below(below(2) === 0 ? 3 : 150));
    await bring(
      { pool, store },
      only(() => below(2) === 0),
    );
  }
  const projecting = project({ pool, store, batchEventsMax: 1 + below(100) });
  await hasAll(projecting);
  await saysWhatIsStored(pool, projecting);
  await append(Number.POSITIVE_INFINITY);
  await allReached(pool, await store.head());
  expect(await shown(pool)).toEqual(expected(history));
  expect([...projecting.positions().keys()].sort()).toEqual(ALL);
  expect(projecting.standing()).toEqual([]);
});

test('one whose cursor cannot be moved is told by name, holds up nobody, and is told no more once it moves', async () => {
  const history = makeHistory({ seed: 33, orders: 200 });
  const store = storeInMemory();
  const pool = await readModels();
  await appendAll(store, history.commits.slice(0, 200));
  await bring({ pool, store }, allProjections());
  const before = (await stored(pool)).get('candles:2');
  await pool.query(
    `create function read.keep() returns trigger language plpgsql as 'begin return null; end';
     create trigger keep before update on read.projection for each row when (old.name = 'candles')
       execute function read.keep()`,
  );
  const lines: string[] = [];
  const log = createLog({
    name: 'test',
    level: 'warn',
    destination: { write: (line) => void lines.push(line) },
  });
  const projecting = project({ pool, store, log });
  await appendAll(store, history.commits.slice(200));
  const head = await store.head();
  await expect.poll(() => projecting.standing(), LONG).toEqual([`candles:2 at ${before}`]);
  await expect.poll(async () => (await stored(pool)).get('wallets:1'), LONG).toBe(head);
  await saysWhatIsStored(pool, projecting);
  const told = lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg.includes('does not get on'));
  expect(told[0]).toMatchObject({ projection: 'candles:2', stored: before, times: STANDSTILL_TIMES });

  await pool.query('drop trigger keep on read.projection');
  await allReached(pool, head);
  await expect.poll(() => projecting.standing(), LONG).toEqual([]);
  expect(await shown(pool)).toEqual(expected(history));
});

test('while it does not know whose the leases are, a process writes nothing and says nothing of what came since', async () => {
  const history = makeHistory({ seed: 34, orders: 200 });
  const store = storeInMemory();
  const pool = await readModels();
  let isKnown = true;
  const projecting = project({ pool, store, knowsLeases: () => isKnown });
  await appendAll(store, history.commits.slice(0, 200));
  await allReached(pool, await store.head());
  await hasAll(projecting);
  isKnown = false;
  const before = await stored(pool);
  await appendAll(store, history.commits.slice(200));
  const head = await store.head();
  const lags = async () => {
    const lag = await projecting.metrics.registry.getSingleMetric('brokerx_projection_lag')?.get();
    return lag?.values.map(({ labels, value }) => [labels.projection, value]).sort();
  };
  await expect.poll(lags, LONG).toEqual(ALL.map((key) => [key, head - (before.get(key) ?? 0)]));
  await saysWhatIsStored(pool, projecting);
  expect(await stored(pool)).toEqual(before);
  isKnown = true;
  await allReached(pool, head);
  expect(await shown(pool)).toEqual(expected(history));
  expect(projecting.standing()).toEqual([]);
});
