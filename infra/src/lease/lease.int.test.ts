import pg from 'pg';
import { expect, test } from 'vitest';
import { reusedDatabase } from '../../test/reusedDatabase.ts';
import { realRuntime } from '../runtime/runtime.ts';
import { leaseContract } from './lease.contract.ts';
import { postgresLeases } from './lease.postgres.ts';

const database = reusedDatabase();

leaseContract('postgres', async () => {
  const databaseUrl = await database.emptied();
  return {
    join: (owner, ttlMs) => postgresLeases({ databaseUrl, owner, ttlMs, runtime: realRuntime }),
    close: async () => {},
  };
});

test('a lease that was taken before the database’s clock went back keeps nobody waiting for that time', async () => {
  const databaseUrl = await database.emptied();
  const join = (owner: string) => postgresLeases({ databaseUrl, owner, ttlMs: 1_000, runtime: realRuntime });
  const [first, second] = [await join('first'), await join('second')];
  const server = new pg.Client(databaseUrl);
  await server.connect();
  const clockWentBack = (interval: string) =>
    server.query('update state.lease set expires_at = expires_at + $1::interval', [interval]);

  const renewed = await first.tryAcquire('timer');
  await first.tryAcquire('settler');
  await clockWentBack('1 second');
  expect(await second.tryAcquire('timer')).toBeNull();

  // Its owner is gone, and the lease would end in a day.
  await server.query(`update state.lease set owner = 'gone' where name = 'settler'`);
  await clockWentBack('1 day');
  expect(await second.running()).not.toContainEqual({ name: 'settler', owner: 'gone' });
  expect(await second.tryAcquire('settler')).toMatchObject({ epoch: 2 });

  // An owner that is alive renews its lease, and has it for one TTL from now.
  await expect.poll(() => second.running()).toContainEqual({ name: 'timer', owner: 'first' });
  expect(renewed?.isHeld()).toBe(true);
  expect(await second.tryAcquire('timer')).toBeNull();
  await Promise.all([first.close(), second.close(), server.end()]);
});
