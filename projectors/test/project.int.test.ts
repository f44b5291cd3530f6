import { columnName, type Event, ORDER_COLUMNS } from '@brokerx/contracts';
import { createLog, type MemoryLeases, type Recorded } from '@brokerx/infra';
import { expect, test } from 'vitest';
import type { TableProjection } from '../src/run/projection.ts';
import { allProjections } from '../src/tables/allProjections.ts';
import { ALICE, aliceIsRefused, BOB, ORDER, OTHER, RULES, story } from './given.ts';
import { makeHistory, mulberry32 } from './history.ts';
import { project, readModels } from './projecting.ts';
import { allReached, appendAll, dump, expected, shown, storeInMemory } from './readModelsOf.ts';

test('projected live in small batches, the tables show what happened, and a rebuild gives the same bytes', async () => {
  const history = makeHistory({ seed: 11, orders: 1_500 });
  const store = storeInMemory();
  const pool = await readModels();
  const live = project({ store, pool, batchEventsMax: 37 });
  const below = mulberry32(1);
  for (let done = 0; done < history.commits.length; ) {
    const some = 1 + below(400);
    await appendAll(store, history.commits.slice(done, done + some));
    done += some;
    if (below(3) === 0) await new Promise((resolve) => setTimeout(resolve, below(30)));
  }
  await allReached(pool, await store.head());
  expect(await shown(pool)).toEqual(expected(history));
  const liveRows = await dump(pool);
  await live.stop();

  await pool.query('delete from read.projection');
  project({ store, pool });
  await allReached(pool, await store.head());
  expect(await dump(pool)).toEqual(liveRows);
  expect((await pool.query('select * from read.parked')).rows).toEqual([]);
});

test('the database has the columns of an order as code names and types them', async () => {
  const pool = await readModels();
  const { rows } = await pool.query(`
    select a.attname as name, format_type(a.atttypid, null) as type, t.attnotnull as filled
      from pg_attribute a join pg_attribute t
        on t.attrelid = 'read.orders_v1'::regclass and t.attname = a.attname
     where a.attrelid = 'read.orders'::regclass and a.attnum > 0 order by 1`);
  const words = Object.entries(ORDER_COLUMNS).map(([name, type]) => ({
    name: columnName(name),
    type: type.replace('?', '').replace('timestamptz', 'timestamp with time zone'),
    filled: !type.endsWith('?'),
  }));
  expect(rows).toEqual(words.sort((a, b) => (a.name < b.name ? -1 : 1)));
});

test('a projection begins anew when its cursor is gone, while the others go on', async () => {
  const history = makeHistory({ seed: 12, orders: 300 });
  const store = storeInMemory();
  const pool = await readModels();
  await appendAll(store, history.commits.slice(0, 500));
  project({ store, pool });
  await allReached(pool, await store.head());
  await pool.query(`delete from read.projection where name = 'orders'`);
  await appendAll(store, history.commits.slice(500));
  await allReached(pool, await store.head());
  expect(await shown(pool)).toEqual(expected(history));
});

test('a read model of another event store is built anew, whatever its position says', async () => {
  const history = makeHistory({ seed: 14, orders: 300 });
  const pool = await readModels();
  const former = storeInMemory();
  const first = project({ store: former, pool });
  await appendAll(former, makeHistory({ seed: 1, orders: 400 }).commits);
  await allReached(pool, await former.head());
  await first.stop();
  const store = storeInMemory('a3f1c2de-0b1f-4c8e-9a54-0a4c2a3f9d22');
  await appendAll(store, history.commits);
  project({ store, pool });
  await allReached(pool, await store.head(), store.id);
  expect(await shown(pool)).toEqual(expected(history));
});

test('two processes that project the same at once repeat nothing', async () => {
  const history = makeHistory({ seed: 13, orders: 800 });
  const store = storeInMemory();
  const pool = await readModels();
  // Leases of their own, as if one had slept through the loss of its lease.
  project({ store, pool, batchEventsMax: 50, owner: 'a' });
  project({ store, pool, batchEventsMax: 70, owner: 'b' });
  for (let done = 0; done < history.commits.length; done += 250) {
    await appendAll(store, history.commits.slice(done, done + 250));
  }
  await allReached(pool, await store.head());
  expect(await shown(pool)).toEqual(expected(history));
});

