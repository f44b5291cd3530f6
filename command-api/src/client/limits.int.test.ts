import { type FreshDatabase, freshDatabase } from '@brokerx/infra/services.ts';
import { hasRedisServer, startTemporaryRedis, type TemporaryRedis } from '@brokerx/infra/temporaryRedis.ts';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { peopleProcess, testClock } from '../../test/peopleWorld.ts';

/** Two command-apis behind a balancer, with a Redis between them that may go away. */
describe.runIf(hasRedisServer())('limits of several processes', { timeout: 60_000 }, () => {
  let database: FreshDatabase;
  let redis: TemporaryRedis;
  let one: Awaited<ReturnType<typeof peopleProcess>>;
  let two: Awaited<ReturnType<typeof peopleProcess>>;
  beforeEach(async () => {
    [database, redis] = await Promise.all([freshDatabase(), startTemporaryRedis()]);
    const start = (variables: Record<string, string> = {}) =>
      peopleProcess({ databaseUrl: database.url, redisUrl: redis.url, runtime: testClock(), variables });
    [one, two] = [await start(), await start({ PUBLIC_REQUESTS_PER_MINUTE_MAX: '12' })];
  });
  afterEach(async () => {
    await Promise.all([one.stop(), two.stop()]);
    await redis.stop();
    await database.drop();
  });

  const attempt = async (process: typeof one, email: string, remoteAddress = '192.0.2.7') => {
    const payload = { email, password: 'not the password' };
    const reply = await process.app.inject({ method: 'POST', url: '/v1/sessions', remoteAddress, payload });
    return reply.json().code as string;
  };

  const failHere = async (times: number, remoteAddress?: string) => {
    for (let i = 0; i < times; i++) {
      const code = await attempt(i % 2 ? one : two, `stranger${i}@example.com`, remoteAddress);
      expect(code).toBe('WRONG_CREDENTIALS');
    }
  };

  test('failures at one process brake guessing at the other, from that network', async () => {
    await failHere(6);
    expect(await attempt(one, 'ann@example.com')).toBe('SIGN_IN_LIMIT');
    expect(await attempt(two, 'bob@example.com')).toBe('SIGN_IN_LIMIT');
    expect(await attempt(two, 'ann@example.com', '192.0.2.8')).toBe('WRONG_CREDENTIALS');
  });

  test('guesses at one account from everywhere end, at whichever process', async () => {
    const codes: string[] = [];
    for (let i = 0; i < 30; i++)
      codes.push(await attempt(i % 2 ? one : two, 'ann@example.com', `198.51.100.${i}`));
    expect(codes.filter((code) => code === 'WRONG_CREDENTIALS').length).toBe(21);
    expect(codes.slice(21)).toEqual(Array(9).fill('SIGN_IN_LIMIT'));
    expect(await attempt(two, 'bob@example.com')).toBe('WRONG_CREDENTIALS');
  });

  test('public requests of an address are counted together', async () => {
    for (let i = 0; i < 10; i++) await attempt(one, `person${i}@example.com`);
    const answered = ['WRONG_CREDENTIALS', 'SIGN_IN_LIMIT'];
    expect(answered).toContain(await attempt(two, 'somebody@example.com'));
    expect(answered).toContain(await attempt(two, 'somebody@example.com'));
    expect(await attempt(two, 'somebody@example.com')).toBe('REQUEST_LIMIT');
    expect(await attempt(two, 'somebody@example.com', '192.0.2.8')).toBe('WRONG_CREDENTIALS');
  });

  test('without Redis people sign in, and each process brakes by what it saw itself; with it, together again', async () => {
    await failHere(5);
    await redis.kill();
    // Three of the five were seen by this one.
    for (let i = 0; i < 3; i++) expect(await attempt(two, 'ann@example.com')).toBe('WRONG_CREDENTIALS');
    expect(await attempt(two, 'ann@example.com')).toBe('SIGN_IN_LIMIT');
    expect(await attempt(one, 'ann@example.com')).toBe('WRONG_CREDENTIALS');
    await redis.start();
    // The counts of before are lost with Redis; what comes now is seen by both.
    const counted = async () => {
      await attempt(one, 'cid@example.com', '192.0.2.9');
      return attempt(two, 'cid@example.com', '192.0.2.9');
    };
    await expect.poll(counted, { timeout: 15_000, interval: 100 }).toBe('SIGN_IN_LIMIT');
  });

  test('nothing in Redis tells who was here, or from where', async () => {
    await attempt(one, 'ann@example.com', '192.0.2.77');
    const keys = (await redis.call('KEYS', '*')) as string[];
    expect(keys.length).toBe(4);
    expect(keys.join()).not.toMatch(/192\.0\.2|ann/);
  });
});
