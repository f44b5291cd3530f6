import { randomUUID } from 'node:crypto';
import { type AccountEvent, accountStream, seal } from '@brokerx/contracts';
import { type FreshDatabase, freshDatabase } from '@brokerx/infra/servers/testServers.ts';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventually, peopleProcess, testClock } from '../../test/peopleWorld.ts';
import { testCause } from '../../test/world.ts';
import { openAccount, requestDeposit } from '../money/money.ts';
import type { Payments } from './payments.ts';

/** Deposits from their request to their end, over a real PostgreSQL. */
let database: FreshDatabase;
const started: Awaited<ReturnType<typeof peopleProcess>>[] = [];
const start = async (payments?: Payments) => {
  const process = await peopleProcess({
    databaseUrl: database.url,
    runtime: testClock(),
    ...(payments ? { payments } : {}),
  });
  started.push(process);
  return process;
};
beforeEach(async () => {
  database = await freshDatabase();
});
afterEach(async () => {
  for (const process of started.splice(0)) await process.stop();
  await database.drop();
});
type Process = (typeof started)[number];

async function account(process: Process): Promise<string> {
  const accountId = randomUUID();
  await process.accounts.execute(accountId, (state, { commitId }) => ({
    events: seal(
      commitId,
      testCause(),
      openAccount(state, { accountId, clientId: randomUUID() }),
    ) as AccountEvent[],
    symbol: null,
  }));
  return accountId;
}
async function deposit(process: Process, accountId: string, amount: string): Promise<string> {
  const depositId = randomUUID();
  await process.accounts.execute(accountId, (state, { commitId }) => ({
    events: seal(commitId, testCause(), [requestDeposit(state, { depositId, amount })]) as AccountEvent[],
    symbol: null,
  }));
  return depositId;
}
/** How the deposit ended, once it has. */
const end = (process: Process, accountId: string, depositId: string) =>
  eventually(async () => {
    const events = await process.store.readStream(accountStream(accountId), 0, 100);
    const ends = events.flatMap(({ event }) => {
      if (event.type === 'DepositSettled.v1') return event.data.depositId === depositId ? ['settled'] : [];
      if (event.type === 'DepositRejected.v1')
        return event.data.depositId === depositId ? [event.data.reason] : [];
      return [];
    });
    return ends.length > 0 ? ends : undefined;
  });

test('a deposit ends as its amount says, once', async () => {
  const process = await start();
  const accountId = await account(process);
  const cases = [
    ['10.00', 'insufficient_funds'],
    ['20.00', 'card_expired'],
    ['30.00', 'suspected_fraud'],
    ['40.00', 'limit_exceeded'],
    ['50.00', 'invalid_account'],
    ['60.00', 'service_unavailable'],
    ['70.00', 'settled'],
    ['10.01', 'settled'],
    ['500.00', 'settled'],
  ] as const;
  for (const [amount, outcome] of cases) {
    const depositId = await deposit(process, accountId, amount);
    expect([amount, await end(process, accountId, depositId)]).toEqual([amount, [outcome]]);
  }
});

test('the end of a deposit names its request as its cause, in the same trace', async () => {
  const process = await start();
  const accountId = await account(process);
  await end(process, accountId, await deposit(process, accountId, '12.34'));
  const [, requested, settled] = await process.store.readStream(accountStream(accountId), 0, 10);
  expect(settled?.event).toMatchObject({
    type: 'DepositSettled.v1',
    actor: 'system:payments',
    causationId: requested?.event.id,
    correlationId: requested?.event.correlationId,
    traceparent: requested?.event.traceparent,
  });
});

test('what was open when a process ended is collected by the next, and nothing is settled twice', async () => {
  const unreachable: Payments = { collect: () => new Promise(() => {}) };
  const first = await start(unreachable);
  const accountId = await account(first);
  const depositIds = [];
  for (const amount of ['1.00', '2.00', '3.00']) depositIds.push(await deposit(first, accountId, amount));
  await eventually(() => (first.payments.open() === 3 ? true : undefined));
  await first.stop();
  started.splice(0);

  const collectedIds: string[] = [];
  const service: Payments = {
    async collect({ depositId }) {
      collectedIds.push(depositId);
      return { status: 'settled' };
    },
  };
  const second = await start(service);
  for (const id of depositIds) expect(await end(second, accountId, id)).toEqual(['settled']);
  await second.stop();
  started.splice(0);
  // A third process, from the beginning of the history or from a snapshot, may ask again but records nothing.
  const third = await start(service);
  await end(third, accountId, await deposit(third, accountId, '4.00'));
  const types = (await third.store.readStream(accountStream(accountId), 0, 100)).map(
    ({ event }) => event.type,
  );
  expect(types.filter((type) => type === 'DepositSettled.v1').length).toBe(4);
  expect(new Set(collectedIds).size).toBe(4);
});

test('two processes share the work: one of them collects', async () => {
  const collectedIds: string[] = [];
  const service: Payments = {
    async collect({ depositId }) {
      collectedIds.push(depositId);
      return { status: 'settled' };
    },
  };
  const [one, two] = [await start(service), await start(service)];
  const accountId = await account(one);
  const depositId = await deposit(two, accountId, '5.00');
  expect(await end(one, accountId, depositId)).toEqual(['settled']);
  expect(collectedIds).toEqual([depositId]);
});
