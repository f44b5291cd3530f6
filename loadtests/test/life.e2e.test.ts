import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import {
  type Api,
  ApiError,
  brokerApi,
  idSource,
  type Outcome,
  type StreamEvent,
  streamEvents,
  succeeded,
} from '@brokerx/client';
import { mintId, type views } from '@brokerx/contracts';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { auditInstallation } from '../src/audit.ts';
import { type Operator, operatorOf } from '../src/operator.ts';
import { type Installation, startInstallation } from '../src/own/installation.ts';
import { type Person, registerMany } from '../src/people.ts';
import { replay } from '../src/replay.ts';
import { openReference, type Reference } from './reference.ts';

/** Killed processes come back as fast as the machine allows; these tests do not check how fast. */
const PATIENCE_MS = 150_000;
vi.setConfig({ testTimeout: 2 * PATIENCE_MS });

/** The whole life of orders in an embedded installation, as clients see it. */
let installation: Installation;
let api: Api;
let reference: Reference;
let operator: Operator;
let alice: Person;
let bob: Person;
const SYMBOL = 'LIFE';

beforeAll(async () => {
  installation = await startInstallation();
  const { commandUrl, queryUrl, operatorEmail, operatorPassword } = installation.status;
  const plain = brokerApi({ commandUrl, queryUrl });
  reference = await openReference(plain);
  await plain.close();
  api = brokerApi({ commandUrl, queryUrl, patienceMs: PATIENCE_MS, onReply: reference.check });
  operator = await operatorOf(api, operatorEmail, operatorPassword);
  [alice, bob] = (await registerMany(api, 'life', 2)) as [Person, Person];
  await operator.list({ symbol: SYMBOL, name: 'Whole Life', listingCents: 5_000 });
}, 120_000);

afterAll(async () => {
  await api?.close();
  await installation?.stop();
}, 60_000);

const place = async (person: Person, order: object, key?: string): Promise<Outcome<views.OrderView>> =>
  api.command({
    method: 'POST',
    path: '/v1/orders',
    token: await person.token(),
    body: { symbol: SYMBOL, type: 'limit', time_in_force: 'day', ...order },
    ...(key ? { key } : {}),
  });
const cancel = async (person: Person, id: string): Promise<Outcome<views.OrderView>> =>
  api.command({ method: 'DELETE', path: `/v1/orders/${id}`, token: await person.token() });
const codeOf = (outcome: Outcome<unknown>) => (outcome.kind === 'refused' ? outcome.code : outcome.kind);

/** Repeats a query until its answer is the expected one: the effects of a command are shown within moments, not at once. */
async function eventually<T>(path: string, person: Person, isExpected: (answer: T) => boolean): Promise<T> {
  const deadlineMs = performance.now() + PATIENCE_MS;
  for (;;) {
    const isLast = performance.now() > deadlineMs;
    try {
      const answer = await api.query<T>(path, { token: await person.token() });
      if (isExpected(answer) || isLast) return answer;
    } catch (error) {
      // An operator's command is not this client's own, so it may not be shown yet.
      const isAwaited = error instanceof ApiError && AWAITED.includes(error.code) && !isLast;
      if (!isAwaited) throw error;
    }
    await delay(20);
  }
}
const AWAITED: readonly string[] = ['UNKNOWN_SYMBOL', 'ACCOUNT_NOT_FOUND'];
const shows = async (path: string, person: Person, expected: unknown) =>
  expect(await eventually(path, person, (answer) => isDeepStrictEqual(answer, expected))).toEqual(expected);
const becomes = (person: Person, id: string, status: string) =>
  eventually<views.OrderView>(`/v1/orders/${id}`, person, (order) => order.status === status);

/** Sets a calendar with calls of an hour and no phase due for days, so that a slow process misses none. */
async function withLongCalls(symbol: string): Promise<void> {
  // Three days from now; 1 is Monday, and Sunday is 0 here.
  const weekday = ((new Date().getUTCDay() + 2) % 7) + 1;
  const calls = { opening_call_seconds: 3_600, volatility_call_seconds: 3_600, closing_call_seconds: 3_600 };
  succeeded(
    'the calendar',
    await api.command({
      method: 'PUT',
      path: `/v1/symbols/${symbol}/calendar`,
      token: await operator.person.token(),
      body: {
        session: {
          weekdays: [weekday],
          pre_open: '13:00',
          opens: '14:00',
          closes: '20:00',
          ...calls,
          random_end_seconds: 0,
        },
      },
    }),
  );
  await eventually<{ state: string }>(`/v1/symbols/${symbol}`, alice, ({ state }) => state === 'closed');
}
const continuous = async (symbol: string): Promise<void> => {
  await operator.begin(symbol, 'continuous');
  await eventually<{ state: string }>(`/v1/symbols/${symbol}`, alice, ({ state }) => state === 'continuous');
};

