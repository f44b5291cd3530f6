import { randomUUID } from 'node:crypto';
import { type AccountFact, type Event, eventCodec, type PlaceOrder, seal } from '@brokerx/contracts';
import { memoryEventStore, memoryLeases, realRuntime } from '@brokerx/infra';
import { expect, test, vi } from 'vitest';
import { accountWith, at, market, placed, T0 } from '../../test/facts.ts';
import { commandApi, openAccount, quiet, testCause } from '../../test/world.ts';
import { amendOrder } from '../orders/amend.ts';
import { CANCELS_PER_COMMIT_MAX, cancelOrder } from '../orders/cancel.ts';
import { placeOrder } from '../orders/placeOrder.ts';
import { startTasks } from '../tasks/openTasks.ts';
import { activateKillSwitch, type KilledBy, killTasks, releaseKillSwitch } from './killSwitch.ts';

const ACCOUNT = at(1);
const cash: AccountFact = {
  type: 'CashTransferredIn.v1',
  data: { transferId: at(2), amountCents: 100_000_000 },
};
const activated = (by: KilledBy, reason: string | null = null): AccountFact => ({
  type: 'KillSwitchActivated.v1',
  data: { accountId: ACCOUNT, by, reason },
});
const released = (by: KilledBy): AccountFact => ({
  type: 'KillSwitchReleased.v1',
  data: { accountId: ACCOUNT, by },
});
const activate = (facts: AccountFact[], by: KilledBy, reason: string | null = null) =>
  activateKillSwitch(accountWith(cash, ...facts), { accountId: ACCOUNT, by, reason });
const release = (facts: AccountFact[], by: KilledBy) =>
  releaseKillSwitch(accountWith(cash, ...facts), { accountId: ACCOUNT, by });
const buy: PlaceOrder = {
  symbol: 'ACME',
  side: 'buy',
  type: 'limit',
  qty: '10',
  limit_price: '10.00',
  time_in_force: 'day',
};

test('it is activated with the cancels of the first symbol, held orders included', () => {
  const stop = placed({ orderId: at(6), type: 'stop', stopTicks: 1_010 });
  const orders = [placed({ orderId: at(5) }), stop, placed({ orderId: at(7), symbol: 'ZZZ' })];
  const canceled = (orderId: string): AccountFact => ({
    type: 'OrderCancelRequested.v1',
    data: { orderId, accountId: ACCOUNT, symbol: 'ACME' },
  });
  expect(activate(orders, 'owner', 'wild')).toEqual({
    facts: [activated('owner', 'wild'), canceled(at(5)), canceled(at(6))],
  });
});

test('while it is active orders and changes are refused, and cancels are taken', () => {
  const account = accountWith(cash, placed({ orderId: at(5) }), activated('operator', 'wild'));
  const nowMs = Date.parse(T0);
  const command = { orderId: at(900), accountId: ACCOUNT, nowMs, order: buy, market: market() };
  expect(placeOrder(account, command)).toMatchObject({
    type: 'OrderRefused.v1',
    data: { code: 'KILL_SWITCH', detail: 'activated by the operator: wild' },
  });
  const change = { orderId: at(5), accountId: ACCOUNT, change: { qty: '5' }, marketOf: () => market() };
  expect(amendOrder(account, change)).toMatchObject({
    type: 'CommandRefused.v1',
    data: { code: 'KILL_SWITCH' },
  });
  expect(cancelOrder(account, { orderId: at(5), accountId: ACCOUNT })).toMatchObject({
    type: 'OrderCancelRequested.v1',
  });
});

test('activating it again changes nothing, but that an operator’s outranks the owner’s', () => {
  expect(activate([activated('owner', 'wild')], 'owner')).toEqual(activated('owner', 'wild'));
  expect(activate([activated('operator', 'law')], 'owner')).toEqual(activated('operator', 'law'));
  expect(activate([activated('owner')], 'operator', 'law')).toEqual({
    facts: [activated('operator', 'law')],
  });
});

test('who may release it', () => {
  expect(release([activated('owner')], 'owner')).toEqual(released('owner'));
  expect(release([activated('owner')], 'operator')).toEqual(released('operator'));
  expect(release([activated('operator')], 'operator')).toEqual(released('operator'));
  expect(release([activated('operator')], 'owner')).toMatchObject({
    type: 'CommandRefused.v1',
    data: { command: 'ReleaseKillSwitch', code: 'FORBIDDEN' },
  });
  expect(release([], 'owner')).toEqual(released('owner'));
});

test('released, orders are taken again', () => {
  const account = accountWith(cash, activated('owner'), released('owner'));
  const command = {
    orderId: at(900),
    accountId: ACCOUNT,
    nowMs: Date.parse(T0),
    order: buy,
    market: market(),
  };
  expect(placeOrder(account, command).type).toBe('OrderPlaced.v1');
});

test('what the activation left open is canceled symbol by symbol, after a restart, too', async () => {
  const store = memoryEventStore<Event>({ id: randomUUID(), codec: eventCodec() });
  const before = await commandApi({ store });
  const accountId = await openAccount(before.accounts);
  const record = (symbol: string | null, ...facts: AccountFact[]) =>
    before.accounts.execute(accountId, (_, { commitId }) => ({
      events: seal(commitId, testCause(T0), facts) as never,
      symbol,
    }));
  await record(null, cash);
  const count = CANCELS_PER_COMMIT_MAX + 1;
  const order = (n: number, symbol: string) =>
    ({
      type: 'OrderPlaced.v1',
      data: { ...(placed({ orderId: at(1_000 + n), symbol }).data as object), accountId },
    }) as AccountFact;
  for (let n = 0; n < count; n++) await record('ACME', order(n, 'ACME'));
  await record('ZZZ', order(count, 'ZZZ'));
  // As if the process had died with the activation: nothing was canceled with it.
  await record(null, { type: 'KillSwitchActivated.v1', data: { accountId, by: 'owner', reason: null } });
  await before.stop();

  const after = await commandApi({ store });
  const deps = {
    feed: after.feed,
    snapshots: after.snapshots,
    storeId: store.id,
    runtime: realRuntime,
    log: quiet,
  };
  const tasks = startTasks(killTasks({ accounts: after.accounts, runtime: realRuntime }), {
    ...deps,
    leases: memoryLeases({ rows: new Map(), owner: 'one', runtime: realRuntime }),
  });
  const canceled = async () => {
    const events = await store.readStream(`account-${accountId}`, 0, 1_000);
    return events.flatMap(({ event }) =>
      event.type === 'OrderCancelRequested.v1' ? [event.data.orderId] : [],
    );
  };
  await vi.waitFor(async () => expect(await canceled()).toHaveLength(count + 1), 10_000);
  expect(new Set(await canceled()).size).toBe(count + 1);
  await tasks.close();
  await after.stop();
});