test('two processes share the projections while events come in; one goes on where the other ends', async () => {
  const history = makeHistory({ seed: 17, orders: 800 });
  const store = storeInMemory();
  const pool = await readModels();
  const rows: MemoryLeases = new Map();
  const first = project({ store, pool, rows, batchEventsMax: 50 });
  const second = project({ store, pool, rows, batchEventsMax: 50, owner: 'b' });
  const counts = () => [first.positions().size, second.positions().size];
  const parts = 6;
  const size = Math.ceil(history.commits.length / parts);
  for (let part = 0; part < parts; part++) {
    if (part === 2) await expect.poll(counts).toEqual([4, 3]);
    if (part === 4) await first.stop();
    await appendAll(store, history.commits.slice(part * size, (part + 1) * size));
  }
  await allReached(pool, await store.head());
  expect(await shown(pool)).toEqual(expected(history));
  await expect.poll(counts).toEqual([0, 7]);
});

/** The projection, failing at the event of this position for as long as `isBroken` says. */
function failingAt(projection: TableProjection, position: number, isBroken = () => true): TableProjection {
  return {
    ...projection,
    fold(events, db) {
      const hit = isBroken() && events.some((recorded) => recorded.position === position);
      return hit ? Promise.reject(new Error(`cannot fold ${position}`)) : projection.fold(events, db);
    },
  };
}

test('an event that a projection cannot fold is parked, and everything else is projected', async () => {
  const history = makeHistory({ seed: 14, orders: 200 });
  const store = storeInMemory();
  await appendAll(store, history.commits);
  const { events } = await store.readAll(0, {}, 100_000);
  const fill = events.find(({ event }) => event.type === 'OrderFilled.v1');
  const position = fill?.position ?? 0;
  const pool = await readModels();
  project({
    store,
    pool,
    projections: allProjections().map((p) => (p.name === 'executions' ? failingAt(p, position) : p)),
  });
  await allReached(pool, await store.head());

  const { rows } = await pool.query(
    'select projection, version, position::int, event_id, error from read.parked',
  );
  expect(rows).toEqual([
    {
      projection: 'executions',
      version: 1,
      position,
      event_id: fill?.event.id,
      error: `Error: cannot fold ${position}`,
    },
  ]);
  const { executions, ...others } = await shown(pool);
  const { executions: all, ...rest } = expected(history);
  expect(others).toEqual(rest);
  expect(executions).toEqual([{ legs: (all[0]?.legs ?? 0) - 1, shares: expect.any(Number) }]);
});

test('a row that the database refuses is parked as well', async () => {
  const history = makeHistory({ seed: 15, orders: 100 });
  const store = storeInMemory();
  await appendAll(store, history.commits);
  const pool = await readModels();
  await pool.query(`alter table read.execution_v1 add check (liquidity = 'maker')`);
  project({ store, pool });
  await allReached(pool, await store.head());
  const { rows } = await pool.query('select projection, count(*)::int from read.parked group by 1');
  expect(rows).toEqual([{ projection: 'executions', count: history.trades.length }]);
  const { executions: _, ...others } = await shown(pool);
  const { executions: __, ...rest } = expected(history);
  expect(others).toEqual(rest);
});

