import { execFile } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { commit, conflict, duplicate, type Noted, notedCodec, ok, texts } from '../../test/noted.ts';
import { reusedDatabase } from '../../test/reusedDatabase.ts';
import { aloneOn } from '../../test/stage.ts';
import { errorsHeardElsewhere } from '../runtime/mayFail.ts';
import { realRuntime } from '../runtime/runtime.ts';
import { eventStoreContract } from './eventStore.contract.ts';
import { postgresEventStore } from './eventStore.postgres.ts';
import { type EventStore, NO_STREAM, type Recorded } from './eventStore.ts';

const open = (databaseUrl: string) =>
  postgresEventStore({ databaseUrl, codec: notedCodec, runtime: realRuntime });

const database = reusedDatabase();

eventStoreContract('postgres', async () => aloneOn(await open(await database.emptied())), {
  keepsText: true,
});

describe('on one PostgreSQL', () => {
  let url: string;
  let store: EventStore<Noted>;
  let other: EventStore<Noted>;
  let client: pg.Client;
  beforeEach(async () => {
    url = await database.emptied();
    [store, other] = await Promise.all([open(url), open(url)]);
    client = new pg.Client({ connectionString: url });
    errorsHeardElsewhere(client);
    await client.connect();
  });
  afterEach(async () => {
    await Promise.all([store.close(), other.close(), client.end()]);
  });

  const rawAppend = (stream: string, text: string) =>
    client.query(
      `select * from store.append($1, '{-1}', '{f}', '{0}', '{1}', array[gen_random_uuid()], '', $2)`,
      [stream, JSON.stringify([{ text }])],
    );

  test('stores that are opened at once are one store', async () => {
    const others = await Promise.all([1, 2, 3].map(() => open(url)));
    expect(others.map(({ id }) => id)).toEqual([store.id, store.id, store.id]);
    await Promise.all(others.map((each) => each.close()));
  });

  test('an append in an open transaction holds back those behind it: no reader meets a late event', async () => {
    await client.query('begin');
    await rawAppend('account-1', 'early');
    const behind = store.append([commit('account-2', NO_STREAM, ['behind'])]);
    await delay(150);
    expect(await other.readAll(0, {}, 10)).toEqual({ events: [], position: 0, atEnd: true });
    expect(await Promise.race([behind, 'waiting'])).toBe('waiting');
    await client.query('commit');
    expect(await behind).toEqual([ok(0, 2)]);
    expect(await texts(other)).toEqual(['early', 'behind']);
  });

  test('an append that rolls back leaves neither a trace nor a gap', async () => {
    await client.query('begin');
    await rawAppend('account-1', 'never');
    await client.query('rollback');
    expect(await store.append([commit('account-1', NO_STREAM, ['a'])])).toEqual([ok(0, 1)]);
  });

  test('a snapshot that is held open hinders nobody and sees nothing new', async () => {
    await client.query('begin isolation level repeatable read');
    await client.query('select count(*) from store.commit');
    expect(await store.append([commit('account-1', NO_STREAM, ['a'])])).toEqual([ok(0, 1)]);
    expect((await client.query('select count(*)::int as n from store.commit')).rows).toEqual([{ n: 0 }]);
    await expect(rawAppend('account-2', 'x')).rejects.toThrow('needs read committed');
    await client.query('rollback');
  });

  test.for([
    `update store.commit set body = '[]'`,
    'delete from store.commit',
    'truncate store.commit',
    'update store.head set store_id = gen_random_uuid()',
    'insert into store.head default values',
  ])('history is not rewritten: %s', async (statement) => {
    await store.append([commit('account-1', NO_STREAM, ['a'])]);
    await expect(client.query(statement)).rejects.toThrow('the event store only grows');
  });

  test('a commit repeated through another process is recognised', async () => {
    const decided = commit('account-1', NO_STREAM, ['a', 'b']);
    expect(await store.append([decided])).toEqual([ok(1, 2)]);
    expect(await other.append([decided])).toEqual([duplicate(1, 2)]);
    expect(await other.append([{ ...decided, id: crypto.randomUUID() }])).toEqual([conflict(1)]);
  });

  test('an append of another process wakes listeners within milliseconds', async () => {
    let calls = 0;
    other.onAppend(() => {
      calls += 1;
    });
    await expect.poll(listeners).toBe(1);
    const latenciesMs: number[] = [];
    for (let i = 0; i < 9; i++) {
      const before = calls;
      await store.append([commit('account-1', i - 1, ['x'])]);
      const appendedAtMs = performance.now();
      while (calls === before) await delay(1);
      latenciesMs.push(performance.now() - appendedAtMs);
    }
    expect(latenciesMs.sort((a, b) => a - b)[4]).toBeLessThan(500);
  });

  test.for(['9007199254740991', 'Infinity', '1e300', '-1', 'garbage', ''])(
    'a notification that is no position of this store hides nothing that comes after it: %j',
    async (payload) => {
      let calls = 0;
      other.onAppend(() => {
        calls += 1;
      });
      await expect.poll(listeners).toBe(1);
      await client.query('select pg_notify($1, $2)', ['brokerx_store', payload]);
      for (let i = 0; i < 3; i++) {
        await delay(20);
        calls = 0;
        await store.append([commit('account-1', i - 1, ['x'])]);
        await expect.poll(() => calls).toBeGreaterThan(0);
      }
    },
  );

  test('a lost LISTEN connection delays a wake-up and comes back', async () => {
    let calls = 0;
    other.onAppend(() => {
      calls += 1;
    });
    await expect.poll(listeners).toBe(1);
    await endListeners();
    await store.append([commit('account-1', NO_STREAM, ['while it is away'])]);
    await expect.poll(() => calls).toBe(1);
    await expect.poll(listeners).toBe(1);
  });

  test('sessions that are ended under way cost a repetition, not an event', async () => {
    const appending = (async () => {
      for (let i = 0; i < 200; i++) {
        const [verdict] = await store.append([commit('account-1', i - 1, [String(i)])]);
        expect(verdict).toMatchObject({ revision: i });
      }
    })();
    for (let i = 0; i < 8; i++) {
      await delay(20);
      await client.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and application_name in ('brokerx append', 'brokerx read')`,
      );
    }
    await appending;
    expect(await texts(store)).toEqual(Array.from({ length: 200 }, (_, i) => String(i)));
  });

  test('eight writers in four processes: a reader meets every event once, in order, never a late one', async () => {
    const [WRITERS, EVENTS_EACH] = [8, 12_500];
    const script = fileURLToPath(new URL('../../test/storeWriter.ts', import.meta.url));
    const processes = Array.from({ length: WRITERS / 2 }, (_, i) =>
      promisify(execFile)(process.execPath, [script, url, String(i), String(EVENTS_EACH)]),
    );
    let finished = false;
    const written = Promise.all(processes).finally(() => {
      finished = true;
    });
    const seen = new Set<string>();
    const revisions = new Map<string, number>();
    const check = ({ event, stream, revision }: Recorded<Noted>) => {
      expect(seen.has(event.text)).toBe(false);
      seen.add(event.text);
      expect(revision).toBe((revisions.get(stream) ?? NO_STREAM) + 1);
      revisions.set(stream, revision);
    };
    let position = 0;
    for (let last = false; ; ) {
      const page = await other.readAll(position, {}, 777);
      let expected = position;
      for (const recorded of page.events) {
        expected += 1;
        if (recorded.position !== expected) expect(recorded.position).toBe(expected);
        check(recorded);
      }
      position = page.position;
      if (page.atEnd && last) break;
      last = finished && page.atEnd;
      if (page.atEnd) await delay(2);
    }
    const acknowledged = (await written).map(({ stdout }) => JSON.parse(stdout).written as number);
    expect(acknowledged).toEqual(Array(WRITERS / 2).fill(EVENTS_EACH * 2));
    expect(seen.size).toBe(WRITERS * EVENTS_EACH);
    expect(position).toBe(WRITERS * EVENTS_EACH);
  }, 120_000);

  const listening = `datname = current_database() and application_name = 'brokerx listen' and state = 'idle'
                     and query ilike 'listen%'`;
  const listeners = async () =>
    (await client.query(`select count(*)::int as n from pg_stat_activity where ${listening}`)).rows[0].n;
  const endListeners = () =>
    client.query(`select pg_terminate_backend(pid) from pg_stat_activity where ${listening}`);
});
