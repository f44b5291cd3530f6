import {
  hasRedisServer,
  startTemporaryRedis,
  type TemporaryRedis,
} from '@brokerx/infra/servers/temporaryRedis.ts';
import { type FreshDatabase, freshDatabase } from '@brokerx/infra/servers/testServers.ts';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { peopleProcess, testClock } from '../../test/peopleWorld.ts';

/** Two command-apis behind a balancer that share a Redis, which may go away. */
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

  /**
   * Guesses at both processes in turn until both refuse, and returns the number of passwords that were compared. If Redis
   * answers late on a busy machine, each process counts alone, so that number is at most twice the limit.
   */
  const triedUntilRefused = async (guess: (n: number) => readonly [email: string, from: string]) => {
    let tried = 0;
    const refusing = new Set<typeof one>();
    for (let n = 0; refusing.size < 2; n++) {
      const process = n % 2 ? one : two;
      const code = await attempt(process, ...guess(n));
      if (code === 'SIGN_IN_LIMIT') refusing.add(process);
      else {
        expect(code).toBe('WRONG_CREDENTIALS');
        tried += 1;
      }
    }
    return tried;
  };

  test('failures at one process brake guessing at the other, from that network', async () => {
    const tried = await triedUntilRefused((n) => [`stranger${n}@example.com`, '192.0.2.7']);
    expect(tried).toBeGreaterThanOrEqual(6);
    expect(tried).toBeLessThanOrEqual(2 * 6);
    expect(await attempt(two, 'ann@example.com', '192.0.2.8')).toBe('WRONG_CREDENTIALS');
  });

  test('guesses at one account from everywhere end, at whichever process', async () => {
    const tried = await triedUntilRefused((n) => ['ann@example.com', `198.51.100.${n}`]);
    expect(tried).toBeGreaterThanOrEqual(21);
    expect(tried).toBeLessThanOrEqual(2 * 21);
    expect(await attempt(two, 'bob@example.com')).toBe('WRONG_CREDENTIALS');
  });

  test('counts are one where Redis answers: the sixth failure is the last, whoever saw it', async () => {
    const shared = async (n: number) => {
      const network = `203.0.113.${n}`;
      return (await triedUntilRefused((i) => [`stranger${i}@example.com`, network])) === 6;
    };
    let networks = 0;
    await expect.poll(() => shared(networks++), { interval: 10 }).toBe(true);
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
    // Earlier counts are lost with Redis; both processes see the new ones.
    const counted = async () => {
      await attempt(one, 'cid@example.com', '192.0.2.9');
      return attempt(two, 'cid@example.com', '192.0.2.9');
    };
    await expect.poll(counted, { interval: 100 }).toBe('SIGN_IN_LIMIT');
  });

  test('nothing in Redis tells who was here, or from where', async () => {
    await attempt(one, 'ann@example.com', '192.0.2.77');
    const keys = (await redis.call('KEYS', '*')) as string[];
    expect(keys.length).toBe(4);
    expect(keys.join()).not.toMatch(/192\.0\.2|ann/);
  });
});