test('thousands of events that one projection cannot fold cost the others one batch, and the log few lines', async () => {
  const history = makeHistory({ seed: 18, orders: 600 });
  const store = storeInMemory();
  await appendAll(store, history.commits);
  const pool = await readModels();
  await pool.query('alter table read.execution_v1 add check (quantity < 0)');
  const folds = new Map<number, number>();
  const counted = (projection: TableProjection): TableProjection => ({
    ...projection,
    fold(events, db) {
      const first = events[0]?.position ?? 0;
      if (projection.name === 'wallets') folds.set(first, (folds.get(first) ?? 0) + 1);
      return projection.fold(events, db);
    },
  });
  const lines: string[] = [];
  const told = createLog({
    name: 'test',
    level: 'error',
    destination: { write: (line) => void lines.push(line) },
  });
  const projecting = project({
    store,
    pool,
    projections: allProjections().map(counted),
    batchEventsMax: 50,
    log: told,
  });
  await allReached(pool, await store.head());
  const { rows } = await pool.query('select projection, count(*)::int from read.parked group by 1');
  expect(rows).toEqual([{ projection: 'executions', count: history.trades.length * 2 }]);
  // One batch alone was folded again, without the projection that failed in it.
  expect([...folds.values()].filter((times) => times > 1)).toEqual([2]);
  expect(new Set(projecting.positions().values()).size).toBe(1);
  await projecting.stop();
  const parkedLines = lines.filter((line) => line.includes('cannot be folded'));
  expect(parkedLines.length).toBeLessThan(10);
  const numbers = parkedLines.map((line) => JSON.parse(line).events as number);
  expect(numbers.reduce((a, b) => a + b, 0)).toBe(history.trades.length * 2);
});

test('what older versions stored outside the domains is shown as far as it can be, not parked', async () => {
  const store = storeInMemory();
  const { account, market } = story();
  const poison: Recorded<Event>[] = [
    market({
      type: 'SymbolListed.v1',
      data: { symbol: 'NUL', name: 'A\u0000B\ud800', rules: RULES, matchingRules: 1 },
    }),
    account(ALICE, { type: 'AccountOpened.v1', data: { accountId: ALICE, clientId: BOB } }),
    account(ALICE, aliceIsRefused({ orderId: ORDER, expiresAt: '0000-01-01T00:00:00.000Z' })),
    account(
      ALICE,
      aliceIsRefused({ orderId: OTHER, expiresAt: '9999-12-31T23:59:59.999Z', symbol: 'A\u0000' }),
    ),
  ];
  for (const { event, stream, revision, commitId } of poison) {
    const commit = { id: commitId, stream, expectedRevision: revision - 1, chained: false, symbol: null };
    expect(await store.append([{ ...commit, events: [event] }])).toMatchObject([{ verdict: 'ok' }]);
  }
  const pool = await readModels();
  project({ store, pool });
  await allReached(pool, await store.head());
  expect((await pool.query('select * from read.parked')).rows).toEqual([]);
  expect((await pool.query('select name from read.symbol')).rows).toEqual([{ name: 'A\ufffdB\ufffd' }]);
  const { rows } = await pool.query('select symbol, expires_at from read.orders order by position');
  expect(rows).toEqual([
    { symbol: 'AAPL', expires_at: null },
    { symbol: 'A\ufffd', expires_at: new Date('9999-12-31T23:59:59.999Z') },
  ]);
});

test('the ledger leaves nothing out: it halts, the others go on, and once mended it catches up', async () => {
  const history = makeHistory({ seed: 16, orders: 300 });
  const store = storeInMemory();
  await appendAll(store, history.commits);
  const head = await store.head();
  const { events } = await store.readAll(0, {}, 100_000);
  const position = events.find(({ event }) => event.type === 'OrderFilled.v1')?.position ?? 0;
  let broken = true;
  const pool = await readModels();
  const projections = allProjections().map((p) =>
    p.name === 'ledger' ? failingAt(p, position, () => broken) : p,
  );
  const projecting = project({ store, pool, projections, batchEventsMax: 100 });
  const standing = async (name: string) =>
    Number(
      (await pool.query('select position from read.projection where name = $1', [name])).rows[0]?.position ??
        0,
    );
  await expect.poll(() => standing('wallets')).toBe(head);
  await expect.poll(() => projecting.halted()).toEqual(['ledger:1']);
  expect(await standing('ledger')).toBeLessThan(position);
  expect((await pool.query('select * from read.parked')).rows).toEqual([]);

  broken = false;
  await allReached(pool, head);
  expect(await shown(pool)).toEqual(expected(history));
  expect(projecting.halted()).toEqual([]);
  // All are together again.
  await expect
    .poll(() => [...projecting.positions().values()])
    .toEqual(Array.from({ length: 7 }, () => head));
});