describe('one order’s whole life', () => {
  test('two people trade: fill on the stream, money and shares on both sides, a ledger that balances', async () => {
    succeeded(
      'the deposit',
      await api.command({
        method: 'POST',
        path: '/v1/deposits',
        token: await alice.token(),
        body: { amount: '1000.50' },
      }),
    );
    await operator.giveShares(bob.accountId, SYMBOL, 100);
    const funded = await eventually<{ cash: string }>('/v1/wallet', alice, ({ cash }) => cash === '1000.50');
    expect(funded).toEqual({
      account_id: alice.accountId,
      cash: '1000.50',
      held: '0.00',
      available: '1000.50',
      kill_switch: null,
    });

    const watching = new AbortController();
    const nextEvent = watch(alice, watching.signal);
    const sale = succeeded(
      'the sale',
      await place(bob, { side: 'sell', qty: '10', limit_price: '50.00' }),
    ).body;
    const purchase = succeeded(
      'the purchase',
      await place(alice, { side: 'buy', qty: '10', limit_price: '50.10', client_order_id: 'first' }),
    );
    expect(purchase.body).toMatchObject({
      status: 'pending_new',
      qty: '10',
      limit_price: '50.10',
      leaves_qty: '10',
    });

    const bought = await becomes(alice, purchase.body.id, 'filled');
    expect(bought).toMatchObject({
      id: purchase.body.id,
      client_order_id: 'first',
      account_id: alice.accountId,
      filled_qty: '10',
      leaves_qty: '0',
      fees: '0.25',
      reason: null,
    });
    expect(Number(bought.filled_avg_price)).toBe(50);
    expect(await becomes(bob, sale.id, 'filled')).toMatchObject({ filled_qty: '10', fees: '0.25' });

    const fill = await nextEvent((event) => event.event === 'order_filled');
    watching.abort();
    expect(JSON.parse(fill.data)).toMatchObject({
      order_id: purchase.body.id,
      last_qty: '10',
      last_price: '50.00',
    });

    await shows('/v1/wallet', alice, {
      account_id: alice.accountId,
      cash: '500.25',
      held: '0.00',
      available: '500.25',
      kill_switch: null,
    });
    await shows('/v1/wallet', bob, {
      account_id: bob.accountId,
      cash: '499.75',
      held: '0.00',
      available: '499.75',
      kill_switch: null,
    });
    await shows('/v1/holdings', alice, {
      items: [{ symbol: SYMBOL, qty: '10', held: '0', available: '10' }],
      next: null,
    });
    const { items: ledger } = await eventually<{ items: Entry[] }>(
      '/v1/ledger',
      alice,
      ({ items }) => items.length === 3,
    );
    expect(ledger.map(({ kind }) => kind)).toEqual(['OrderFilled', 'OrderPlaced', 'DepositSettled']);
    for (const { postings } of ledger)
      expect(sums(postings)).toEqual(new Map([...sums(postings).keys()].map((asset) => [asset, 0])));
    const ticker = await eventually<{ last_price: string | null }>(
      `/v1/symbols/${SYMBOL}/ticker`,
      alice,
      (t) => t.last_price !== null,
    );
    expect(ticker).toMatchObject({ last_price: '50.00', volume: '10', trades: 1, state: 'continuous' });
  });

  test('a query with the position of a command’s reply reflects that command', async () => {
    for (let round = 0; round < 10; round++) {
      const placed = succeeded(
        'an order',
        await place(alice, { side: 'buy', qty: '1', limit_price: '46.00' }),
      );
      const shown = await api.query<views.OrderView>(`/v1/orders/${placed.body.id}`, {
        token: await alice.token(),
      });
      expect(shown.id).toBe(placed.body.id);
      succeeded('its cancel', await cancel(alice, placed.body.id));
      await becomes(alice, placed.body.id, 'canceled');
    }
  });

  test('one key is one order, whatever is repeated', async () => {
    const key = mintId(idSource);
    const order = { side: 'buy', qty: '2', limit_price: '47.00' };
    const once = succeeded('once', await place(alice, order, key));
    const again = succeeded('again', await place(alice, order, key));
    expect(again).toMatchObject({ replayed: true, body: { id: once.body.id } });
    expect(codeOf(await place(alice, { ...order, qty: '3' }, key))).toBe('IDEMPOTENCY_KEY_REUSED');
    const all = await api.query<{ items: views.OrderView[] }>('/v1/orders?status=open', {
      token: await alice.token(),
    });
    expect(all.items.filter(({ limit_price }) => limit_price === '47.00')).toHaveLength(1);
    succeeded('its cancel', await cancel(alice, once.body.id));
    await becomes(alice, once.body.id, 'canceled');
  });

  test('an order is reduced in place, and canceled; what it held is free again', async () => {
    const { body } = succeeded(
      'an order',
      await place(bob, { side: 'sell', qty: '20', limit_price: '54.00' }),
    );
    await becomes(bob, body.id, 'new');
    succeeded(
      'the reduction',
      await api.command({
        method: 'PATCH',
        path: `/v1/orders/${body.id}`,
        token: await bob.token(),
        body: { qty: '5' },
      }),
    );
    await eventually<views.OrderView>(
      `/v1/orders/${body.id}`,
      bob,
      ({ qty, status }) => qty === '5' && status === 'new',
    );
    const holding = { symbol: SYMBOL, qty: '90', held: '5', available: '85' };
    await shows('/v1/holdings', bob, {
      items: [holding],
      next: null,
    });
    succeeded('the cancel', await cancel(bob, body.id));
    await becomes(bob, body.id, 'canceled');
    await shows('/v1/holdings', bob, {
      items: [{ ...holding, held: '0', available: '90' }],
      next: null,
    });
  });

  test('an order is changed to a price at which it trades; post-only and prevention do as they say', async () => {
    const patch = async (id: string, body: object) =>
      succeeded(
        'the change',
        await api.command({ method: 'PATCH', path: `/v1/orders/${id}`, token: await alice.token(), body }),
      );
    const shares = { side: 'sell', qty: '4', limit_price: '54.00' };
    const offer = succeeded('an offer', await place(bob, shares)).body;
    await becomes(bob, offer.id, 'new');
    const flags = { post_only: true, stp_mode: 'decrement' };
    const wanted = succeeded(
      'a bid',
      await place(alice, { side: 'buy', qty: '2', limit_price: '47.00', ...flags }),
    );
    await becomes(alice, wanted.body.id, 'new');
    await patch(wanted.body.id, { limit_price: '54.00' });
    await eventually<{ items: views.OrderEventView[] }>(
      `/v1/orders/${wanted.body.id}/events`,
      alice,
      ({ items }) => items.some(({ event, reason }) => event === 'amend_rejected' && reason === 'WOULD_TAKE'),
    );
    const plain = succeeded(
      'another bid',
      await place(alice, { side: 'buy', qty: '2', limit_price: '47.00' }),
    );
    await becomes(alice, plain.body.id, 'new');
    await patch(plain.body.id, { qty: '4', limit_price: '54.00' });
    await becomes(alice, plain.body.id, 'filled');
    await becomes(bob, offer.id, 'filled');
    const own = { side: 'sell', qty: '5', limit_price: '47.00', stp_mode: 'decrement' };
    const meets = succeeded('an offer to oneself', await place(alice, own));
    await eventually<views.OrderView>(
      `/v1/orders/${wanted.body.id}`,
      alice,
      ({ status, prevented_qty }) => status === 'expired' && prevented_qty === '2',
    );
    succeeded('the cancel', await cancel(alice, meets.body.id));
    await becomes(alice, meets.body.id, 'canceled');
  });

  test('a stop is held until a trade reaches it; an order ends at its time', async () => {
    const limitless = { limit_price: undefined };
    const waits = {
      side: 'buy',
      qty: '2',
      type: 'stop',
      stop_price: '54.50',
      time_in_force: 'gtc',
      ...limitless,
    };
    const stop = succeeded('a stop', await place(alice, waits)).body;
    await becomes(alice, stop.id, 'held');
    const soon = new Date(Date.now() + 2_000).toISOString();
    const until = { time_in_force: 'gtd', expires_at: soon };
    const short = succeeded(
      'a bid',
      await place(alice, { side: 'buy', qty: '1', limit_price: '47.00', ...until }),
    ).body;
    const offer = succeeded(
      'an offer',
      await place(bob, { side: 'sell', qty: '5', limit_price: '54.50' }),
    ).body;
    await becomes(bob, offer.id, 'new');
    succeeded('a bid', await place(alice, { side: 'buy', qty: '1', limit_price: '54.50' }));
    await becomes(alice, stop.id, 'filled');
    await eventually<{ items: views.OrderEventView[] }>(`/v1/orders/${stop.id}/events`, alice, ({ items }) =>
      items.some(({ event }) => event === 'order_triggered'),
    );
    await eventually<views.OrderView>(
      `/v1/orders/${short.id}`,
      alice,
      ({ status, reason }) => status === 'expired' && reason === 'EXPIRES_AT_REACHED',
    );
    succeeded('the cancel', await cancel(bob, offer.id));
    await becomes(bob, offer.id, 'canceled');
  });

  test('an iceberg shows its peak alone, and an amount of money buys through its peaks', async () => {
    const { body: iceberg } = succeeded(
      'an iceberg',
      await place(alice, { side: 'sell', qty: '3', display_qty: '1', limit_price: '52.00' }),
    );
    await becomes(alice, iceberg.id, 'new');
    await eventually<views.DepthView>(
      `/v1/symbols/${SYMBOL}/depth`,
      alice,
      ({ asks }) => asks[0]?.[0] === '52.00' && asks[0][1] === '1',
    );
    const spends = { side: 'buy', type: 'market', time_in_force: 'ioc', notional: '130.00' };
    const { body: spender } = succeeded(
      'an order',
      await place(bob, { ...spends, qty: undefined, limit_price: undefined }),
    );
    expect(await becomes(bob, spender.id, 'filled')).toMatchObject({
      qty: null,
      notional: '130.00',
      filled_qty: '2',
      filled_avg_price: '52.00',
    });
    succeeded('the cancel', await cancel(alice, iceberg.id));
    expect(await becomes(alice, iceberg.id, 'canceled')).toMatchObject({ filled_qty: '2', display_qty: '1' });
  });

  test('of two orders one fills, and the other has less; to cancel one is to cancel both', async () => {
    const { body: profit } = succeeded(
      'a list',
      await place(alice, {
        side: 'sell',
        qty: '3',
        order_class: 'oco',
        limit_price: undefined,
        time_in_force: 'gtc',
        take_profit: { limit_price: '53.00', client_order_id: 'profit' },
        stop_loss: { stop_price: '47.00', client_order_id: 'loss' },
      }),
    );
    await becomes(alice, profit.id, 'new');
    const { items } = await api.query<{ items: views.OrderView[] }>(`/v1/orders?list_id=${profit.list_id}`, {
      token: await alice.token(),
    });
    const loss = items.find(({ list_role }) => list_role === 'stop_loss') as views.OrderView;
    expect(loss).toMatchObject({ client_order_id: 'loss', status: 'held', stop_price: '47.00', qty: '3' });
    succeeded('a bid', await place(bob, { side: 'buy', qty: '1', limit_price: '53.00' }));
    await becomes(alice, profit.id, 'partially_filled');
    expect(
      await eventually<views.OrderView>(
        `/v1/orders/${loss.id}`,
        alice,
        ({ leaves_qty }) => leaves_qty === '2',
      ),
    ).toMatchObject({ qty: '2', filled_qty: '0', status: 'held' });
    succeeded('the cancel', await cancel(alice, loss.id));
    await becomes(alice, loss.id, 'canceled');
    expect(await becomes(alice, profit.id, 'canceled')).toMatchObject({ filled_qty: '1' });
  });

  test('a bracket holds what it buys for the two that sell it', async () => {
    const { body: entry } = succeeded(
      'a bracket',
      await place(bob, {
        side: 'buy',
        qty: '2',
        order_class: 'bracket',
        limit_price: '50.00',
        time_in_force: 'gtc',
        take_profit: { limit_price: '54.00' },
        stop_loss: { stop_price: '46.00' },
      }),
    );
    succeeded('an offer', await place(alice, { side: 'sell', qty: '1', limit_price: '50.00' }));
    await becomes(bob, entry.id, 'partially_filled');
    succeeded('the cancel', await cancel(bob, entry.id));
    await becomes(bob, entry.id, 'canceled');
    const listed = `/v1/orders?list_id=${entry.list_id}`;
    const { items } = await eventually<{ items: views.OrderView[] }>(listed, bob, ({ items: all }) =>
      all.some(({ list_role, status }) => list_role === 'take_profit' && status === 'new'),
    );
    expect(Object.fromEntries(items.map(({ list_role, qty, status }) => [list_role, [qty, status]]))).toEqual(
      {
        entry: ['2', 'canceled'],
        take_profit: ['1', 'new'],
        stop_loss: ['1', 'held'],
      },
    );
    const profit = items.find(({ list_role }) => list_role === 'take_profit') as views.OrderView;
    succeeded('the cancel', await cancel(bob, profit.id));
    await becomes(bob, profit.id, 'canceled');
  });

  test('all orders are canceled where the dead-man switch is not renewed', async () => {
    const bid = succeeded('a bid', await place(alice, { side: 'buy', qty: '1', limit_price: '47.00' })).body;
    const renewed = { method: 'PUT', path: '/v1/dead-man-switch', token: await alice.token() } as const;
    succeeded('the switch', await api.command({ ...renewed, body: { cancel_after_seconds: 1 } }));
    await becomes(alice, bid.id, 'canceled');
  });

  test('the kill switch cancels all open orders and takes none, until it is released', async () => {
    const low = { side: 'buy', qty: '1', limit_price: '46.00' };
    const stop = { side: 'buy', qty: '1', type: 'stop', limit_price: undefined, stop_price: '54.00' };
    await operator.giveCash(alice.accountId, 20_000);
    const open = [succeeded('a bid', await place(alice, low)), succeeded('a stop', await place(alice, stop))];
    const switched = { method: 'PUT', path: '/v1/kill-switch', token: await alice.token() } as const;
    succeeded('the switch', await api.command({ ...switched, body: { active: true, reason: 'a drill' } }));
    for (const { body } of open) await becomes(alice, body.id, 'canceled');
    expect(codeOf(await place(alice, low))).toBe('KILL_SWITCH');
    await eventually<{ kill_switch: string }>(
      '/v1/wallet',
      alice,
      ({ kill_switch }) => kill_switch === 'owner',
    );
    succeeded('the release', await api.command({ ...switched, body: { active: false } }));
    const { body } = succeeded('a bid', await place(alice, low));
    succeeded('the cancel', await cancel(alice, body.id));
    await becomes(alice, body.id, 'canceled');
  });

  test('a halted market takes cancels alone; resumed, it begins with an auction', async () => {
    await withLongCalls(SYMBOL);
    await continuous(SYMBOL);
    const { body } = succeeded(
      'an order',
      await place(alice, { side: 'buy', qty: '1', limit_price: '48.00' }),
    );
    await becomes(alice, body.id, 'new');
    await operator.halt(SYMBOL, 'news pending');
    await eventually<{ state: string }>(`/v1/symbols/${SYMBOL}`, alice, ({ state }) => state === 'halt');
    expect(codeOf(await place(alice, { side: 'buy', qty: '1', limit_price: '48.00' }))).toBe('SYMBOL_HALTED');
    succeeded('the cancel', await cancel(alice, body.id));
    await becomes(alice, body.id, 'canceled');
    await operator.resume(SYMBOL);
    await eventually<{ state: string }>(
      `/v1/symbols/${SYMBOL}`,
      alice,
      ({ state }) => state === 'volatility_auction',
    );
    await operator.giveCash(alice.accountId, 20_000);
    const price = { qty: '2', limit_price: '49.00' };
    const bid = succeeded('a bid', await place(alice, { side: 'buy', ...price }));
    const offer = succeeded('an offer', await place(bob, { side: 'sell', ...price }));
    await eventually<views.TickerView>(
      `/v1/symbols/${SYMBOL}/ticker`,
      alice,
      ({ indicative_price, indicative_qty }) => indicative_price === '49.00' && indicative_qty === '2',
    );
    await continuous(SYMBOL);
    await becomes(alice, bid.body.id, 'filled');
    await becomes(bob, offer.body.id, 'filled');
    const after = succeeded(
      'an order',
      await place(alice, { side: 'buy', qty: '1', limit_price: '48.00', time_in_force: 'ioc' }),
    );
    await becomes(alice, after.body.id, 'expired');
  });

  test('a trade beyond the band does not happen: an auction finds the price', async () => {
    const BANDED = 'BANDED';
    await operator.list({ symbol: BANDED, name: 'Banded', listingCents: 1_000, bandPpm: 10_000 });
    await withLongCalls(BANDED);
    await continuous(BANDED);
    await operator.giveShares(bob.accountId, BANDED, 10);
    await operator.giveCash(alice.accountId, 20_000);
    const beyond = { symbol: BANDED, qty: '3', limit_price: '10.20' };
    const offer = succeeded('an offer', await place(bob, { side: 'sell', ...beyond }));
    await becomes(bob, offer.body.id, 'new');
    const bid = succeeded('a bid', await place(alice, { side: 'buy', ...beyond }));
    await eventually<views.TickerView>(
      `/v1/symbols/${BANDED}/ticker`,
      alice,
      ({ state, indicative_price }) => state === 'volatility_auction' && indicative_price === '10.20',
    );
    await operator.begin(BANDED, 'continuous');
    expect(await becomes(alice, bid.body.id, 'filled')).toMatchObject({ filled_avg_price: '10.20' });
    await becomes(bob, offer.body.id, 'filled');
    await eventually<{ reference_price: string }>(
      `/v1/symbols/${BANDED}`,
      alice,
      ({ reference_price }) => reference_price === '10.20',
    );
  });

  test('a call outlives the processes that run it: its orders are executed by those that come after', async () => {
    const NIGHT = 'NIGHT';
    await operator.list({ symbol: NIGHT, name: 'Night', listingCents: 1_000 });
    await operator.giveShares(bob.accountId, NIGHT, 10);
    await operator.giveCash(alice.accountId, 10_000);
    await withLongCalls(NIGHT);
    for (const phase of ['pre_open', 'opening_auction'] as const) await operator.begin(NIGHT, phase);
    const terms = { symbol: NIGHT, qty: '4', limit_price: '10.10' };
    const bid = succeeded('a bid', await place(alice, { side: 'buy', ...terms, time_in_force: 'opg' }));
    await becomes(alice, bid.body.id, 'new');
    for (const name of ['matching-engine', 'command-api'])
      process.kill(installation.pids()[name] as number, 'SIGKILL');
    const offer = succeeded('an offer', await place(bob, { side: 'sell', ...terms, qty: '3' }));
    await operator.begin(NIGHT, 'continuous');
    expect(await becomes(bob, offer.body.id, 'filled')).toMatchObject({ filled_avg_price: '10.10' });
    expect(await becomes(alice, bid.body.id, 'expired')).toMatchObject({
      filled_qty: '3',
      reason: 'AUCTION_ENDED',
    });
  });

  test('the engine is killed; an order placed meanwhile is answered by the next one', async () => {
    process.kill(installation.pids()['matching-engine'] as number, 'SIGKILL');
    const { body } = succeeded(
      'an order',
      await place(alice, { side: 'buy', qty: '1', limit_price: '46.50' }),
    );
    expect(await becomes(alice, body.id, 'new')).toMatchObject({ status: 'new', leaves_qty: '1' });
    succeeded('its cancel', await cancel(alice, body.id));
    await becomes(alice, body.id, 'canceled');
  });
});

