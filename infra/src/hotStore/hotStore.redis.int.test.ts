import { execFile, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { RedisAway, RedisRefused } from '../redis/redis.ts';
import { createLog } from '../runtime/log.ts';
import { errorsHeardElsewhere, mayFail } from '../runtime/mayFail.ts';
import { freePort } from '../runtime/ports.ts';
import { realRuntime as runtime } from '../runtime/runtime.ts';
import { hasRedisServer, startTemporaryRedis, type TemporaryRedis } from '../servers/temporaryRedis.ts';
import { hotStoreContract } from './hotStore.contract.ts';
import { redisHotStore } from './hotStore.redis.ts';
import type { HotView } from './hotStore.ts';

const values = (entries: Record<string, string>) => new Map(Object.entries(entries));

describe.runIf(hasRedisServer())('a Redis that has troubles', () => {
  let server: TemporaryRedis;
  let admin: Redis;
  const logged: string[] = [];
  const newLog = () =>
    createLog({ name: 'test', level: 'info', destination: { write: (line) => void logged.push(line) } });
  let log = newLog();
  beforeAll(async () => {
    server = await startTemporaryRedis();
    admin = new Redis(server.url);
    errorsHeardElsewhere(admin);
  });
  afterEach(async () => {
    logged.length = 0;
    // A server that comes and goes is told less and less in one log.
    log = newLog();
    await admin.config('SET', 'maxmemory', '0');
    // Nothing is there after the next restart that a test did not save itself.
    await admin.flushall();
    await admin.save();
  });
  afterAll(async () => {
    admin.disconnect();
    await server.stop();
  });

  const storeId = randomUUID();
  const at = (position: number) => ({ storeId, position });
  async function open(url = server.url, store = storeId) {
    const hotStore = await redisHotStore({ url, storeId: store, runtime, log });
    onTestFinished(() => hotStore.close());
    return { hotStore, view: hotStore.view('depth', 1) };
  }
  /** A view of this test's own with one value in it. */
  async function filled() {
    const { hotStore, view } = await open();
    await view.clear();
    await view.write({ from: null, to: at(5), set: values({ A: '1' }) });
    return { hotStore, view };
  }
  const listen = async (view: HotView) => {
    const heard: number[] = [];
    view.onChange((position) => heard.push(position));
    // Told once it hears everything.
    await expect.poll(() => heard.at(-1)).toBe(5);
    return heard;
  };

  test('flushed, values and cursor are gone together, and a writer who does not know it is stale', async () => {
    const { view } = await filled();
    await admin.flushall();
    expect(await view.read(['A'])).toEqual({ values: [null], cursor: null });
    expect(await view.write({ from: at(5), to: at(6), set: values({ A: '2' }) })).toBe('stale');
    expect(await view.write({ from: null, to: at(6), set: values({ A: '2' }) })).toBe('ok');
  });

  test.for(['', 'garbage', `${storeId} 1.5`, `${storeId} `, `${storeId} 99999999999999999999`])(
    'a cursor that is damaged (%j) is none: the view is written anew, and that is a warning',
    async (damaged) => {
      const { view } = await filled();
      await admin.hset(`brokerx:${storeId}:{depth:1}`, 'cursor', damaged);
      expect(await view.read(['A'])).toMatchObject({ cursor: null });
      expect(await view.cursor()).toBeNull();
      expect(logged.join()).toContain('is damaged');
      expect(await view.write({ from: null, to: at(6), set: values({ A: '2' }) })).toBe('ok');
      expect(await view.read(['A'])).toEqual({ values: ['2'], cursor: at(6) });
    },
  );

  test('killed and started again it is empty, and the next calls find it so by themselves', async () => {
    const { view } = await filled();
    const before = /run_id:(\w+)/.exec(await admin.info('server'))?.[1];
    await server.kill();
    await server.start();
    expect(await view.read(['A'])).toEqual({ values: [null], cursor: null });
    expect(await view.write({ from: null, to: at(7), set: values({ A: '2' }) })).toBe('ok');
    expect(/run_id:(\w+)/.exec(await admin.info('server'))?.[1]).not.toBe(before);
  });

  test('one that comes back with older values tells so with its cursor', async () => {
    const { view } = await filled();
    await admin.save();
    await view.write({ from: at(5), to: at(9), set: values({ A: '2' }) });
    await server.kill();
    await server.start();
    expect(await view.cursor()).toEqual(at(5));
    expect(await view.write({ from: at(9), to: at(10), set: values({ A: '3' }) })).toBe('stale');
    expect(await view.read(['A'])).toEqual({ values: ['1'], cursor: at(5) });
  });

  test('a call to one that is away fails within its bound, and so does one that was under way', async () => {
    const { view } = await filled();
    const goOn = server.pause();
    const underWay = view.write({ from: at(5), to: at(6), set: values({ A: '2' }) });
    // The reply is late: whether it was done is not known.
    await expect(underWay).rejects.toThrow(RedisAway);
    await expect(view.read(['A'])).rejects.toThrow(RedisAway);
    goOn();
    await expect.poll(() => mayFail(view.cursor(), 'it comes back')).toBeDefined();
    // What the paused server had already received it may have done: the cursor tells.
    const standing = await view.cursor();
    expect(await view.write({ from: standing, to: at(7), set: values({ A: '3' }) })).toBe('ok');
    expect(await view.read(['A'])).toEqual({ values: ['3'], cursor: at(7) });

    await server.kill();
    await expect(view.write({ from: at(7), to: at(8), set: values({}) })).rejects.toThrow(RedisAway);
    await expect(view.cursor()).rejects.toThrow(RedisAway);
    await server.start();
    expect(await view.cursor()).toBeNull();
  });

  test('listeners are told again where the view stands after a break, and hear what comes then', async () => {
    const { view } = await filled();
    const other = await open();
    const heard = await listen(other.view);
    await admin.save();
    heard.length = 0;
    await server.kill();
    await server.start();
    await expect.poll(() => heard).toEqual([5]);
    await view.write({ from: await view.cursor(), to: at(6), set: values({}) });
    await expect.poll(() => heard.at(-1)).toBe(6);
  });

  test('a subscriber that was cut off alone subscribes again', async () => {
    const { view } = await filled();
    const heard = await listen(view);
    const clients = String(await admin.call('CLIENT', 'LIST'));
    const id = /id=(\d+) .* name=brokerx-hot-changes /.exec(clients)?.[1] ?? '';
    heard.length = 0;
    await admin.client('KILL', 'ID', Number(id));
    await expect.poll(() => heard).toEqual([5]);
    await view.write({ from: at(5), to: at(6), set: values({}) });
    await expect.poll(() => heard.at(-1)).toBe(6);
  });

  test('what strangers publish is not heard', async () => {
    const { view } = await filled();
    const heard = await listen(view);
    const [channel = ''] = (await admin.pubsub('CHANNELS', `brokerx:${storeId}:*`)) as string[];
    for (const text of ['', 'x', '1e99', '{"a":1}']) await admin.publish(channel, text);
    await view.write({ from: at(5), to: at(6), set: values({}) });
    await expect.poll(() => heard.at(-1)).toBe(6);
    expect(heard).toEqual([5, 6]);
  });

  test('scripts that were forgotten are sent again', async () => {
    const { view } = await filled();
    await admin.script('FLUSH');
    expect(await view.write({ from: at(5), to: at(6), set: values({ A: '2' }) })).toBe('ok');
  });

  test('a full memory refuses writes and changes nothing; reads go on', async () => {
    const { view } = await filled();
    await admin.config('SET', 'maxmemory', '1');
    const write = { from: at(5), to: at(6), set: values({ A: '2', B: '3' }) };
    await expect(view.write(write)).rejects.toThrow(RedisRefused);
    await expect(view.write(write)).rejects.toThrow('OOM');
    expect(await view.read(['A', 'B'])).toEqual({ values: ['1', null], cursor: at(5) });
    await admin.config('SET', 'maxmemory', '0');
    expect(await view.write(write)).toBe('ok');
  });

  test('installations and databases on one server are apart, what they announce too', async () => {
    const { view } = await filled();
    const heard = await listen(view);
    const installation = await open(server.url, randomUUID());
    const database = await open(`${server.url}/3`);
    await installation.view.write({ from: null, to: at(100), set: values({ A: 'x' }) });
    await database.view.write({ from: null, to: at(200), set: values({ A: 'y' }) });
    expect(await view.read(['A'])).toEqual({ values: ['1'], cursor: at(5) });
    await view.write({ from: at(5), to: at(6), set: values({}) });
    await expect.poll(() => heard.at(-1)).toBe(6);
    expect(heard).toEqual([5, 6]);
  });

  test('a view is one key, which goes when nobody has written it for a month', async () => {
    await admin.flushall();
    await filled();
    const keys = await admin.keys('*');
    expect(keys).toEqual([`brokerx:${storeId}:{depth:1}`]);
    expect(await admin.ttl(keys[0] ?? '')).toBeGreaterThan(29 * 86_400);
  });

  test('an outage is logged once, however often it is tried, and no log holds a value', async () => {
    const { view } = await filled();
    await server.kill();
    const secret = 'a value that is nobody’s business';
    await expect(view.write({ from: at(5), to: at(6), set: values({ secret }) })).rejects.toThrow(RedisAway);
    await expect(view.cursor()).rejects.toThrow(RedisAway);
    await server.start();
    await expect.poll(() => logged.some((line) => line.includes('answers again'))).toBe(true);
    expect(logged.map((line) => JSON.parse(line))).toMatchObject([
      {
        level: 'warn',
        msg: expect.stringMatching(
          /^Redis \(127\.0\.0\.1:\d+\) is away: until it answers, .* go on; it is tried/,
        ),
        reason: expect.stringContaining('nothing listens at this address'),
      },
      {
        level: 'info',
        msg: expect.stringMatching(/^Redis \(127\.0\.0\.1:\d+\) answers again after [\d.]+ s$/),
      },
    ]);
    expect(logged.join()).not.toContain(secret);
  });
});

/** What docs/redis.md says that its user needs. */
const ALLOWED =
  'hget hmget hset hdel incr get pttl pexpire unlink eval evalsha publish subscribe ping info client hello select quit';

describe.runIf(hasRedisServer())('a Redis that is not to be used', () => {
  const open = (url: string) => redisHotStore({ url, storeId: randomUUID(), runtime });
  async function on(settings: Record<string, string>) {
    const server = await startTemporaryRedis(settings);
    onTestFinished(() => server.stop());
    return server;
  }

  test.for([
    ['evicts keys', { 'maxmemory-policy': 'allkeys-lru' }, '', 'CONFIG SET maxmemory-policy noeviction'],
    ['wants a password', { requirepass: 'secret' }, '', 'Put the user and the password into the address'],
    ['has not so many databases', { databases: '2' }, '/7', 'there is no database 7'],
    ['is a replica', { replicaof: '127.0.0.1 1' }, '', 'Name its master'],
  ] as const)('one that %s is refused at the start, with what to do', async ([, settings, path, remedy]) => {
    const server = await on(settings);
    await expect(open(server.url + path)).rejects.toThrow(remedy);
  });

  test('a wrong password is refused, and stands in no message', async () => {
    const server = await on({ requirepass: 'right' });
    const refused = await open(server.url.replace('redis://', 'redis://:wr0ng@')).catch(
      (error: Error) => error,
    );
    expect(String(refused)).toContain('the server does not let this user in');
    expect(String(refused)).not.toContain('wr0ng');
  });

  test('a user, his escaped password and a database in the address are used', async () => {
    const server = await on({});
    const admin = new Redis(server.url);
    onTestFinished(() => admin.disconnect());
    const commands = ALLOWED.split(' ').map((command) => `+${command}`);
    await admin.call('ACL', 'SETUSER', 'ann', 'on', '>pa#ss/1', '~brokerx:*', '&brokerx:*', ...commands);
    const hotStore = await open(`redis://ann:${encodeURIComponent('pa#ss/1')}@127.0.0.1:${server.port}/2`);
    onTestFinished(() => hotStore.close());
    const cursor = { storeId: randomUUID(), position: 1 };
    const view = hotStore.view('depth', 1);
    const heard: number[] = [];
    view.onChange((position) => heard.push(position));
    await view.write({ from: null, to: cursor, set: values({ A: '1' }), remove: ['B'] });
    await expect.poll(() => heard.at(-1)).toBe(1);
    expect(await view.read(['A'])).toEqual({ values: ['1'], cursor });
    await view.clear();
    await view.write({ from: null, to: cursor, set: values({ A: '1' }) });
    expect([await admin.dbsize(), await admin.select(2), await admin.dbsize()]).toEqual([0, 'OK', 1]);
  });

  test('one that is away at the start is gone on without, and used as soon as it is there', async () => {
    const server = await on({});
    await server.kill();
    const hotStore = await open(server.url);
    onTestFinished(() => hotStore.close());
    await expect(hotStore.view('depth', 1).cursor()).rejects.toThrow(RedisAway);
    await server.start();
    expect(await hotStore.view('depth', 1).cursor()).toBeNull();
  });
});

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
test.runIf(hasRedisServer() && hasOpenssl)(
  'TLS: a certificate that is trusted is spoken to, another is refused',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'brokerx-tls-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
    const made = [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '2',
      '-keyout',
      key,
      '-out',
      certificate,
    ];
    spawnSync('openssl', [...made, ...subject]);
    const tlsPort = await freePort();
    const server = await startTemporaryRedis({
      'tls-port': String(tlsPort),
      'tls-cert-file': certificate,
      'tls-key-file': key,
      'tls-auth-clients': 'no',
    });
    onTestFinished(() => server.stop());
    const user = fileURLToPath(new URL('../../test/redisUser.ts', import.meta.url));
    const run = (env: Record<string, string>) =>
      promisify(execFile)(process.execPath, [user, `rediss://127.0.0.1:${tlsPort}`], {
        env: { ...process.env, ...env },
      });
    expect((await run({ NODE_EXTRA_CA_CERTS: certificate })).stdout).toContain('ok');
    await expect(run({})).rejects.toThrow('an authority that is not known here');
  },
);

describe.runIf(hasRedisServer())(
  'on a node of a cluster, which demands that all keys of a call lie together',
  () => {
    let server: TemporaryRedis;
    beforeAll(async () => {
      server = await startTemporaryRedis({ 'cluster-enabled': 'yes' });
      const admin = new Redis(server.url);
      await admin.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
      await vi.waitUntil(
        async () => String(await admin.call('CLUSTER', 'INFO')).includes('cluster_state:ok'),
        10_000,
      );
      admin.disconnect();
    });
    afterAll(() => server.stop());

    hotStoreContract('redis cluster', async () => {
      const storeId = randomUUID();
      const open = () => redisHotStore({ url: server.url, storeId, runtime });
      const [hotStore, elsewhere] = [await open(), await open()];
      return {
        hotStore,
        elsewhere,
        close: async () => void (await Promise.all([hotStore.close(), elsewhere.close()])),
      };
    });
  },
);
