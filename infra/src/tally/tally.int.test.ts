import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import { mayFail } from '../runtime/mayFail.ts';
import { realRuntime as runtime } from '../runtime/runtime.ts';
import { hasRedisServer, startTemporaryRedis } from '../servers/temporaryRedis.ts';
import { tallyContract } from './tally.contract.ts';
import { talliesWithFallback } from './tally.fallback.ts';
import { memoryTallies } from './tally.memory.ts';
import { redisTallies } from './tally.redis.ts';

const url = inject('redisUrl') ?? '';
describe.runIf(url)('on Redis', () => {
  tallyContract('redis', async () => {
    const given = { url, storeId: randomUUID(), secret: randomBytes(32), runtime };
    const [tallies, elsewhere] = [await redisTallies(given), await redisTallies(given)];
    const close = async () => void (await Promise.all([tallies.close(), elsewhere.close()]));
    return { tallies, elsewhere, pass: (ms) => delay(ms), close };
  });
});

describe.runIf(hasRedisServer())('a Redis of its own', () => {
  const WINDOW = { windowMs: 60_000, keysMax: 10 };
  async function given() {
    const server = await startTemporaryRedis();
    onTestFinished(() => server.stop());
    const shared = await redisTallies({
      url: server.url,
      storeId: randomUUID(),
      secret: randomBytes(32),
      runtime,
    });
    const tallies = talliesWithFallback({ shared, own: memoryTallies(runtime), runtime });
    onTestFinished(() => tallies.close());
    return { server, shared, tally: tallies.tally('a', WINDOW) };
  }

  test('killed, hanging or flushed, the brake holds, and it is shared again afterwards', async () => {
    const { server, shared, tally } = await given();
    for (let n = 1; n <= 3; n++) expect((await tally.count('x')).count).toBe(n);
    await server.kill();
    expect((await tally.count('x')).count).toBe(4);
    await server.start();
    const there = shared.tally('a', WINDOW);
    const goesOn = async () =>
      (await tally.count('x')).count > 4 && (await mayFail(there.read('x'), 'it comes back'))?.count;
    await expect.poll(goesOn).toBeGreaterThan(0);

    const before = (await tally.read('x')).count;
    const goOn = server.pause();
    for (let i = 1; i <= 20; i++) expect((await tally.count('x')).count).toBe(before + i);
    goOn();
    await server.call('FLUSHALL');
    expect((await tally.count('x')).count).toBe(before + 21);
  });

  test('no key names anybody, and every counter has an end', async () => {
    const { server, tally } = await given();
    await tally.count('192.0.2.77 somebody');
    const keys = (await server.call('KEYS', '*')) as string[];
    expect(keys).toEqual([expect.stringMatching(/^brokerx:[0-9a-f-]{36}:tally:a:[0-9a-f]{64}$/)]);
    expect(await server.call('PTTL', keys[0] ?? '')).toBeGreaterThan(0);
    // A counter that lost its end in somebody's hands gets one again.
    await server.call('PERSIST', keys[0] ?? '');
    expect(await tally.count('192.0.2.77 somebody')).toEqual({ count: 2, leftMs: 60_000 });
  });
});
