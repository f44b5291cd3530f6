import { spawnSync } from 'node:child_process';
import { type Api, ApiError, brokerApi, succeeded } from '@brokerx/client';
import type { views } from '@brokerx/contracts';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { auditInstallation } from '../src/audit.ts';
import { type Operator, operatorOf } from '../src/operator.ts';
import { type Installation, startInstallation } from '../src/own/installation.ts';
import { type OutsideServers, startOutsideServers } from '../src/own/outsideServers.ts';
import { type Person, register, signIn } from '../src/people.ts';

/**
 * An installation with addresses of a Kafka and a Redis that are away when it starts, and whose database is later put back to
 * an earlier state while Kafka and Redis keep theirs.
 */
/** Whether the programs of Kafka and Redis are here, and kcat, which lists topics. */
const isEquipped = ['java', 'redis-server', 'kcat'].every((name) => spawnSync('which', [name]).status === 0);
const PATIENCE_MS = 120_000;
const PATIENCE = { timeout: PATIENCE_MS, interval: 50 };
vi.setConfig({ testTimeout: 4 * PATIENCE_MS, hookTimeout: 2 * PATIENCE_MS });
const SYMBOL = 'BACK';

describe.runIf(isEquipped)('servers that nobody needs', () => {
  let servers: OutsideServers;
  let bringBack = () => {};
  let installation: Installation;
  let api: Api;
  let operator: Operator;
  let alice: Person;
  let bob: Person;
  const password = 'a long passphrase of two people';
  const emails = ['alice@restored.test', 'bob@restored.test'] as const;

  beforeAll(async () => {
    servers = await startOutsideServers({ kafka: true, redis: true });
    bringBack = servers.takeAway();
    installation = await startInstallation({ env: servers.env });
    await connect();
  });
  afterAll(async () => {
    await api?.close();
    await installation?.stop();
    bringBack();
    await servers?.stop();
  });

  /** Connects and signs the operator in, after each start. */
  const connect = async () => {
    const { commandUrl, queryUrl, operatorEmail, operatorPassword } = installation.status;
    await api?.close();
    api = brokerApi({ commandUrl, queryUrl, patienceMs: PATIENCE_MS });
    operator = await operatorOf(api, operatorEmail, operatorPassword);
  };
  const place = async (person: Person, side: 'buy' | 'sell', qty: number, price: string) =>
    succeeded(
      `a ${side} order`,
      await api.command<views.OrderView>({
        method: 'POST',
        path: '/v1/orders',
        token: await person.token(),
        body: {
          symbol: SYMBOL,
          side,
          type: 'limit',
          time_in_force: 'day',
          qty: String(qty),
          limit_price: price,
        },
      }),
    );
  const statusOf = async (person: Person, id: string) =>
    (await api.query<views.OrderView>(`/v1/orders/${id}`, { token: await person.token() })).status;
  /** Trades once. Both orders are shown as filled, so the engine, settlement and the read models work. */
  const trade = async () => {
    const [sell, buy] = [await place(bob, 'sell', 1, '50.00'), await place(alice, 'buy', 1, '50.00')];
    await expect.poll(() => statusOf(bob, sell.body.id), PATIENCE).toBe('filled');
    await expect.poll(() => statusOf(alice, buy.body.id), PATIENCE).toBe('filled');
    return buy.position;
  };
  const depth = async (min?: string) => {
    const query = min === undefined ? '' : `?min_position=${min}`;
    const reply = await fetch(`${installation.status.queryUrl}/v1/symbols/${SYMBOL}/depth${query}`);
    const body = (await reply.json()) as { code?: string; bids?: unknown; asks?: unknown };
    return reply.ok ? { bids: body.bids, asks: body.asks } : body.code;
  };
  const topics = async (): Promise<string[]> => {
    const listed = spawnSync('kcat', ['-b', servers.env['KAFKA_BROKERS'] ?? '', '-L', '-J'], {
      encoding: 'utf8',
    });
    const { topics: all } = JSON.parse(listed.stdout) as { topics: { topic: string }[] };
    return all
      .map(({ topic }) => topic)
      .filter((name) => name.startsWith('brokerx.'))
      .sort();
  };
  const database = async (
    work: (names: { ours: string; backup: string }, run: (sql: string) => Promise<unknown>) => Promise<void>,
  ) => {
    const url = new URL(installation.status.databaseUrl);
    const ours = url.pathname.slice(1);
    url.pathname = '/template1';
    const client = new pg.Client({ connectionString: url.href });
    await client.connect();
    try {
      await work({ ours, backup: `${ours}_backup` }, (sql) => client.query(sql));
    } finally {
      await client.end();
    }
  };

  test('a start without Kafka and Redis: people trade, and are shown it; then both come', async () => {
    await operator.list({ symbol: SYMBOL, name: 'Put back', listingCents: 5_000 });
    [alice, bob] = [
      await register(api, { name: 'Alice', email: emails[0], password }),
      await register(api, { name: 'Bob', email: emails[1], password }),
    ];
    await operator.giveCash(alice.accountId, 10_000_000);
    await operator.giveShares(bob.accountId, SYMBOL, 1_000);
    await trade();
    // The depth cannot be shown: Redis is known to be away, or has never been reached.
    expect(['UNAVAILABLE', 'READ_MODEL_BEHIND']).toContain(await depth());

    bringBack();
    const { position } = await place(alice, 'buy', 7, '49.00');
    await expect.poll(() => depth(position), PATIENCE).toEqual({ bids: [['49.00', '7']], asks: [] });
    await expect.poll(topics, PATIENCE).toEqual(expect.arrayContaining(['brokerx.market', 'brokerx.orders']));
    await trade();
  });

  test('a database that is put back, a Kafka and a Redis that are not: what is shown and traded is of the database', async () => {
    await installation.withDatabaseAlone(() =>
      database(
        async ({ ours, backup }, run) => void (await run(`create database ${backup} template ${ours}`)),
      ),
    );
    await connect();
    [alice, bob] = [await signIn(api, emails[0], password), await signIn(api, emails[1], password)];
    // These trades are lost when the database is put back.
    for (let i = 0; i < 20; i++) await trade();
    const lost = await place(alice, 'buy', 9, '49.50');
    await expect
      .poll(() => depth(lost.position), PATIENCE)
      .toEqual({
        bids: [
          ['49.50', '9'],
          ['49.00', '7'],
        ],
        asks: [],
      });

    await installation.withDatabaseAlone(() =>
      database(async ({ ours, backup }, run) => {
        await run(`drop database ${ours} with (force)`);
        await run(`create database ${ours} template ${backup}`);
      }),
    );
    await connect();
    [alice, bob] = [await signIn(api, emails[0], password), await signIn(api, emails[1], password)];
    const shown: unknown[] = [];
    await expect
      .poll(async () => {
        const now = await depth();
        shown.push(now);
        return now;
      }, PATIENCE)
      .toEqual({ bids: [['49.00', '7']], asks: [] });
    // Before that, no depth was shown rather than a wrong one.
    expect(shown.filter((each) => typeof each === 'object')).toEqual([shown.at(-1)]);
    expect(await depth(lost.position)).toBe('FOREIGN_POSITION');
    await expect(api.query(`/v1/orders/${lost.body.id}`, { token: await alice.token() })).rejects.toSatisfy(
      (error: unknown) => error instanceof ApiError && error.code === 'ORDER_NOT_FOUND',
    );

    await trade();
    const { position } = await place(alice, 'buy', 3, '48.00');
    await expect
      .poll(() => depth(position), PATIENCE)
      .toEqual({
        bids: [
          ['49.00', '7'],
          ['48.00', '3'],
        ],
        asks: [],
      });
    const newer = ['brokerx.accounts.2', 'brokerx.market.2', 'brokerx.orders.2'];
    await expect.poll(topics, PATIENCE).toEqual(newer);
    const { findings } = await auditInstallation({ api, operator: operator.person });
    expect(findings.list).toEqual([]);
  });
});