test('two reductions of one order in consecutive rows are replayed though what is shown stands still', async () => {
  const pid = installation.pids()['projectors'] as number;
  const waiting = async () =>
    Number(
      /^brokerx_query_waiting\{.*\} (\d+)$/m.exec((await api.raw('query', { path: '/metrics' })).text)?.[1],
    );
  process.kill(pid, 'SIGSTOP');
  try {
    const replayed = replay({ api, operator, installation, close: async () => undefined }, [
      { action: 'add', order: '1', side: 'buy', shares: 30, priceCents: 5_000 },
      { action: 'reduce', order: '1', shares: 10 },
      { action: 'reduce', order: '1', shares: 10 },
      { action: 'cancel', order: '1' },
    ]);
    // The replay's query after the first reduction waits, and nobody else sends queries.
    await Promise.race([replayed, expect.poll(waiting, { timeout: PATIENCE_MS }).toBeGreaterThan(0)]);
    process.kill(pid, 'SIGCONT');
    expect(await replayed).toMatchObject({ rows: 4, deviations: [] });
  } finally {
    process.kill(pid, 'SIGCONT');
  }
});

describe('what is not acceptable is refused with a reason, and nothing breaks', () => {
  const order = {
    symbol: SYMBOL,
    side: 'buy',
    type: 'limit',
    qty: '1',
    limit_price: '50.00',
    time_in_force: 'day',
  };
  const send = async (body: string, headers: Record<string, string> = {}) => {
    const reply = await api.raw('command', {
      method: 'POST',
      path: '/v1/orders',
      headers: {
        'content-type': 'application/json',
        'idempotency-key': mintId(idSource),
        authorization: `Bearer ${await alice.token()}`,
        ...headers,
      },
      body,
    });
    return { ...reply, problem: JSON.parse(reply.text) as { status: number; code: string } };
  };

  test.for<[what: string, status: number, body: string]>([
    ['no JSON', 400, '{"symbol":'],
    ['an array', 400, '[]'],
    ['an unknown field', 400, JSON.stringify({ ...order, leverage: '10' })],
    ['a missing field', 400, JSON.stringify({ ...order, qty: undefined })],
    ['a number for money', 400, JSON.stringify({ ...order, limit_price: 50 })],
    ['a negative quantity', 400, JSON.stringify({ ...order, qty: '-1' })],
    ['a quantity of zero', 400, JSON.stringify({ ...order, qty: '0' })],
    ['an absurd quantity', 400, JSON.stringify({ ...order, qty: '9'.repeat(40) })],
    ['a price in scientific notation', 400, JSON.stringify({ ...order, limit_price: '5e1' })],
    ['a price with three decimals', 400, JSON.stringify({ ...order, limit_price: '50.001' })],
    ['NaN', 400, JSON.stringify({ ...order, limit_price: 'NaN' })],
    ['an unknown side', 400, JSON.stringify({ ...order, side: 'short' })],
    ['a prototype', 400, '{"__proto__":{"admin":true},"symbol":"LIFE"}'],
    ['a body of 1 MB', 413, JSON.stringify({ ...order, symbol: 'X'.repeat(1_000_000) })],
    ['an unknown symbol', 422, JSON.stringify({ ...order, symbol: 'NOWHERE' })],
    ['a price outside the band', 422, JSON.stringify({ ...order, limit_price: '5000.00' })],
    ['more than there is', 422, JSON.stringify({ ...order, qty: '100000' })],
  ])('%s → %i', async ([, status, body]) => {
    const { problem, status: actual, headers } = await send(body);
    expect([actual, problem.status]).toEqual([status, status]);
    expect(headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(problem.code).toMatch(/^[A-Z_]+$/);
  });

  test.for<[what: string, status: number, headers: Record<string, string>]>([
    ['no Idempotency-Key', 400, { 'idempotency-key': '' }],
    ['a key that is no UUID', 400, { 'idempotency-key': 'once' }],
    ['a garbage token', 401, { authorization: 'Bearer eyJhbGciOiJub25lIn0.e30.' }],
    ['no token', 401, { authorization: '' }],
    ['another content type', 415, { 'content-type': 'text/xml' }],
  ])('%s → %i', async ([, status, headers]) => {
    const { status: actual } = await send(JSON.stringify(order), headers);
    expect(actual).toBe(status);
  });

  test('a tampered token is refused', async () => {
    const [head, claims, signature] = (await alice.token()).split('.') as [string, string, string];
    const payload = JSON.parse(Buffer.from(claims, 'base64url').toString()) as Record<string, unknown>;
    const forged = Buffer.from(JSON.stringify({ ...payload, roles: ['operator'] })).toString('base64url');
    const { status } = await send(JSON.stringify(order), {
      authorization: `Bearer ${head}.${forged}.${signature}`,
    });
    expect(status).toBe(401);
  });

  test('somebody else’s order is not there for anybody but its owner', async () => {
    const { body, position } = succeeded(
      'an order',
      await place(alice, { side: 'buy', qty: '1', limit_price: '46.00' }),
    );
    expect(codeOf(await cancel(bob, body.id))).toBe('ORDER_NOT_FOUND');
    await expect(
      api.query(`/v1/orders/${body.id}`, { token: await bob.token(), minPosition: position }),
    ).rejects.toMatchObject({ status: 404, code: 'ORDER_NOT_FOUND' });
    await expect(
      api.query(`/v1/wallet?account_id=${alice.accountId}`, { token: await bob.token() }),
    ).rejects.toMatchObject({
      status: expect.toSatisfy((status: number) => status === 403 || status === 404),
    });
    succeeded('its cancel', await cancel(alice, body.id));
  });

  test('an operator’s commands are not for traders', async () => {
    const outcome = await api.command({
      method: 'POST',
      path: `/v1/accounts/${alice.accountId}/cash-transfers`,
      token: await alice.token(),
      body: { amount: '1000000.00' },
    });
    expect(outcome).toMatchObject({ kind: 'refused', status: 403, code: 'FORBIDDEN' });
  });
});

test('every reply was as the reference describes it', () => {
  expect(reference.deviations).toEqual([]);
});

test('whatever happened is stored packed, and nothing whole', async () => {
  const client = new pg.Client({ connectionString: installation.status.databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ type: string }>(
      `select distinct substring(body from '"type":"(\\w+\\.v\\d+)"') as type from store.commit
        where body ~ '"type":"\\w+\\.v\\d+"'`,
    );
    expect(rows).toEqual([]);
  } finally {
    await client.end();
  }
});

test('at the end an audit from outside finds nothing', async () => {
  const { findings, history, rows } = await auditInstallation({ api, operator: operator.person });
  expect(findings.list).toEqual([]);
  expect(history.counts.trades).toBe(11);
  expect(rows.compared).toBe(rows.inAll);
});

test.for<[list: string, path: string, tamper: (items: Record<string, unknown>[]) => unknown[]]>([
  ['the ledger', '/v1/ledger', (items) => items.slice(1)],
  ['an execution', '/v1/executions', (items) => items.map((item) => ({ ...item, fee: '0.24' }))],
  ['a candle', `/v1/symbols/${SYMBOL}/candles`, (items) => items.map((item) => ({ ...item, volume: '11' }))],
])('and it finds %s that somebody changed', async ([, path, tamper]) => {
  const tampered: Api = {
    ...api,
    async query<T>(queryPath: string, options?: object) {
      const reply = await api.query<T>(queryPath, options);
      if (!queryPath.startsWith(path)) return reply;
      const page = reply as { items: Record<string, unknown>[] };
      return { ...page, items: tamper(page.items) } as T;
    },
  };
  // One comparison is enough, because nothing happens any more.
  const result = await auditInstallation({ api: tampered, operator: operator.person, settleMs: 1 });
  expect(result.findings.list.map(({ check }) => check)).toContain('mismatch');
  expect(result.exitCode).toBe(13);
});

/** Follows a person's stream from now on. The returned function waits for an event. */
function watch(
  person: Person,
  signal: AbortSignal,
): (isExpected: (event: StreamEvent) => boolean) => Promise<StreamEvent> {
  const events: StreamEvent[] = [];
  let failure: unknown;
  void (async () => {
    const lines = api.lines('/v1/streams/orders', { token: await person.token(), signal });
    for await (const event of streamEvents(lines)) events.push(event);
  })().catch((error: unknown) => {
    failure = error;
  });
  return async (isExpected) => {
    for (const deadlineMs = performance.now() + PATIENCE_MS; performance.now() < deadlineMs; ) {
      const event = events.find(isExpected);
      if (event) return event;
      if (failure) throw failure;
      await delay(20);
    }
    throw new Error(`not seen; only ${JSON.stringify(events)}`);
  };
}

type Entry = { kind: string; postings: { asset: string; amount: string }[] };

/** Sums of postings by asset, in hundredths. */
function sums(postings: readonly { asset: string; amount: string }[]): Map<string, number> {
  const totals = new Map<string, number>();
  for (const { asset, amount } of postings) {
    totals.set(asset, (totals.get(asset) ?? 0) + Math.round(Number(amount) * 100));
  }
  return totals;
}
