import { randomUUID } from 'node:crypto';
import type { Event } from '@brokerx/contracts';
import { createLog, type EventStore } from '@brokerx/infra';
import { expect, test } from 'vitest';
import { makeHistory } from './history.ts';
import { project, readModels } from './projecting.ts';
import { allReached, appendAll, dump, expected, shown, storeInMemory } from './readModelsOf.ts';

/**
 * Tables in a database of their own, which was put back by itself, or beside which the event store was: what they rest on is
 * looked up when a projection begins, and what does not stand in the store is built anew.
 */
const HALF = 600;
const history = makeHistory({ seed: 21, orders: 300 });

/** A store of these commits; from `anew` on they were appended a second time, by other attempts. */
async function storeWith(count: number, anew = count): Promise<EventStore<Event>> {
  const store = storeInMemory();
  const commits = history.commits.slice(0, count);
  await appendAll(
    store,
    commits.map((commit, i) => (i < anew ? commit : { ...commit, id: randomUUID() })),
  );
  return store;
}

/** Commits that the tables were made from, and those of the store that they meet; whether they are built anew. */
test.for<[what: string, tables: number, restored: number, then: number, isAnew: boolean]>([
  ['tables older than the store', HALF, history.commits.length, 0, false],
  ['tables of the same moment', HALF, HALF, 0, false],
  ['tables newer than the store', history.commits.length, HALF, 0, true],
  ['tables newer than a store that has gone on beyond them', HALF + 50, HALF, 400, true],
])('%s', async ([, tables, restored, then, isAnew]) => {
  const pool = await readModels();
  const former = await storeWith(tables);
  const first = project({ store: former, pool });
  await allReached(pool, await former.head());
  await first.stop();

  const store = await storeWith(restored + then, restored);
  const warned: string[] = [];
  const destination = { write: (line: string) => void warned.push(JSON.parse(line).msg) };
  const second = project({ store, pool, log: createLog({ name: 'test', level: 'warn', destination }) });
  const head = await store.head();
  const stand = () =>
    pool
      .query(`select count(*)::int as there from read.projection where position = $1`, [head])
      .then(({ rows }) => rows[0].there);
  await expect.poll(stand).toBe(7);
  const shownNow = await dump(pool);
  expect(warned.filter((line) => line.includes('another past')).length).toBe(isAnew ? 7 : 0);
  await second.stop();

  // As if there had never been another past.
  const straight = await readModels();
  project({ store, pool: straight });
  await allReached(straight, head);
  expect(shownNow).toEqual(await dump(straight));
});

test('what an older version wrote is believed once, and says from then on what it rests on', async () => {
  const pool = await readModels();
  const store = await storeWith(HALF);
  const first = project({ store, pool });
  await allReached(pool, await store.head());
  await first.stop();
  await pool.query('update read.projection set landmark_position = -1, landmark_commit = null');
  const before = await dump(pool);
  const second = project({ store, pool });
  const named = () =>
    pool
      .query('select distinct landmark_position::int as at, landmark_commit as id from read.projection')
      .then(({ rows }) => rows);
  const { position: at, commitId: id } = (await store.landmark(await store.head())) ?? {};
  await expect.poll(named).toEqual([{ at, id }]);
  expect(await dump(pool)).toEqual(before);
  await second.stop();
  // The store ends before what it is said to reflect: it is not believed.
  await pool.query('update read.projection set landmark_position = -1, landmark_commit = null');
  const shorter = await storeWith(HALF - 100);
  project({ store: shorter, pool });
  const head = await shorter.head();
  await expect
    .poll(() => pool.query('select distinct position::int as at from read.projection').then((r) => r.rows))
    .toEqual([{ at: head }]);

  expect((await shown(pool)).executions).not.toEqual(expected(history).executions);
});
